package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// ErrUnknownIssuer says that no opening of the issuer was folded so far.
var ErrUnknownIssuer = errors.New("no issuer with this channel is known")

// Card returns a card as of the last Sync or SyncChannel, or ErrUnknownCard. What was altered in the file is mended first. The error
// is record.ErrMust for a card that this version is too old for, because it cannot read its tap channel on, or its issuer's. A card that
// went on elsewhere, alone or with its issuer, is moved, whatever the ledger holds of it since.
func (r *Registry) Card(ctx context.Context, id tap.CardID) (record.Card, error) {
	card, err := r.known(ctx, id)
	if err == nil {
		err = r.tooOldFor(card)
	}
	if err == nil {
		card, err = r.here(ctx, card)
	}
	if err != nil {
		return record.Card{}, err
	}
	return card, nil
}

// known returns a card as it was folded, also one of a channel that stopped.
func (r *Registry) known(ctx context.Context, id tap.CardID) (record.Card, error) {
	f, err := r.read(ctx, r.readCard, id[:])
	if err != nil {
		return record.Card{}, err
	}
	if f.holds() {
		return f.row.Card, nil
	}
	if f.values == nil {
		_, complete, err := r.listed(ctx, id[0], id[0])
		if err != nil {
			return record.Card{}, err
		}
		if complete {
			return record.Card{}, ErrUnknownCard
		}
	}
	return r.mendedCard(ctx, id)
}

// mendedCard reads a card under the write lock, where nothing else changes, and mends what does not hold.
func (r *Registry) mendedCard(ctx context.Context, id tap.CardID) (record.Card, error) {
	var card record.Card
	err := r.write(ctx, func(s *states) error {
		row, err := s.card(id)
		if err != nil {
			return err
		}
		if row == nil {
			return ErrUnknownCard
		}
		card = row.Card
		return nil
	})
	if err != nil {
		return record.Card{}, err // the job may still run
	}
	return card, nil
}

// listed reads the cards whose ids begin with one of the bytes from first to last, and reports whether they are all that were
// registered. Without the write lock it may say no because a card is being registered.
func (r *Registry) listed(ctx context.Context, first, last byte) (ids []tap.CardID, complete bool, err error) {
	m, err := r.readMeta(ctx, r.db.Read())
	if lost := (*altered)(nil); errors.As(err, &lost) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	l, err := r.list(ctx, r.db.Read(), first, last)
	if err != nil {
		return nil, false, err
	}
	return l.ids, slices.Equal(l.cards[first:int(last)+1], m.catalogue.cards[first:int(last)+1]), nil
}

// Cards returns all cards as Card does, in the order of their ids; those that this version is too old for as they were before, see
// TooOld.
func (r *Registry) Cards(ctx context.Context) iter.Seq2[record.Card, error] {
	return func(yield func(record.Card, error) bool) {
		for card, err := range r.Folded(ctx) {
			if err == nil {
				card, err = r.here(ctx, card)
			}
			if !yield(card, err) || err != nil {
				return
			}
		}
	}
}

// Folded returns all cards as Cards does, but as the ledger's messages leave them: also those that live elsewhere by now as if it
// were here.
func (r *Registry) Folded(ctx context.Context) iter.Seq2[record.Card, error] {
	return func(yield func(record.Card, error) bool) {
		ids, err := r.allIDs(ctx)
		if err != nil {
			yield(record.Card{}, err)
			return
		}
		for _, id := range ids {
			if card, err := r.known(ctx, id); !yield(card, err) || err != nil {
				return
			}
		}
	}
}

func (r *Registry) allIDs(ctx context.Context) ([]tap.CardID, error) {
	ids, complete, err := r.listed(ctx, 0, 255)
	if complete || err != nil {
		return ids, err
	}
	err = r.write(ctx, func(s *states) error {
		l, err := s.r.list(s.ctx, s.tx, 0, 255)
		if err != nil {
			return err
		}
		for first := range l.cards {
			if l.cards[first] != s.meta.catalogue.cards[first] {
				return &altered{Tampered{"cards", "", "some are gone, or were added"}}
			}
		}
		ids = l.ids
		return nil
	})
	if err != nil {
		return nil, err // the job may still run
	}
	return ids, nil
}

