package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// stop is a record that this version must not skip and does not know. Its channel is folded up to it; all others go on.
type stop struct {
	number uint64
	kind   string
}

// stops are the channels that were folded no further.
type stops map[channel.ID]stop

// TooOld returns nil, or record.ErrMust with the record, as of the last Sync, that keeps this version from reading the channel on.
// What the registry holds of the channel ends before that record.
func (r *Registry) TooOld(id channel.ID) error {
	known := r.stops.Load()
	if known == nil {
		return nil
	}
	s, stopped := (*known)[id]
	if !stopped {
		return nil
	}
	return fmt.Errorf("message %d of channel %v: %w: %.40q", s.number, id, record.ErrMust, s.kind)
}

// tooOldFor says whether this version can answer for a card: what it does not know may have put the card's key, or its issuer,
// out of use.
func (r *Registry) tooOldFor(c record.Card) error {
	return errors.Join(r.TooOld(c.Taps), r.TooOld(c.Issuer))
}

// foldOrStop folds one entry, or folds its channel no further.
func (s *states) foldOrStop(e ledger.Entry) error {
	err := record.Fold(s, e)
	if !errors.Is(err, record.ErrMust) {
		return err
	}
	body, err := e.Message.Body()
	if err != nil {
		return err
	}
	r, err := record.Parse(body)
	if err != nil {
		return err
	}
	return s.stop(e, r.Kind)
}

// behindStop reports whether a message is the one at which its channel stopped, or comes after it.
func (s *states) behindStop(id channel.ID, number uint64) bool {
	at, stopped := s.stops[id]
	return stopped && number >= at.number
}

func (s *states) stop(e ledger.Entry, kind string) error {
	id, number := e.Message.Channel(), e.Message.Number()
	values := []any{id[:], int64(number), kind}
	if _, err := s.tx.ExecContext(s.ctx, "INSERT INTO stops (channel, number, kind) VALUES ($1, $2, $3)", values...); err != nil {
		return fmt.Errorf("writing where a channel stops: %w", err)
	}
	s.stops[id] = stop{number, kind}
	s.meta.catalogue.issuers.toggle(s.r.sealer, "stops", values...)
	return s.Reject(record.Rejection{Index: e.Index, Channel: id, Number: number, Kind: kind, Reason: record.ReasonMust})
}

// readStops reads the rows, and adds them to the sum of those that have to be.
func (r *Registry) readStops(ctx context.Context, q querier, total *sum) (stops, error) {
	rows, err := q.QueryContext(ctx, "SELECT channel, number, kind FROM stops")
	if err != nil {
		return nil, fmt.Errorf("reading where channels stop: %w", err)
	}
	defer rows.Close()
	all := make(stops)
	for rows.Next() {
		values := make([]any, 3)
		if err := rows.Scan(pointers(values)...); err != nil {
			return nil, fmt.Errorf("reading where channels stop: %w", err)
		}
		total.toggle(r.sealer, "stops", values...)
		id, isID := values[0].([]byte)
		number, isNumber := values[1].(int64)
		kind, isText := values[2].(string)
		if isID && isNumber && isText && len(id) == len(channel.ID{}) {
			all[channel.ID(id)] = stop{uint64(number), kind}
		}
	}
	return all, rows.Err()
}

// publish lets answers know which channels stopped.
func (r *Registry) publish(s stops) {
	known := maps.Clone(s)
	r.stops.Store(&known)
}

// outgrown reports whether this version knows a kind at which an older one stopped: then all has to be folded again.
func (s stops) outgrown() bool {
	for _, at := range s {
		body, err := json.Marshal(map[string]string{"kind": at.kind})
		if err != nil {
			continue
		}
		if r, err := record.Parse(body); err != nil || r.Value != nil { // known: some member is missing, or none
			return true
		}
	}
	return false
}
