package registry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// reading is a card as it stands in the file.
type reading struct {
	row       *cardRow
	values    []any // nil when there is no row
	cardHolds bool  // the seals
	headHolds bool
}

func (f reading) holds() bool { return f.cardHolds && f.headHolds }

// read runs a statement that selects one card.
func (r *Registry) read(ctx context.Context, statement *sql.Stmt, key []byte) (reading, error) {
	values := make([]any, len(names(cardColumns))+len(names(headColumns)))
	err := statement.QueryRowContext(ctx, key).Scan(pointers(values)...)
	if errors.Is(err, sql.ErrNoRows) {
		return reading{}, nil
	}
	if err != nil {
		return reading{}, fmt.Errorf("reading card: %w", unanswered(err))
	}
	return r.readingOf(values)
}

func (r *Registry) readingOf(values []any) (reading, error) {
	f, columns := reading{row: new(cardRow), values: values}, len(names(cardColumns))
	if f.cardHolds = r.sealer.sealed("cards", values[:columns]); !f.cardHolds {
		return f, nil
	}
	if err := f.row.setCard(values); err != nil {
		return f, fmt.Errorf("reading card: %w", store.Explain(err))
	}
	if f.headHolds = r.sealer.sealed("heads", values[columns:]); f.headHolds {
		f.row.setHead(values[columns:])
	}
	return f, nil
}

// card returns the row of a card as it has to be, nil when there has to be none.
func (s *states) card(id tap.CardID) (*cardRow, error) {
	if row := s.cards[id]; row != nil {
		return row, nil
	}
	f, err := s.r.read(s.ctx, s.tx.StmtContext(s.ctx, s.r.writeCard), id[:])
	if err != nil {
		return nil, err
	}
	if f.values == nil {
		return nil, s.checkBucket(id)
	}
	return s.adopt(f)
}

// cardByTaps does so by the tap channel. A row that was altered to be found nowhere is mended when its card is asked for.
func (s *states) cardByTaps(taps channel.ID) (*cardRow, error) {
	if row := s.taps[taps]; row != nil {
		return row, nil
	}
	f, err := s.r.read(s.ctx, s.tx.StmtContext(s.ctx, s.r.writeCardByTaps), taps[:])
	if err != nil || f.values == nil {
		return nil, err
	}
	row, err := s.adopt(f)
	if err != nil || row.Taps != taps {
		return nil, err
	}
	return row, nil
}

// adopt keeps a row that was read, mended where its seals do not hold.
func (s *states) adopt(f reading) (*cardRow, error) {
	row := f.row
	if !f.cardHolds {
		card, err := s.restore(f.values)
		if err != nil {
			return nil, err
		}
		s.report("cards", card.ID.String(), "is not as it was written")
		row = &cardRow{Card: card, proof: card.Last, fresh: true}
	} else if !f.headHolds {
		s.report("heads", row.Taps.String(), "is not as it was written, or gone")
	}
	s.keep(row)
	if f.holds() {
		return row, nil
	}
	return row, s.refold(row)
}

// refold folds a card's tap channel from its beginning.
func (s *states) refold(row *cardRow) error {
	row.rewind()
	if _, err := s.tx.ExecContext(s.ctx, "DELETE FROM retries WHERE taps = $1", row.Taps[:]); err != nil {
		return fmt.Errorf("deleting retry keys: %w", err)
	}
	err := s.forward(row)
	s.half = err != nil
	return err
}

// restore reads a card's registration from the ledger again. The row says where it stands: that much is true when the catalogue
// agrees with it.
func (s *states) restore(values []any) (record.Card, error) {
	raw, _ := values[0].([]byte)
	issuer, _ := values[3].([]byte)
	number, _ := values[12].(int64)
	if len(raw) != len(tap.CardID{}) || len(issuer) != len(channel.ID{}) || number < 1 {
		return record.Card{}, &altered{Tampered{"cards", keyText(raw), "is not as it was written"}}
	}
	id := tap.CardID(raw)
	if err := s.checkBucket(id); err != nil {
		return record.Card{}, err
	}
	card, found, err := s.registration(channel.ID(issuer), uint64(number), id)
	if err != nil || found {
		return card, err
	}
	return record.Card{}, &altered{Tampered{"cards", id.String(), "is not what the ledger holds"}}
}

