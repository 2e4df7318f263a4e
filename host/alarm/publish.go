package alarm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// AlarmData is the data of an event notify.AlarmRaised: docs/webhooks.md.
type AlarmData struct {
	Alarm string          `json:"alarm"` // its id
	Card  tap.CardID      `json:"card"`
	Kind  string          `json:"kind"`
	Data  json.RawMessage `json:"data"` // what it goes by, as in Evidence
}

// ReportData is the data of an event notify.ReportReceived. Neither words nor contact leave the service.
type ReportData struct {
	Report string      `json:"report"` // its id
	Card   *tap.CardID `json:"card,omitempty"`
	Code   string      `json:"code,omitempty"`
}

// TapData is the data of an event notify.TapRecorded or notify.TapRefused.
type TapData struct {
	Card    tap.CardID    `json:"card"`
	Counter uint32        `json:"counter"`
	Code    string        `json:"code"` // a validation.Code
	Skipped *record.Range `json:"skipped,omitempty"`
	Channel string        `json:"channel"` // web or api
	Place   *Place        `json:"place,omitempty"`
}

// event tells that a tap was recorded or refused. That it would be good is nothing to tell, nor is an answer given again.
func (o Observation) event(check int64) (e notify.Event, is bool, err error) {
	v := o.Verdict
	if v.Code == codeValid || v.Replayed {
		return e, false, nil
	}
	e = notify.Event{ID: fmt.Sprintf("check-%d", check), Kind: notify.TapRefused, Issuer: o.Card.Issuer, Time: o.Time.UTC().Truncate(time.Millisecond)}
	if v.Code == codeRecorded {
		e.ID, e.Kind = fmt.Sprintf("tap-%v-%d", o.Card.ID, v.Counter), notify.TapRecorded
	}
	e.Data, err = json.Marshal(TapData{o.Card.ID, v.Counter, v.Code, v.Skipped, o.Channel, o.Place})
	return e, true, err
}

// RevokedData is the data of an event notify.CardRevoked.
type RevokedData struct {
	Card   tap.CardID `json:"card"`
	Reason string     `json:"reason,omitempty"`
}

// RevokedEvent is what is told of a card that was revoked, at the ledger's time of it: one event, whichever process tells, however often.
func RevokedEvent(card record.Card, reason string, at time.Time) (notify.Event, error) {
	data, err := json.Marshal(RevokedData{card.ID, reason})
	return notify.Event{ID: "revoked-" + card.ID.String(), Kind: notify.CardRevoked, Issuer: card.Issuer, Time: at, Data: data}, err
}

// Revoked tells that a card was revoked, at the ledger's time of it. As with taps, what is not told now is told never.
func (w *Watch) Revoked(ctx context.Context, card record.Card, reason string, at time.Time) {
	if w.Publish == nil {
		return
	}
	e, err := RevokedEvent(card, reason, at)
	if err == nil {
		err = w.Publish.Publish(ctx, e)
	}
	if err != nil {
		w.Log.Warn("a revocation is not told", "card", card.ID, "error", err)
	}
}

// The beginnings of the events' ids. What follows is the row's.
const (
	alarmEvent  = "alarm-"
	reportEvent = "report-"
)

// event tells of an alarm. Its id follows from the alarm, also after a crash.
func (a Alarm) event() (notify.Event, error) {
	data, err := json.Marshal(AlarmData{a.ID, a.Card, a.Kind, a.Evidence[0].Data})
	return notify.Event{ID: alarmEvent + a.ID, Kind: notify.AlarmRaised, Issuer: a.Issuer, Time: a.Raised, Data: data}, err
}

func (r Report) event() (notify.Event, error) {
	data, err := json.Marshal(ReportData{r.ID, r.Card, r.Code})
	return notify.Event{ID: reportEvent + r.ID, Kind: notify.ReportReceived, Issuer: r.Issuer, Time: r.Time, Data: data}, err
}

func (w *Watch) publishReport(ctx context.Context, r Report) error {
	e, err := r.event()
	if err != nil || w.Publish == nil {
		return err
	}
	return w.publish(ctx, e)
}

// publish tells others, and notes that they were told.
func (w *Watch) publish(ctx context.Context, e notify.Event) error {
	if err := w.Publish.Publish(ctx, e); err != nil {
		return err
	}
	table, id := "alarms", strings.TrimPrefix(e.ID, alarmEvent)
	if report, is := strings.CutPrefix(e.ID, reportEvent); is {
		table, id = "reports", report
	}
	n, err := parseID(id)
	if err != nil {
		return err
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE "+table+" SET published = 1 WHERE id = $1", n)
		return err
	})
}

// Run tells others what they were not told yet, and forgets checks that are older than Kept, until ctx ends, which is no error. It
// does so at once, and then every minute.
func (w *Watch) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if err := errors.Join(w.publishLate(ctx), w.prune(ctx)); err != nil && ctx.Err() == nil {
			w.Log.Error("alarms are waiting", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// publishLate tells what a crash, or a publisher that did not answer, left untold.
func (w *Watch) publishLate(ctx context.Context) error {
	if w.Publish == nil {
		return nil
	}
	alarms, err := unpublished(ctx, w.db, "SELECT "+alarmColumns+" FROM alarms", scanAlarm, Alarm.event)
	if err != nil {
		return err
	}
	reports, err := unpublished(ctx, w.db, "SELECT "+reportColumns+" FROM reports", scanReport, Report.event)
	if err != nil {
		return err
	}
	for _, e := range append(alarms, reports...) {
		if err := w.publish(ctx, e); err != nil {
			return fmt.Errorf("publishing event %s: %w", e.ID, err)
		}
	}
	return nil
}

func unpublished[T any](ctx context.Context, db *store.DB, from string, scan func(*sql.Rows) (T, error), event func(T) (notify.Event, error)) ([]notify.Event, error) {
	list, _, err := page(ctx, db, from+" WHERE published = 0 ORDER BY id LIMIT $1", []any{largestPage}, largestPage, scan, func(T) string { return "" })
	if err != nil {
		return nil, err
	}
	events := make([]notify.Event, len(list))
	for i, t := range list {
		if events[i], err = event(t); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// forgetAtOnce is how many checks one transaction lets go of, so that taps wait for none.
const forgetAtOnce = 5000

// prune forgets what is older than Kept: checks, and reports that somebody has seen to.
func (w *Watch) prune(ctx context.Context) error {
	before := w.Now().Add(-Kept).UnixMilli()
	for rows := int64(forgetAtOnce); rows == forgetAtOnce; {
		err := w.db.Update(ctx, func(tx *sql.Tx) error {
			done, err := tx.ExecContext(ctx, "DELETE FROM checks WHERE id IN (SELECT id FROM checks WHERE time < $1 ORDER BY time LIMIT "+strconv.Itoa(forgetAtOnce)+")", before)
			if err != nil {
				return err
			}
			rows, err = done.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("forgetting old checks: %w", err)
		}
	}
	err := w.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM reports WHERE settled > 0 AND settled < $1", before)
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting old reports: %w", err)
	}
	return nil
}
