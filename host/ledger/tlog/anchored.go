package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/ledger"
)

// anchoredTree is a checkpoint of this log that another ledger recorded.
type anchoredTree struct {
	cosignedTree
	evidence []byte
}

// KeepAnchor keeps a checkpoint of this log with the evidence that another ledger
// recorded it, which is the caller's affair and kept as it is; durable on return. It
// stands until one of a larger tree comes, or another of the same tree; a lesser one
// changes nothing. A checkpoint that this log did not sign is ledger.ErrInvalidProof,
// and one that is not of its history ledger.ErrNoPosition.
func (l *Log) KeepAnchor(ctx context.Context, checkpoint, evidence []byte) error {
	if err := l.mayWrite(); err != nil {
		return err
	}
	c, err := l.openCosigned(bytes.Clone(checkpoint))
	if err != nil {
		return fmt.Errorf("anchored checkpoint of log %q: %w: %w", l.o.Origin, err, ledger.ErrInvalidProof)
	}
	err = outcome(l.db.Update(ctx, func(tx *sql.Tx) error {
		v, err := l.writingView(ctx, tx)
		if err != nil {
			return err
		}
		if err := v.contains(c.Checkpoint); err != nil {
			return err
		}
		kept, err := v.anchored()
		if err != nil || kept != nil && kept.Size > c.Size {
			return err
		}
		return v.exec(v.stmts.setAnchored, c.text, evidence)
	}))
	if err != nil {
		return fmt.Errorf("keeping the anchor of checkpoint %d: %w", c.Size, err)
	}
	l.wake()
	return nil
}

// Anchored returns the newest anchored checkpoint and the evidence that KeepAnchor was
// given with it, as it is; nil where there is none.
func (l *Log) Anchored(ctx context.Context) (checkpoint, evidence []byte, err error) {
	err = l.read(ctx, func(v *view) error {
		a, err := v.anchored()
		if err == nil && a != nil {
			checkpoint, evidence = bytes.Clone(a.text), a.evidence
		}
		return err
	})
	return checkpoint, evidence, err
}

// Anchorable returns the checkpoint that is to be anchored next: the newest that a
// quorum of Options.Witnesses cosigned, where there is a quorum, else the newest of
// all. It is nil where no quorum has cosigned anything yet.
func (l *Log) Anchorable(ctx context.Context) (text []byte, c ledger.Checkpoint, err error) {
	err = l.read(ctx, func(v *view) error {
		t := v.tree
		if l.o.Quorum > 0 {
			if t, err = v.witnessed(); err != nil || t == nil {
				return err
			}
		}
		text, c = bytes.Clone(t.text), t.Checkpoint
		return nil
	})
	return text, c, err
}

// OpenCheckpoint reads a checkpoint that this log signed, at whatever time; any other
// is ledger.ErrInvalidProof. It does not say that the log still begins so: see Against.
func (l *Log) OpenCheckpoint(text []byte) (ledger.Checkpoint, error) {
	return ledger.ParseCheckpoint(text, l.o.Origin, l.verifier)
}

// anchored returns the newest anchored checkpoint, or nil.
func (v *view) anchored() (*anchoredTree, error) {
	var text, evidence []byte
	err := v.one(v.stmts.anchored, nil, &text, &evidence)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if a := v.log.anchored.Load(); a != nil && a.is(text) {
		return &anchoredTree{a.cosignedTree, evidence}, nil
	}
	c, err := v.log.openCosigned(text)
	if err != nil {
		return nil, corrupt("%w", err)
	}
	if err := v.contains(c.Checkpoint); err != nil {
		return nil, corrupt("%w", err)
	}
	a := &anchoredTree{*c, evidence}
	if v.committed {
		v.log.anchored.Store(a)
	}
	return a, nil
}

// proving returns the newest checkpoint of at least this phase, which is beyond Final,
// and its own phase; nil where there is none. What is anchored is also witnessed where
// there are witnesses: it counts with the cosignatures that have come meanwhile.
func (v *view) proving(phase ledger.Phase) (*signedTree, ledger.Phase, error) {
	witnessed, err := v.witnessed()
	if err != nil || witnessed != nil && phase <= ledger.Witnessed {
		return witnessed, ledger.Witnessed, err
	}
	a, err := v.anchored()
	switch {
	case err != nil || a == nil:
		return nil, 0, err
	case a.witnesses >= v.log.o.Quorum:
		return &a.signedTree, ledger.Anchored, nil
	case witnessed != nil && witnessed.Size == a.Size:
		return witnessed, ledger.Anchored, nil
	}
	return nil, 0, nil
}

// Lease reports whether holder does some work until a time: nobody else has taken it
// beyond now, or holder has already. It is durable on return. Clocks that differ make
// the work pass on early or late, and never twice at once for one holder; that it is done twice by
// two must do no harm.
func (l *Log) Lease(ctx context.Context, work, holder string, now, until time.Time) (held bool, err error) {
	if err := l.mayWrite(); err != nil {
		return false, err
	}
	err = outcome(l.db.Update(ctx, func(tx *sql.Tx) error {
		v, err := l.writingView(ctx, tx)
		if err != nil {
			return err
		}
		err = v.exec(v.stmts.lease, work, holder, now.UnixMilli(), until.UnixMilli())
		if err != nil {
			return err
		}
		var has string
		err = v.one(v.stmts.holder, []any{work}, &has)
		held = has == holder
		return err
	}))
	if err != nil {
		return false, fmt.Errorf("leasing %s: %w", work, err)
	}
	return held, nil
}

// mayWrite reports whether what is kept beside the tree can be written.
func (l *Log) mayWrite() error {
	if l.writing == nil {
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, ErrReadOnly)
	}
	return l.usable()
}

// Halt ends the log for this process, for a reason that came from outside: somebody
// showed that it is not what it was. From then on nothing is written or answered, and
// every error holds the reason, ledger.ErrUnavailable too.
func (l *Log) Halt(reason error) {
	if !errors.Is(reason, ledger.ErrUnavailable) {
		reason = fmt.Errorf("%w: %w", ledger.ErrUnavailable, reason)
	}
	l.halted.CompareAndSwap(nil, &reason)
	l.wake()
}
