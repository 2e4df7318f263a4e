package anchor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

// remind is how long an alarm that goes on is not reported again.
const remind = time.Minute

// watch makes alarms of what a round found: err is returned as it is, and what else is
// wrong where there is none.
func (a *Anchor) watch(ctx context.Context, err error) error {
	if ctx.Err() != nil && !Refutes(err) {
		return ctx.Err()
	}
	alarm := err
	if late := Late(ctx, a.o.Log, a.o.Now(), a.o.Limit); late != nil && !Refutes(err) {
		alarm = errors.Join(err, late)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarm = alarm
	now := a.o.Now()
	switch {
	case alarm == nil:
		a.told = nil
	case a.told == nil || kind(alarm) != kind(a.told) || now.Sub(a.toldAt) >= remind:
		a.told, a.toldAt = alarm, now
		if !Refutes(alarm) { // that is an answer, for whoever called
			a.o.Report(alarm)
		}
	}
	return err
}

// kind says which of the alarms an error holds: its words change each time.
func kind(err error) (k [4]bool) {
	for i, is := range []error{ErrUnreachable, ErrLate, ErrForgot, ErrStrange} {
		k[i] = errors.Is(err, is)
	}
	return k
}

// Late returns ErrLate where the first message that no kept anchor covers has waited
// longer than a limit. A log that does not answer says so itself, and not here.
func Late(ctx context.Context, log *tlog.Log, now time.Time, limit time.Duration) error {
	var from uint64
	checkpoint, _, err := log.Anchored(ctx)
	if err == nil && checkpoint != nil {
		var c ledger.Checkpoint
		c, err = log.OpenCheckpoint(checkpoint)
		from = c.Size
	}
	if err != nil {
		return nil
	}
	first, err := log.Leaves(ctx, from, 1)
	if err != nil || now.Sub(first[0].Time) <= limit { // an error: there is none
		return nil
	}
	return fmt.Errorf("%w: messages from leaf %d on wait for it since %s", ErrLate, from, first[0].Time.Format(time.RFC3339))
}

// Alarm returns what was wrong in the last round, or nil.
func (a *Anchor) Alarm() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.alarm
}

// Info describes the log as Log.Info does, with the alarms of the last round among the
// warnings.
func (a *Anchor) Info(ctx context.Context) (ledger.Info, error) {
	info, err := a.o.Log.Info(ctx)
	if err != nil {
		return ledger.Info{}, err
	}
	info.Highest = ledger.Anchored
	if alarm := a.Alarm(); alarm != nil {
		info.Warnings = append(info.Warnings, alarm.Error())
	}
	return info, nil
}
