package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// states is record.States inside one transaction. It keeps what it has read and changed in memory until flush.
type states struct {
	r      *Registry
	ctx    context.Context // of the transaction: one caller's end must not leave half of what others share
	caller context.Context // of the job that runs: how long it waits for the ledger
	tx     *sql.Tx

	meta       meta
	written    meta // as it stands in the file
	issuers    map[channel.ID]record.Issuer
	stops      stops
	newer      map[channel.ID]bool // issuers that are to be written
	cards      map[tap.CardID]*cardRow
	taps       map[channel.ID]*cardRow
	rejections []record.Rejection
	reports    []Tampered

	aside   bool // a channel is read by itself: what is ignored was counted, or will be
	rebuild bool // all rows were written in this transaction
	half    bool // a card was rewound and not folded to its end
}

func (r *Registry) newStates(ctx context.Context, tx *sql.Tx) *states {
	s := &states{r: r, ctx: ctx, caller: ctx, tx: tx, issuers: make(map[channel.ID]record.Issuer), stops: make(stops)}
	s.forget()
	return s
}

func (s *states) forget() {
	s.newer, s.rejections = make(map[channel.ID]bool), nil
	s.cards, s.taps = make(map[tap.CardID]*cardRow), make(map[channel.ID]*cardRow)
}

// begin reads the rows that every job needs. Of issuers there are few.
func (r *Registry) begin(ctx context.Context, tx *sql.Tx) (*states, error) {
	s := r.newStates(ctx, tx)
	var err error
	if s.meta, err = r.readMeta(ctx, tx); err != nil {
		return nil, err
	}
	s.written = s.meta
	var issuers []record.Issuer
	issuers, s.stops, err = r.readIssuers(ctx, tx, s.meta.catalogue)
	if err != nil {
		return nil, err
	}
	for _, i := range issuers {
		s.issuers[i.Channel] = i
	}
	return s, nil
}

// Issuer returns the issuer with this channel.
func (s *states) Issuer(id channel.ID) (record.Issuer, bool, error) {
	i, found := s.issuers[id]
	return i, found, nil
}

// PutIssuer stores an issuer.
func (s *states) PutIssuer(i record.Issuer) error {
	if _, known := s.issuers[i.Channel]; !known {
		s.meta.catalogue.addIssuer(s.r.sealer, i.Channel)
	}
	s.issuers[i.Channel], s.newer[i.Channel] = i, true
	return nil
}

// Card returns the card with this id.
func (s *states) Card(id tap.CardID) (record.Card, bool, error) { return found(s.card(id)) }

// CardByTaps returns the card with this tap channel.
func (s *states) CardByTaps(taps channel.ID) (record.Card, bool, error) {
	return found(s.cardByTaps(taps))
}

func found(row *cardRow, err error) (record.Card, bool, error) {
	if row == nil || err != nil {
		return record.Card{}, false, err
	}
	return row.Card, true, nil
}

// PutCard stores a card, and remembers where a retry key was used first.
func (s *states) PutCard(c record.Card, by record.Record) error {
	row := s.cards[c.ID]
	if row == nil {
		row = &cardRow{proof: c.Last, fresh: true}
		s.meta.catalogue.addCard(s.r.sealer, c.ID, c.Issuer, c.Registered.Number)
	}
	row.Card, row.changed = c, true
	s.keep(row)
	t, isTap := by.Value.(record.Tap)
	key, _, marked := strings.Cut(t.Retry, ".")
	if !isTap || !marked {
		return nil
	}
	return s.putRetry(row, key)
}

func (s *states) keep(row *cardRow) { s.cards[row.ID], s.taps[row.Taps] = row, row }

func (s *states) putRetry(row *cardRow, key string) error {
	values := []any{row.Taps[:], key, int64(row.Head.Number)}
	result, err := s.tx.ExecContext(s.ctx, "INSERT INTO retries (taps, key, number) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", values...)
	if err != nil {
		return fmt.Errorf("writing retry key: %w", err)
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		return err
	}
	row.retries.toggle(s.r.sealer, "retries", values...)
	return nil
}

// Reject keeps the rejection.
func (s *states) Reject(r record.Rejection) error {
	s.rejections = append(s.rejections, r)
	return nil
}

