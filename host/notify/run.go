package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

const (
	// poll is how often a process looks for what is due, beside when it published itself.
	poll = 500 * time.Millisecond
	// parallel is how many targets a process delivers to at once.
	parallel = 32
	// turn is how many deliveries a target gets before others have theirs.
	turn = 50
	// leasedFor is longer than a try takes, so that no other process begins one meanwhile.
	leasedFor = 3 * answerWithin
	// pruning is how often what is old is let go.
	pruning = time.Hour
)

// Run delivers until ctx ends, which is no error; tries that are under way then are brought to their end. A database that does not
// answer is waited for.
func (s *Service) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, parallel)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var pruned time.Time
	for {
		due, err := s.due(ctx)
		if err == nil && time.Since(pruned) > pruning {
			pruned, err = time.Now(), s.prune(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("notices are waiting", "error", err)
		}
		for _, id := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			all.Go(func() {
				defer func() { <-slots }()
				s.serve(context.WithoutCancel(ctx), id, ctx.Done())
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

// awake has Run look at once.
func (s *Service) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// due returns the targets for which something is due and that nobody delivers to.
func (s *Service) due(ctx context.Context) ([]string, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id FROM targets t WHERE removed = 0 AND leased <= $1 AND pause <= $1
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.target = t.id AND d.state = 'waiting' AND d.next <= $1)`, milli(s.Now()))
	if err != nil {
		return nil, fmt.Errorf("looking for what is due: %w", store.Explain(err))
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("looking for what is due: %w", store.Explain(err))
		}
		ids = append(ids, id)
	}
	return ids, store.Explain(rows.Err())
}

// lease is a target that this process alone delivers to until a time.
type lease struct {
	id      string
	medium  string
	address string
	until   int64
}

// serve gives a target its turn: deliveries one after the other, until none is due, one goes wrong, or ended is closed.
func (s *Service) serve(ctx context.Context, id string, ended <-chan struct{}) {
	l, err := s.take(ctx, id)
	if err != nil {
		s.Log.Error("delivering", "target", id, "error", err)
	}
	if l == nil {
		return
	}
	for range turn {
		more, err := s.deliverNext(ctx, l)
		if err != nil {
			s.Log.Error("delivering", "target", id, "error", err)
		}
		select {
		case <-ended:
			more = false
		default:
		}
		if !more || err != nil {
			break
		}
	}
	if err := s.release(ctx, l); err != nil {
		s.Log.Error("delivering", "target", id, "error", err)
	}
	s.awake()
}

// take leases the target, or returns nil where another process was faster.
func (s *Service) take(ctx context.Context, id string) (*lease, error) {
	now := s.Now()
	l := &lease{id: id, until: milli(now.Add(leasedFor))}
	err := s.db.Update(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE targets SET leased = $1 WHERE id = $2 AND leased <= $3 AND removed = 0", l.until, id, milli(now))
		if err != nil {
			return err
		}
		if rows, err := done.RowsAffected(); err != nil || rows == 0 {
			return errors.Join(err, errTaken)
		}
		return tx.QueryRowContext(ctx, "SELECT medium, address FROM targets WHERE id = $1", id).Scan(&l.medium, &l.address)
	})
	if errors.Is(err, errTaken) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// errTaken says that another process has the lease.
var errTaken = errors.New("target is leased to another process")

func (s *Service) release(ctx context.Context, l *lease) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE targets SET leased = 0 WHERE id = $1 AND leased = $2", l.id, l.until)
		return err
	})
}

// deliverNext makes one try, of what is due first, and reports whether another may follow.
func (s *Service) deliverNext(ctx context.Context, l *lease) (more bool, err error) {
	now := milli(s.Now())
	list, err := s.deliveries(ctx, "WHERE d.target = $1 AND d.state = 'waiting' AND d.next <= $2 ORDER BY d.next, d.event LIMIT 1", l.id, now)
	if err != nil || len(list) == 0 {
		return false, err
	}
	if held, err := s.extend(ctx, l); err != nil || !held {
		return false, err
	}
	d := list[0]
	failed := s.try(ctx, l, d.Event)
	s.Hook(PointDelivered)
	if err := s.note(ctx, l, d, failed); err != nil {
		return false, fmt.Errorf("noting a delivery of event %s: %w", d.Event.ID, err)
	}
	return failed == nil, nil
}

// extend makes the lease last for one more try. It reports false where it had lapsed.
func (s *Service) extend(ctx context.Context, l *lease) (held bool, err error) {
	until := milli(s.Now().Add(leasedFor))
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE targets SET leased = $1 WHERE id = $2 AND leased = $3 AND removed = 0", until, l.id, l.until)
		if err != nil {
			return err
		}
		rows, err := done.RowsAffected()
		held = rows == 1
		return err
	})
	l.until = until
	return held, err
}

// errNoMail says that there are recipients, and no server to send them mail by.
var errNoMail = errors.New("this service has no mail server")

func (s *Service) try(ctx context.Context, l *lease, e Event) error {
	switch {
	case l.medium == mediumWebhook:
		return s.send(ctx, l.id, l.address, e)
	case s.Mail == nil:
		return errNoMail
	}
	return s.Mail.send(ctx, l.address, e, s.Now())
}

// note writes what became of a try, and when the next one is.
func (s *Service) note(ctx context.Context, l *lease, d Delivery, failed error) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		now := s.Now()
		if failed == nil {
			_, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, done = $1, error = '' WHERE event = $2 AND target = $3",
				milli(now), d.Event.ID, l.id)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "UPDATE targets SET failures = 0, pause = 0 WHERE id = $1 AND failures > 0", l.id)
			return err
		}
		return s.noteFailure(ctx, tx, l.id, d, failed, now)
	})
}

func (s *Service) noteFailure(ctx context.Context, tx *sql.Tx, target string, d Delivery, failed error, now time.Time) error {
	var failures int
	var noted int64
	row := tx.QueryRowContext(ctx, "SELECT t.failures, d.noted FROM targets t JOIN deliveries d ON d.target = t.id WHERE t.id = $1 AND d.event = $2", target, d.Event.ID)
	if err := row.Scan(&failures, &noted); err != nil {
		return err
	}
	text := oneLine(failed.Error())
	if now.Sub(fromMilli(noted)) >= giveUpAfter {
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET state = 'given_up', attempts = attempts + 1, done = $1, error = $2 WHERE event = $3 AND target = $4 AND state = 'waiting'",
			milli(now), text, d.Event.ID, target)
		if err != nil {
			return err
		}
	} else {
		next := now.Add(s.pause(firstPause, d.Attempts))
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET attempts = attempts + 1, next = $1, error = $2 WHERE event = $3 AND target = $4 AND state = 'waiting'",
			milli(next), text, d.Event.ID, target)
		if err != nil {
			return err
		}
	}
	// What is wrong may be this event or the target. So the target gets others, but not at once.
	_, err := tx.ExecContext(ctx, "UPDATE targets SET failures = failures + 1, pause = $1 WHERE id = $2", milli(now.Add(s.pause(firstPause/4, failures))), target)
	return err
}

const (
	// giveUpAfter is how long an event is tried to be delivered.
	giveUpAfter = 3 * 24 * time.Hour
	firstPause  = 2 * time.Second
	maxPause    = 5 * time.Minute
)

// pause is a random time up to first, doubled with each failure before, and up to maxPause: full jitter, so that those who failed
// together do not come back together. It is never nothing.
func (s *Service) pause(first time.Duration, failures int) time.Duration {
	longest := min(first<<min(failures, 20), maxPause)
	s.random.Lock()
	defer s.random.Unlock()
	return first/10 + time.Duration(float64(longest)*fraction(s.Random))
}

// TestEndpoint sends an event of the kind Test to an endpoint now, once, and returns what became of it. The error is
// ErrUnknownEndpoint or one of the store's; that the endpoint did not take it is no error, but in the delivery.
func (s *Service) TestEndpoint(ctx context.Context, issuer channel.ID, id string) (Delivery, error) {
	d, err := s.testEndpoint(ctx, issuer, id)
	if err != nil {
		return Delivery{}, fmt.Errorf("testing endpoint %.40q: %w", id, err)
	}
	return d, nil
}

func (s *Service) testEndpoint(ctx context.Context, issuer channel.ID, id string) (Delivery, error) {
	d := Delivery{Target: id, Attempts: 1, State: Delivered}
	row := s.db.Read().QueryRowContext(ctx, "SELECT address FROM targets WHERE issuer = $1 AND id = $2 AND medium = $3 AND removed = 0", issuer[:], id, mediumWebhook)
	if err := row.Scan(&d.Address); errors.Is(err, sql.ErrNoRows) {
		return d, ErrUnknownEndpoint
	} else if err != nil {
		return d, store.Explain(err)
	}
	random, err := s.newID()
	if err != nil {
		return d, err
	}
	d.Event = Event{ID: "test-" + random, Kind: Test, Issuer: issuer, Time: fromMilli(milli(s.Now())), Data: []byte("{}")}
	if failed := s.send(ctx, id, d.Address, d.Event); failed != nil {
		d.State, d.Error = GivenUp, oneLine(failed.Error())
	}
	d.Done = fromMilli(milli(s.Now()))
	return d, s.db.Update(ctx, func(tx *sql.Tx) error {
		if err := putEvent(ctx, tx, d.Event, milli(d.Done)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (event, target, issuer, noted, state, attempts, next, done, error)
			VALUES ($1, $2, $3, $4, $5, 1, $4, $4, $6)`, d.Event.ID, id, issuer[:], milli(d.Done), string(d.State), d.Error)
		return err
	})
}
