package tlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/ledger"
)

const (
	// followBatch is how many entries Follow delivers at once at most.
	followBatch = 256
	// followPoll is how long a message of another process may go unnoticed; this
	// process's own are noticed at once.
	followPoll = 50 * time.Millisecond
)

// Follow delivers the log from a position on as ledger.Ledger says.
func (l *Log) Follow(ctx context.Context, from ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	quiet := false // fn has been told that nothing more is there
	for {
		grown := l.growing()
		entries, err := l.after(ctx, from)
		if err != nil {
			return err
		}
		if len(entries) == 0 && quiet {
			l.wait(ctx, grown)
			continue
		}
		from.Index += uint64(len(entries))
		if err := fn(entries, from); errors.Is(err, ledger.ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
		quiet = len(entries) == 0
	}
}

// growing returns what is closed when this process appends after this call.
func (l *Log) growing() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// wait returns when there may be more to see, or an end.
func (l *Log) wait(ctx context.Context, grown <-chan struct{}) {
	poll := time.NewTimer(followPoll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-l.closed:
	case <-grown:
	case <-poll.C:
	}
}

// after returns the next entries from a position on.
func (l *Log) after(ctx context.Context, from ledger.Position) (entries []ledger.Entry, err error) {
	err = l.read(ctx, func(v *view) error {
		if from.Index > v.tree.Size {
			return fmt.Errorf("position %s of %d: %w", from, v.tree.Size, ledger.ErrNoPosition)
		}
		entries, err = v.leaves(from.Index, int(min(followBatch, v.tree.Size-from.Index)))
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// leaves returns n leaves of the tree, which must be there.
func (v *view) leaves(from uint64, n int) ([]ledger.Entry, error) {
	if n == 0 {
		return nil, nil
	}
	rows, err := v.rows(v.stmts.leaves, int64(from), n)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if len(r.hashes) == hashesOf(r.leaf)*len(v.tree.Root) {
			v.keepHashes(r.leaf, r.hashes)
		}
	}
	entries := make([]ledger.Entry, 0, n)
	for i, r := range rows {
		e, err := v.entry(r)
		if err != nil {
			return nil, err
		}
		if e.Index != from+uint64(i) {
			return nil, corrupt("leaf %d stands where %d must", e.Index, from+uint64(i))
		}
		entries = append(entries, e)
	}
	if len(entries) < n {
		return nil, corrupt("leaves of %d after %d are missing", v.tree.Size, from+uint64(len(entries)))
	}
	return entries, nil
}