// registration folds one message of an issuer's channel by itself.
func (s *states) registration(issuer channel.ID, number uint64, id tap.CardID) (record.Card, bool, error) {
	entries, err := s.r.o.Ledger.Range(s.caller, issuer, number, 1)
	if errors.Is(err, ledger.ErrNoChannel) || err == nil && len(entries) == 0 {
		return record.Card{}, false, nil
	}
	if err != nil {
		return record.Card{}, false, fmt.Errorf("reading the registration of card %v: %w", id, err)
	}
	e, alone := entries[0], record.NewMap()
	before := record.Issuer{Channel: issuer, Head: record.Ref{Channel: issuer, Number: number - 1, Hash: e.Message.Prev()}}
	before.Previous, before.Since = s.issuers[issuer].Previous, s.issuers[issuer].Since
	if err := alone.PutIssuer(before); err != nil {
		return record.Card{}, false, err
	}
	if err := record.Fold(alone, e); err != nil {
		return record.Card{}, false, fmt.Errorf("folding the registration of card %v: %w", id, err)
	}
	return alone.Card(id)
}

// checkBucket says whether the cards whose ids begin like id are those that were registered.
func (s *states) checkBucket(id tap.CardID) error {
	if s.rebuild {
		return nil
	}
	l, err := s.r.list(s.ctx, s.tx, id[0], id[0])
	if err != nil {
		return err
	}
	got := l.cards[id[0]]
	for _, row := range s.cards { // not written yet
		if row.fresh && row.ID[0] == id[0] {
			got.toggle(s.r.sealer, "cards", row.ID[:], row.Issuer[:], int64(row.Registered.Number))
		}
	}
	if got != s.meta.catalogue.cards[id[0]] {
		return &altered{Tampered{"cards", id.String(), "is not as it was written, or gone"}}
	}
	return nil
}

// listing is which cards there are in the file, whatever their rows say else.
type listing struct {
	ids   []tap.CardID
	cards [256]sum // as in catalogue
}

// list reads the cards whose ids begin with one of the bytes from first to last.
func (r *Registry) list(ctx context.Context, q querier, first, last byte) (listing, error) {
	var l listing
	behind := bytes.Repeat([]byte{255}, len(tap.CardID{})) // with the first byte before it, behind every id
	rows, err := q.QueryContext(ctx, "SELECT id, issuer, number FROM cards WHERE id >= $1 AND id < $2 ORDER BY id",
		[]byte{first}, append([]byte{last}, behind...))
	if err != nil {
		return l, fmt.Errorf("listing cards: %w", unanswered(err))
	}
	defer rows.Close()
	for rows.Next() {
		values := make([]any, 3)
		if err := rows.Scan(pointers(values)...); err != nil {
			return l, fmt.Errorf("listing cards: %w", unanswered(err))
		}
		id := values[0].([]byte) // the column's, and the range's, type
		l.cards[id[0]].toggle(r.sealer, "cards", values...)
		if len(id) == len(tap.CardID{}) {
			l.ids = append(l.ids, tap.CardID(id))
		}
	}
	return l, store.Explain(rows.Err())
}

// rebuildAfter rebuilds for an alteration that was found when the registry had been rebuilt so many times.
func (r *Registry) rebuildAfter(ctx context.Context, rebuilt uint64, found Tampered) error {
	r.rebuilding.Lock()
	defer r.rebuilding.Unlock()
	if r.rebuilt.Load() == rebuilt {
		if err := r.rebuildAll(ctx); err != nil {
			return fmt.Errorf("%v: %w", found, err)
		}
		r.o.Report(found)
	}
	return nil
}

// Rebuild forgets all rows and folds the whole ledger again, in one transaction: readers see the old rows until it is done, and
// so they do after a crash. Errors are the ledger's and the store's.
func (r *Registry) Rebuild(ctx context.Context) error {
	r.rebuilding.Lock()
	defer r.rebuilding.Unlock()
	return r.rebuildAll(ctx)
}

func (r *Registry) rebuildAll(ctx context.Context) error {
	err := r.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM meta; DELETE FROM issuers; DELETE FROM cards; DELETE FROM heads; DELETE FROM retries; DELETE FROM rejections; DELETE FROM stops")
		if err != nil {
			return err
		}
		s := r.newStates(ctx, tx)
		s.rebuild, s.written.position = true, 1<<63 // no meta row stands
		return r.o.Ledger.Follow(ctx, ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
			err := s.take(batch)
			if err == nil && len(batch) == 0 {
				err = ledger.ErrStop
			}
			if err == nil || err == ledger.ErrStop {
				err = errors.Join(s.flush(), err)
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("rebuilding the registry: %w", err)
	}
	r.rebuilt.Add(1)
	return nil
}