// Issuer returns an issuer as of the last Sync, or ErrUnknownIssuer.
func (r *Registry) Issuer(ctx context.Context, id channel.ID) (record.Issuer, error) {
	issuers, err := r.Issuers(ctx)
	if err != nil {
		return record.Issuer{}, err
	}
	i := slices.IndexFunc(issuers, func(i record.Issuer) bool { return i.Channel == id })
	if i < 0 {
		return record.Issuer{}, ErrUnknownIssuer
	}
	return issuers[i], nil
}

// Issuers returns all issuers as of the last Sync, in the order of their opening.
func (r *Registry) Issuers(ctx context.Context) ([]record.Issuer, error) {
	m, err := r.readMeta(ctx, r.db.Read())
	var issuers []record.Issuer
	if err == nil {
		issuers, _, err = r.readIssuers(ctx, r.db.Read(), m.catalogue)
	}
	if lost := (*altered)(nil); errors.As(err, &lost) { // or changed between the two: the write lock tells
		err = r.write(ctx, func(s *states) error {
			issuers = slices.Collect(maps.Values(s.issuers))
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(issuers, func(a, b record.Issuer) int { return cmp.Compare(a.Opened.Index, b.Opened.Index) })
	return issuers, nil
}

// readIssuers also returns where channels stop. It returns *altered when the rows are not those of the catalogue.
func (r *Registry) readIssuers(ctx context.Context, q querier, c catalogue) ([]record.Issuer, stops, error) {
	var total catalogue
	issuers, err := r.selectIssuers(ctx, q, &total)
	if err != nil {
		return nil, nil, err
	}
	stopped, err := r.readStops(ctx, q, &total.issuers)
	if err != nil {
		return nil, nil, err
	}
	if total.issuers != c.issuers {
		return nil, nil, &altered{Tampered{"issuers", "", "some are gone, or what stops their channels"}}
	}
	return issuers, stopped, nil
}

func (r *Registry) selectIssuers(ctx context.Context, q querier, total *catalogue) ([]record.Issuer, error) {
	rows, err := q.QueryContext(ctx, selectIssuers)
	if err != nil {
		return nil, fmt.Errorf("reading issuers: %w", unanswered(err))
	}
	defer rows.Close()
	var issuers []record.Issuer
	for rows.Next() {
		values := make([]any, len(names(issuerColumns)))
		if err := rows.Scan(pointers(values)...); err != nil {
			return nil, fmt.Errorf("reading issuers: %w", unanswered(err))
		}
		if !r.sealer.sealed("issuers", values) {
			return nil, &altered{Tampered{"issuers", keyText(values[0]), "is not as it was written"}}
		}
		i := issuerFrom(values)
		total.addIssuer(r.sealer, i.Channel)
		issuers = append(issuers, i)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading issuers: %w", unanswered(err))
	}
	return issuers, nil
}

// Rejections returns the records that did not hold, in the ledger's order.
func (r *Registry) Rejections(ctx context.Context) ([]record.Rejection, error) {
	rows, err := r.db.Read().QueryContext(ctx, "SELECT "+rejectionColumns+" FROM rejections ORDER BY idx")
	if err != nil {
		return nil, fmt.Errorf("reading rejections: %w", unanswered(err))
	}
	defer rows.Close()
	var list []record.Rejection
	for rows.Next() {
		var one record.Rejection
		var id []byte
		if err := rows.Scan(&one.Index, &id, &one.Number, &one.Kind, &one.Reason); err != nil {
			return nil, fmt.Errorf("reading rejections: %w", unanswered(err))
		}
		copy(one.Channel[:], id)
		list = append(list, one)
	}
	return list, store.Explain(rows.Err())
}

// Dump writes everything that was folded in the one form that equal states share, see record.Dump: no secret, no seal.
func (r *Registry) Dump(ctx context.Context) ([]byte, error) {
	issuers, err := r.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	var cards []record.Card
	for c, err := range r.Folded(ctx) {
		if err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	rejections, err := r.Rejections(ctx)
	if err != nil {
		return nil, err
	}
	return record.Dump(issuers, cards, rejections)
}