// Ignore counts the message.
func (s *states) Ignore(ledger.Entry) error {
	if !s.aside {
		s.meta.ignored++
	}
	return nil
}

// take folds a batch as the ledger delivers it. Another process may have taken part of it. What was folded before an error
// stands.
func (s *states) take(batch []ledger.Entry) error {
	for _, e := range batch {
		if e.Index < s.meta.position {
			continue
		}
		if err := s.fold(e); err != nil {
			return fmt.Errorf("folding entry %d: %w", e.Index, err)
		}
		s.meta.position, s.meta.newest = e.Index+1, e.Message.Hash()
	}
	return nil
}

// fold folds one entry on top of rows that are up to date. A row that is behind was put back as it stood once.
func (s *states) fold(e ledger.Entry) error {
	id, number := e.Message.Channel(), e.Message.Number()
	if s.behindStop(id, number) {
		return nil
	}
	row, err := s.cardByTaps(id)
	if err != nil {
		return err
	}
	if row != nil && e.Index > row.Registered.Index && number > row.next() {
		if !row.Head.IsZero() {
			s.report("heads", id.String(), "was put back to an earlier state")
		}
		return s.forward(row)
	}
	if issuer, isIssuer := s.issuers[id]; isIssuer && number > issuer.Head.Number+1 && !s.rebuild {
		return &altered{Tampered{"issuers", id.String(), "was put back to an earlier state"}}
	}
	return s.foldOrStop(e)
}

// rangeSize is how many messages of a channel are read at once.
const rangeSize = 256

// forward folds what the tap channel holds beyond the row.
func (s *states) forward(row *cardRow) error {
	s.aside = true
	defer func() { s.aside = false }()
	for next := row.next(); ; {
		entries, err := s.r.o.Ledger.Range(s.caller, row.Taps, next, rangeSize)
		if errors.Is(err, ledger.ErrNoChannel) || err == nil && len(entries) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading channel %v: %w", row.Taps, err)
		}
		for _, e := range entries {
			if s.behindStop(row.Taps, e.Message.Number()) {
				return nil
			}
			if err := s.foldOrStop(e); err != nil {
				return fmt.Errorf("folding entry %d: %w", e.Index, err)
			}
			next = e.Message.Number() + 1
		}
	}
}

// flush writes what changed.
func (s *states) flush() error {
	for id := range s.newer {
		if err := s.insert(replaceIssuer, "issuers", issuerValues(s.issuers[id])); err != nil {
			return err
		}
	}
	for _, row := range s.cards {
		if err := s.flushCard(row); err != nil {
			return err
		}
	}
	for _, r := range s.rejections {
		_, err := s.tx.ExecContext(s.ctx, replaceRejection,
			int64(r.Index), r.Channel[:], int64(r.Number), r.Kind, string(r.Reason))
		if err != nil {
			return fmt.Errorf("writing rejection: %w", err)
		}
	}
	s.forget()
	s.r.publish(s.stops)
	s.r.publishMoved(maps.Values(s.issuers))
	if s.meta == s.written {
		return nil
	}
	s.written = s.meta
	return s.r.writeMeta(s.ctx, s.tx, s.meta)
}

func (s *states) flushCard(row *cardRow) error {
	if row.fresh {
		// Somebody may have given the channel to another card.
		if _, err := s.tx.ExecContext(s.ctx, "DELETE FROM cards WHERE taps = $1 AND id <> $2", row.Taps[:], row.ID[:]); err != nil {
			return fmt.Errorf("making room for a card: %w", err)
		}
		if err := s.insert(replaceCard, "cards", row.cardValues()); err != nil {
			return err
		}
	}
	if !row.changed {
		return nil
	}
	return s.insert(replaceHead, "heads", row.headValues())
}

// insert writes a row with its seal.
func (s *states) insert(query, table string, values []any) error {
	values = append(values, s.r.sealer.seal(table, sealedValues(values)...))
	if _, err := s.tx.ExecContext(s.ctx, query, values...); err != nil {
		return fmt.Errorf("writing a row of %s: %w", table, err)
	}
	return nil
}

func (s *states) report(table, key, what string) {
	s.reports = append(s.reports, Tampered{table, key, what})
}
