package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Sync folds the ledger from where the registry stopped to its end. Several processes may do so on one file at once. Errors:
// record.ErrMust, with everything before that record folded; ledger.ErrNoPosition when the ledger has lost what this registry
// has seen; ledger.ErrUnavailable; the store's.
func (r *Registry) Sync(ctx context.Context) error {
	m, err := r.current(ctx)
	if err != nil {
		return err
	}
	from := ledger.Position{Index: m.position}
	err = r.Ledger.Follow(ctx, from, func(batch []ledger.Entry, next ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		return r.write(ctx, func(s *states) error { return s.take(batch, next) })
	})
	if err != nil {
		return fmt.Errorf("following the ledger from entry %v: %w", from, err)
	}
	return nil
}

// current returns how far the registry has come, mended if need be.
func (r *Registry) current(ctx context.Context) (meta, error) {
	m, err := r.readMeta(ctx, r.db.Read())
	if lost := (*altered)(nil); !errors.As(err, &lost) {
		return m, err
	}
	err = r.write(ctx, func(s *states) error {
		m = s.meta
		return nil
	})
	if err != nil {
		return meta{}, err
	}
	return m, nil
}

// Ignored returns how many messages so far were none of an issuer's or a card's.
func (r *Registry) Ignored(ctx context.Context) (uint64, error) {
	m, err := r.current(ctx)
	return m.ignored, err
}

// SyncChannel folds a card's tap channel up to the newest message that the ledger has when it is called, also where Sync has not
// come to it yet. For a channel that is no known card's it does what Sync does. When nothing is new it writes nothing.
func (r *Registry) SyncChannel(ctx context.Context, id channel.ID) error {
	head, err := r.Ledger.Head(ctx, id)
	if errors.Is(err, ledger.ErrNoChannel) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the head of channel %v: %w", id, err)
	}
	f, err := r.read(ctx, r.readCardByTaps, id[:])
	if err != nil {
		return err
	}
	if f.values == nil {
		return r.Sync(ctx)
	}
	if f.holds() && f.row.next() > head.Message.Number() {
		return nil
	}
	return r.write(ctx, func(s *states) error {
		row, err := s.cardByTaps(id)
		if row == nil || err != nil {
			return err
		}
		return s.forward(row)
	})
}
