package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// ErrOtherHistory says that the ledger is not the one, or no longer the one, that the registry was folded from: it was rewritten,
// cut, or put back from an old copy. The registry stays as it is; Rebuild takes over what the ledger says now.
var ErrOtherHistory = errors.New("the ledger does not hold what this registry was folded from")

// Sync folds the ledger from where the registry stopped to its end. Several processes may do so on one file at once. A channel with
// a record that this version must not skip and does not know is folded up to that, see TooOld. Errors: ErrOtherHistory;
// ledger.ErrUnavailable; the store's.
func (r *Registry) Sync(ctx context.Context) error {
	m, stopped, err := r.current(ctx)
	if err == nil && stopped.outgrown() {
		if err = r.Rebuild(ctx); err == nil {
			m, _, err = r.current(ctx)
		}
	}
	if err != nil {
		return err
	}
	known := m.newest != channel.Hash{}
	from := ledger.Position{Index: m.position}
	if known {
		from.Index-- // the newest entry again, to see that it is still the same
	}
	err = r.o.Ledger.Follow(ctx, from, func(batch []ledger.Entry, _ ledger.Position) error {
		if known {
			if len(batch) == 0 || batch[0].Message.Hash() != m.newest {
				return ErrOtherHistory
			}
			known = false
			return r.takeAll(ctx, batch[1:])
		}
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		return r.takeAll(ctx, batch)
	})
	if errors.Is(err, ledger.ErrNoPosition) {
		err = fmt.Errorf("%w: %w", ErrOtherHistory, err)
	}
	if err != nil {
		return fmt.Errorf("following the ledger from entry %v: %w", from, err)
	}
	return nil
}

func (r *Registry) takeAll(ctx context.Context, batch []ledger.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	return r.write(ctx, func(s *states) error { return s.take(batch) })
}

// current returns how far the registry has come, mended if need be.
func (r *Registry) current(ctx context.Context) (meta, stops, error) {
	var known stops
	var issuers []record.Issuer
	m, err := r.readMeta(ctx, r.db.Read())
	if err == nil {
		issuers, known, err = r.readIssuers(ctx, r.db.Read(), m.catalogue)
	}
	if lost := (*altered)(nil); !errors.As(err, &lost) { // or changed between the two: the write lock tells
		if err == nil {
			r.publish(known)
			r.publishMoved(slices.Values(issuers))
		}
		return m, known, err
	}
	err = r.write(ctx, func(s *states) error {
		m, known = s.meta, maps.Clone(s.stops)
		return nil
	})
	if err != nil {
		return meta{}, nil, err
	}
	return m, known, nil
}

// Ignored returns how many messages so far were none of an issuer's or a card's.
func (r *Registry) Ignored(ctx context.Context) (uint64, error) {
	m, _, err := r.current(ctx)
	return m.ignored, err
}

// SyncChannel folds a card's tap channel up to the newest message that the ledger has when it is called, also where Sync has not
// come to it yet. For a channel that is no known card's it does what Sync does. When nothing is new it writes nothing.
func (r *Registry) SyncChannel(ctx context.Context, id channel.ID) error {
	head, err := r.o.Ledger.Head(ctx, id)
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
		return f.row.sameHistory(head)
	}
	return r.write(ctx, func(s *states) error {
		row, err := s.cardByTaps(id)
		if row == nil || err != nil {
			return err
		}
		return s.forward(row)
	})
}

// sameHistory compares the row, which is not behind, with the channel's newest message. Another process may have folded a
// message that came after the caller asked for the newest.
func (c *cardRow) sameHistory(head ledger.Entry) error {
	if c.Head.Number == head.Message.Number() && c.Head.Hash != head.Message.Hash() {
		return fmt.Errorf("channel %v: %w", c.Taps, ErrOtherHistory)
	}
	return nil
}
