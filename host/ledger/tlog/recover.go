package tlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// ErrIncomplete says that a copy does not hold all that the log's guard holds.
var ErrIncomplete = errors.New("copy does not hold all that is missing")

// Recovery is what Recover did, in messages.
type Recovery struct {
	Before uint64 `json:"before"` // in the log as it was found
	After  uint64 `json:"after"`  // in the log as it is now
}

// Recover takes what a log that was put back to an older state has lost, or a whole log,
// from a copy of it: leaves as they are, with their times. It signs nothing that the log has not signed
// before: the result is what stood under the guard's checkpoint, or under a later one
// of the log that the copy shows. All of it is added in one transaction, or nothing.
//
// The copy need not be trusted. It is any ledger of the same log: another database
// (OpenReader), a mirror, one that others serve. Only the first shows the log's word that
// it removed a payload; of the others one that is withheld is missing, unless
// Options.AdoptRemoved. Where the guard is missing too,
// Options.AdoptGuard lets the copy's checkpoint stand for it. The database is made
// where there is none.
//
// Errors, nothing written: [ErrIncomplete]; [ErrForked] when database or copy are of
// another history than guard or copy; [ErrNoGuard], [ErrBadGuard]; those of Open and of
// the copy. A guard is needed.
func Recover(ctx context.Context, name string, o Options, from ledger.Ledger) (Recovery, error) {
	l, err := newLog(o, o.Signer.VerifierKey())
	if err != nil {
		return Recovery{}, err
	}
	kept, target, err := l.target(ctx, from)
	if err != nil {
		return Recovery{}, fmt.Errorf("recovering log %q: %w", o.Origin, err)
	}
	l.db, err = store.Open(ctx, name, store.Options{Migrations: migrations, Schema: schema, Hook: o.Hook})
	if err != nil {
		return Recovery{}, fmt.Errorf("recovering log %q: %w", o.Origin, err)
	}
	var r Recovery
	err = l.recover(ctx, kept, target, from, &r)
	if err = errors.Join(err, l.guard.close(), l.db.Close()); err != nil {
		return Recovery{}, fmt.Errorf("recovering log %q in %s: %w", o.Origin, store.Name(name), err)
	}
	return r, nil
}

// target returns what the guard holds, nil for none, and what the log is to be: that,
// or a later tree of the copy.
func (l *Log) target(ctx context.Context, from ledger.Ledger) (kept, target *signedTree, err error) {
	text, err := ReadGuard(l.o.Guard)
	switch {
	case err == nil:
		c, err := ledger.ParseCheckpoint(text, l.o.Origin, l.verifier)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", err, ErrBadGuard)
		}
		kept = &signedTree{text, c}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	case !l.o.AdoptGuard:
		return nil, nil, fmt.Errorf("%s: %w", l.o.Guard, ErrNoGuard)
	}
	shown, err := l.shown(ctx, from)
	switch {
	case err != nil:
		return nil, nil, err
	case kept != nil && (shown == nil || shown.Size <= kept.Size):
		return kept, kept, nil
	case shown == nil:
		return nil, nil, fmt.Errorf("%s, and the copy shows no checkpoint: %w", l.o.Guard, ErrNoGuard)
	}
	return kept, shown, nil
}

// shown returns the newest tree of a copy, when it shows one, under this log's signature
// alone.
func (l *Log) shown(ctx context.Context, from ledger.Ledger) (*signedTree, error) {
	copied, ok := from.(interface {
		Checkpoint(context.Context) ([]byte, error)
	})
	if !ok {
		return nil, nil
	}
	text, err := copied.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	c, err := ledger.ParseCheckpoint(text, l.o.Origin, l.verifier)
	if err != nil {
		return nil, err
	}
	alone, err := ledger.SignCheckpoint(c, l.o.Signer) // again: an Ed25519 signature is always the same
	if err != nil {
		return nil, err
	}
	return &signedTree{alone, c}, nil
}

// recover appends what is missing and opens the guard on the result.
func (l *Log) recover(ctx context.Context, kept, target *signedTree, from ledger.Ledger, r *Recovery) error {
	if err := l.db.Update(ctx, func(tx *sql.Tx) error { return l.found(ctx, tx) }); err != nil {
		return err
	}
	if err := l.beginReading(ctx); err != nil {
		return err
	}
	if err := l.prepareWriting(ctx); err != nil {
		return err
	}
	var refused error
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		b, err := l.batch(ctx, tx)
		if err == nil {
			r.Before, r.After = b.tree.Size, max(b.tree.Size, target.Size)
			err = b.recover(kept, target, from)
		}
		refused = err
		return err
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return outcome(err)
	}
	return l.openGuard(ctx)
}

// recover makes the batch's tree the target, which must begin with what was kept.
func (b *batch) recover(kept, target *signedTree, from ledger.Ledger) error {
	if b.tree.Size < target.Size {
		entries, end := pull(b.ctx, from, ledger.Position{Index: b.tree.Size})
		defer end()
		c := &copier{b, map[channel.ID]tail{}}
		err := c.run(target, func() ([]ledger.Entry, error) {
			batch, err := entries()
			if err == nil {
				err = b.log.vouched(from, batch)
			}
			return batch[:min(uint64(len(batch)), target.Size-uint64(b.size))], err
		})
		if errors.Is(err, ErrBreach) {
			return fmt.Errorf("%w: %w", ErrForked, err)
		}
		if err != nil {
			return err
		}
		b.tree = target
	}
	if err := b.extends(target); err != nil {
		return err
	}
	return b.extends(kept)
}

// vouched reports whether the log itself removed what entries of a copy come without. Who
// could withhold a payload here would have it removed for good.
func (l *Log) vouched(from ledger.Ledger, entries []ledger.Entry) error {
	if own, ok := from.(*Log); l.o.AdoptRemoved || ok && !own.mirror {
		return nil
	}
	for _, e := range entries {
		if m := e.Message; m.Removed() {
			return fmt.Errorf("message %d of channel %s comes without its payload: %w", m.Number(), m.Channel(), ErrIncomplete)
		}
	}
	return nil
}

// pull returns what hands out a ledger's entries from a position on, batch by batch, to
// its present end: ErrIncomplete.
func pull(ctx context.Context, from ledger.Ledger, at ledger.Position) (next func() ([]ledger.Entry, error), end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var failed error
	each, stop := iter.Pull(func(yield func([]ledger.Entry) bool) {
		failed = from.Follow(ctx, at, func(batch []ledger.Entry, _ ledger.Position) error {
			if len(batch) == 0 || !yield(batch) {
				return ledger.ErrStop
			}
			return nil
		})
	})
	next = func() ([]ledger.Entry, error) {
		batch, ok := each()
		switch {
		case ok:
			return batch, nil
		case errors.Is(failed, ledger.ErrNoPosition), failed == nil:
			return nil, ErrIncomplete
		}
		return nil, failed
	}
	return next, func() { stop(); cancel() }
}
