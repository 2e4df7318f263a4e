package tlog

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/ledger"
)

// cosignedTree is a checkpoint of this log with what witnesses gave to it.
type cosignedTree struct {
	signedTree
	witnesses int // of Options.Witnesses that cosigned it
}

// Cosign keeps a checkpoint of this log with the cosignatures of witnesses, durable
// on return. It stands until one of a larger tree comes, or one of the same tree with
// as many of Options.Witnesses; a lesser one changes nothing. A checkpoint that this
// log did not sign is ledger.ErrInvalidProof, and one that is not of its history
// ledger.ErrNoPosition.
func (l *Log) Cosign(ctx context.Context, cosigned []byte) error {
	if err := l.mayWrite(); err != nil {
		return err
	}
	c, err := l.openCosigned(bytes.Clone(cosigned))
	if err != nil {
		return fmt.Errorf("cosigned checkpoint of log %q: %w: %w", l.o.Origin, err, ledger.ErrInvalidProof)
	}
	err = outcome(l.db.Update(ctx, func(tx *sql.Tx) error {
		v, err := l.writingView(ctx, tx)
		if err != nil {
			return err
		}
		if err := v.contains(c.Checkpoint); err != nil {
			return err
		}
		kept, err := v.cosigned()
		if err != nil || kept != nil && (kept.Size > c.Size || kept.Size == c.Size && kept.witnesses > c.witnesses) {
			return err
		}
		return v.exec(v.stmts.setCosigned, c.text)
	}))
	if err != nil {
		return fmt.Errorf("keeping the cosigned checkpoint of %d: %w", c.Size, err)
	}
	l.wake()
	return nil
}

// contains reports whether a checkpoint is of this log's history.
func (v *view) contains(c ledger.Checkpoint) error {
	if c.Size > v.tree.Size {
		return fmt.Errorf("checkpoint of %d in a log of %d: %w", c.Size, v.tree.Size, ledger.ErrNoPosition)
	}
	root, err := merkle.TreeHash(int64(c.Size), v)
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("checkpoint of %d has another root than this log had: %w", c.Size, ledger.ErrNoPosition)
	}
	return nil
}

// openCosigned verifies a cosigned checkpoint, unless that was done.
func (l *Log) openCosigned(text []byte) (*cosignedTree, error) {
	if c := l.cosigned.Load(); c != nil && c.is(text) {
		return c, nil
	}
	c, err := ledger.ParseCheckpoint(text, l.o.Origin, l.verifier)
	if err != nil {
		return nil, err
	}
	found, err := ledger.Cosignatures(text, l.o.Witnesses...)
	if err != nil {
		return nil, err
	}
	return &cosignedTree{signedTree{text, c}, len(found)}, nil
}

// cosigned returns the newest cosigned checkpoint, or nil.
func (v *view) cosigned() (*cosignedTree, error) {
	var text []byte
	err := v.one(v.stmts.cosigned, nil, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := v.log.openCosigned(text)
	if err != nil {
		return nil, corrupt("%w", err)
	}
	if c != v.log.cosigned.Load() {
		if err := v.contains(c.Checkpoint); err != nil {
			return nil, corrupt("%w", err)
		}
		v.log.cosigned.Store(c)
	}
	return c, nil
}

// witnessed returns the newest checkpoint that a quorum cosigned, or nil.
func (v *view) witnessed() (*signedTree, error) {
	if v.log.o.Quorum == 0 {
		return nil, nil
	}
	c, err := v.cosigned()
	if err != nil || c == nil || c.witnesses < v.log.o.Quorum {
		return nil, err
	}
	return &c.signedTree, nil
}

// best returns the receipt of a verified entry under the newest checkpoint that a
// quorum cosigned, or under the newest of all when none covers it yet.
func (v *view) best(e ledger.Entry) (ledger.Receipt, error) {
	t, err := v.witnessed()
	if err != nil {
		return ledger.Receipt{}, err
	}
	if t == nil || e.Index >= t.Size {
		return v.receipt(e)
	}
	return v.receiptUnder(t, e, ledger.Witnessed)
}

// awaitBeyond waits until a checkpoint that covers the message has reached a phase
// beyond Final.
func (l *Log) awaitBeyond(ctx context.Context, r ledger.Receipt, phase ledger.Phase) (receipt ledger.Receipt, err error) {
	for {
		grown := l.growing()
		err := l.read(ctx, func(v *view) error {
			if highest, err := v.highest(); err != nil || phase > highest {
				return cmp.Or(err, fmt.Errorf("awaiting %s on this log: %w", phase, ledger.ErrNoPhase))
			}
			e, err := v.find(r.Channel, r.Number)
			if err != nil {
				return err
			}
			if e.Message.Hash() != r.Hash {
				return &ledger.Conflict{Winner: e}
			}
			if err := l.guard.keep(ctx, v.tree); err != nil {
				return unreadable(err)
			}
			t, reached, err := v.proving(phase)
			if err == nil && t != nil && e.Index < t.Size {
				receipt, err = v.receiptUnder(t, e, reached)
			}
			return err
		})
		if err != nil || receipt.Phase >= phase {
			return receipt, err
		}
		l.wait(ctx, grown)
	}
}
