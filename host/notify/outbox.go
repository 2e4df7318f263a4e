package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// State says how far a delivery has come.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	GivenUp   State = "given_up"
)

// Kept is how long events and deliveries can be seen after they were published, unless they are still on their way.
const Kept = 30 * 24 * time.Hour

// Publish puts an event into the outbox, for all endpoints and recipients of its issuer that ask for its kind; where there are
// none it does nothing, and writes nothing. Published again under the same id, it is the same event. Errors: ErrBadEvent, or those of
// store.Writer: what is store.ErrUncertain can be published again.
func (s *Service) Publish(ctx context.Context, e Event) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("publishing event: %w", err)
	}
	wanted, err := s.wanted(ctx, e)
	if err != nil || !wanted {
		return err
	}
	if _, err := s.writer.Do(ctx, e); err != nil {
		return fmt.Errorf("publishing event %s: %w", e.ID, err)
	}
	s.awake()
	return nil
}

// selectTargets finds who asks for a kind of an issuer's events.
const selectTargets = "SELECT id, issuer FROM targets WHERE issuer = $1 AND removed = 0 AND kinds LIKE $2"

func wanting(e Event) []any { return []any{e.Issuer[:], "% " + e.Kind + " %"} }

func (s *Service) wanted(ctx context.Context, e Event) (bool, error) {
	var found int
	row := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM ("+selectTargets+" LIMIT 1) AS first", wanting(e)...)
	if err := row.Scan(&found); err != nil {
		return false, fmt.Errorf("publishing event %s: %w", e.ID, store.Explain(err))
	}
	return found > 0, nil
}

// put writes a batch of events and their deliveries.
func (s *Service) put(ctx context.Context, tx *sql.Tx, batch []Event) ([]store.Result[struct{}], error) {
	now := milli(s.Now())
	for _, e := range batch {
		if err := putEvent(ctx, tx, e, now); err != nil {
			return nil, fmt.Errorf("writing event %s: %w", e.ID, err)
		}
	}
	return make([]store.Result[struct{}], len(batch)), nil
}

func putEvent(ctx context.Context, tx *sql.Tx, e Event, now int64) error {
	done, err := tx.ExecContext(ctx, "INSERT INTO events (id, issuer, kind, time, data, noted) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
		e.ID, e.Issuer[:], e.Kind, milli(e.Time), string(e.Data), now)
	if err != nil {
		return err
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO deliveries (event, target, issuer, noted, state, next)
		SELECT $3, t.id, t.issuer, $4, 'waiting', $4 FROM (`+selectTargets+`) AS t`, append(wanting(e), e.ID, now)...)
	return err
}

// Delivery is one event on its way to one endpoint or recipient.
type Delivery struct {
	Event    Event
	Target   string // id of the endpoint; "" of a recipient
	Address  string // URL of the endpoint, or mail address
	State    State
	Attempts int
	Next     time.Time // when it is tried next; zero when no more
	Done     time.Time // when it was delivered or given up
	Error    string    // of the last try, "" when there was none or it went well
}

// Deliveries returns the newest n deliveries of an issuer, the newest first.
func (s *Service) Deliveries(ctx context.Context, issuer channel.ID, n int) ([]Delivery, error) {
	list, err := s.deliveries(ctx, "WHERE d.issuer = $1 ORDER BY d.noted DESC, d.event DESC LIMIT $2", issuer[:], n)
	if err != nil {
		return nil, fmt.Errorf("reading deliveries: %w", err)
	}
	return list, nil
}

func (s *Service) deliveries(ctx context.Context, where string, args ...any) ([]Delivery, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT e.id, e.kind, e.issuer, e.time, e.data, t.id, t.medium, t.address, d.state, d.attempts, d.next, d.done, d.error
		FROM deliveries d JOIN events e ON e.id = d.event JOIN targets t ON t.id = d.target `+where, args...)
	if err != nil {
		return nil, store.Explain(err)
	}
	defer rows.Close()
	var list []Delivery
	for rows.Next() {
		var d Delivery
		var issuer []byte
		var at, next, done int64
		var data, medium string
		err := rows.Scan(&d.Event.ID, &d.Event.Kind, &issuer, &at, &data, &d.Target, &medium, &d.Address, &d.State, &d.Attempts, &next, &done, &d.Error)
		if err != nil {
			return nil, store.Explain(err)
		}
		if len(issuer) != len(d.Event.Issuer) {
			return nil, fmt.Errorf("event %s: issuer of %d bytes", d.Event.ID, len(issuer))
		}
		d.Event.Issuer, d.Event.Time, d.Event.Data = channel.ID(issuer), fromMilli(at), json.RawMessage(data)
		d.Done = fromMilli(done)
		if d.State == Waiting {
			d.Next = fromMilli(next)
		}
		if medium == mediumMail {
			d.Target = ""
		}
		list = append(list, d)
	}
	return list, store.Explain(rows.Err())
}

// Length returns how many deliveries wait, of all issuers, and since when the oldest does.
func (s *Service) Length(ctx context.Context) (n int, oldest time.Time, err error) {
	var first sql.NullInt64
	row := s.db.Read().QueryRowContext(ctx, "SELECT count(*), min(noted) FROM deliveries WHERE state = 'waiting'")
	if err := row.Scan(&n, &first); err != nil {
		return 0, time.Time{}, fmt.Errorf("counting deliveries: %w", store.Explain(err))
	}
	return n, fromMilli(first.Int64), nil
}

// prune lets go of what was published long ago. What still waits stays.
func (s *Service) prune(ctx context.Context) error {
	before := milli(s.Now().Add(-Kept))
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			"DELETE FROM deliveries WHERE state IN ('delivered', 'given_up') AND noted < $1",
			"DELETE FROM events WHERE noted < $1 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = events.id)",
			"DELETE FROM targets WHERE removed > 0 AND removed < $1 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.target = targets.id)",
		} {
			if _, err := tx.ExecContext(ctx, statement, before); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting old deliveries: %w", err)
	}
	return nil
}
