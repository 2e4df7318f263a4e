package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Head returns the newest message of a channel.
func (l *Ledger) Head(ctx context.Context, id channel.ID) (ledger.Entry, error) {
	if err := l.current(ctx); err != nil {
		return ledger.Entry{}, err
	}
	return l.head(ctx, id)
}

// current reports whether the archive can answer for the ledger as it is now.
func (l *Ledger) current(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

// Range returns messages of a channel in order.
func (l *Ledger) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	if err := l.current(ctx); err != nil {
		return nil, err
	}
	c, err := begun(ctx, l.db.Read(), id)
	if err != nil || from >= c.next || n <= 0 {
		return nil, err
	}
	want := min(uint64(n), c.next-from)
	entries, err := readEntries(ctx, l.db.Read(), "SELECT "+entryColumns+" FROM entry WHERE channel = $1 AND number >= $2 ORDER BY number LIMIT $3",
		id[:], int64(from), int64(want))
	if err == nil && uint64(len(entries)) < want {
		err = damaged("of %d messages of channel %s from %d on %d are gone", want, id, from, want-uint64(len(entries)))
	}
	for i := range entries {
		if err == nil {
			err = inPlace(entries[i], id, from+uint64(i))
		}
	}
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Prove returns the proof of message n of a channel. What is archived is proved
// without asking a node.
func (l *Ledger) Prove(ctx context.Context, id channel.ID, n uint64) (ledger.Proof, error) {
	if err := l.usable(ctx); err != nil {
		return ledger.Proof{}, err
	}
	e, err := readEntry(ctx, l.db.Read(), id, n)
	if errors.Is(err, sql.ErrNoRows) {
		if err := l.catchUp(ctx); err != nil {
			return ledger.Proof{}, err
		}
		e, err = l.find(ctx, id, n)
	}
	if err != nil {
		return ledger.Proof{}, err
	}
	r, err := l.receipt(ctx, e)
	return r.Proof, err
}

// find returns message n of a channel.
func (l *Ledger) find(ctx context.Context, id channel.ID, n uint64) (ledger.Entry, error) {
	c, err := begun(ctx, l.db.Read(), id)
	if err != nil {
		return ledger.Entry{}, err
	}
	if n >= c.next {
		return ledger.Entry{}, fmt.Errorf("message %d of channel %s: %w", n, id, ledger.ErrNoMessage)
	}
	return needEntry(ctx, l.db.Read(), id, n)
}

// followBatch is how many entries Follow delivers at once at most.
const followBatch = 256

// Follow delivers the archive from a position on as ledger.Ledger says, and goes on
// with each milestone. An archive that lacks something after the position is
// [ErrMissing].
func (l *Ledger) Follow(ctx context.Context, from ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	quiet := false // fn has been told that nothing more is there
	for {
		news := l.growing()
		entries, err := l.after(ctx, from, quiet)
		if err != nil {
			return err
		}
		if len(entries) == 0 && quiet {
			if err := l.wait(ctx, news, carryPause); err != nil {
				return err
			}
			continue
		}
		if len(entries) > 0 {
			from.Index = entries[len(entries)-1].Index + 1
		}
		if err := fn(entries, from); errors.Is(err, ledger.ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
		quiet = len(entries) == 0
	}
}

// after returns the next entries from a position on. When there are none and that
// was not known, it catches up first.
func (l *Ledger) after(ctx context.Context, from ledger.Position, known bool) ([]ledger.Entry, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	for caughtUp := known; ; caughtUp = true {
		entries, err := l.read(ctx, from)
		if err != nil || len(entries) > 0 || caughtUp {
			return entries, err
		}
		if err := l.catchUp(ctx); err != nil {
			return nil, err
		}
		at, err := position(ctx, l.db.Read())
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		at = max(at, l.milestone)
		l.mu.Unlock()
		if from.Index > uint64(at+1)<<32 {
			return nil, fmt.Errorf("position %s, ledger is at milestone %d: %w", from, at, ledger.ErrNoPosition)
		}
	}
}

func (l *Ledger) read(ctx context.Context, from ledger.Position) ([]ledger.Entry, error) {
	if from.Index > math.MaxInt64 {
		return nil, nil
	}
	var gaps int
	err := l.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM channel WHERE first > 0").Scan(&gaps)
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	if gaps > 0 {
		return nil, missing("of %d channels", gaps)
	}
	return readEntries(ctx, l.db.Read(), "SELECT "+entryColumns+" FROM entry WHERE place >= $1 ORDER BY place LIMIT $2",
		int64(from.Index), followBatch)
}
