// Package anchor puts the checkpoints of a log on another ledger, and stops a log that
// is not what stands there.
//
// Whoever runs a log can rewrite it, or put back an old copy of it, guard and all. What
// another ledger has recorded he cannot take back: the newest checkpoint there says what
// the log began with at that time. It is read from there and not from the log's own
// database, before the first publishing and at each.
//
// # No and don't know
//
// A log that is shorter than an anchored checkpoint, or has other messages, is halted:
// tlog.ErrRolledBack, tlog.ErrForked. An anchor that cannot be reached, that has
// forgotten, or that is late says nothing about the log, which goes on: these are alarms.
//
// # Concurrency
//
// Of several processes over one log's database one publishes, for as long as it holds
// the lease; each of them compares. An [Anchor] may be used by many goroutines.
//
// # Limitations
//
// Whoever runs the other ledger too, such as the coordinator of a Stardust network, or
// holds the seed of the anchor's channel, makes nobody independent of him: he can record
// a second, contradicting checkpoint there. Both then stand in the channel for everybody
// to see; [Anchor.Verify] looks at all of them.
package anchor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Alarms: what is wrong with the anchor and says nothing about the log.
var (
	// ErrUnreachable says that the other ledger did not answer or take the checkpoint.
	ErrUnreachable = errors.New("anchor cannot be reached")
	// ErrLate says that messages wait for an anchor longer than Options.Limit.
	ErrLate = errors.New("anchor is late")
	// ErrForgot says that the other ledger has less than it had: it was put back to an
	// older state, or is another one. What was anchored there is anchored again.
	ErrForgot = errors.New("anchor has forgotten what it recorded")
	// ErrStrange says that the newest message on the anchor's channel is no checkpoint of
	// this log.
	ErrStrange = errors.New("anchor's channel holds something else")
)

// PointSubmitted is the point that Options.Hook is called with when the other ledger has
// recorded a checkpoint, before its evidence is kept.
const PointSubmitted = "anchor recorded"

// Ledger is another ledger that takes messages.
type Ledger interface {
	ledger.Ledger
	// List admits channels.
	List(ctx context.Context, ids ...channel.ID) error
}

// Options say which log is anchored where.
type Options struct {
	Log *tlog.Log
	// Open opens the other ledger, when it is first needed and again until it succeeds.
	Open func(ctx context.Context) (Ledger, error)
	// Author writes the anchor's channel there, and nothing else does.
	Author *channel.Author
	// Holder names this process among those that share the log's database.
	Holder string
	Now    func() time.Time
	// Every is the least time between two checkpoints; a second when zero.
	Every time.Duration
	// Limit is how long a message may wait for its anchor before there is an alarm:
	// ErrLate. DefaultLimit when zero.
	Limit time.Duration
	// Report is told of each alarm when it begins, changes, or goes on for a minute more.
	Report func(error)
	// Hook, when set, observes the publishing: see PointSubmitted.
	Hook func(point string)
}

const (
	defaultEvery = time.Second
	// DefaultLimit is Options.Limit when that is zero.
	DefaultLimit = 10 * time.Minute
	// leaseTerm is how many of Options.Every a process that died keeps others waiting.
	leaseTerm = 5
	// leaseWork names the lease in the log's database.
	leaseWork = "anchor"
)

// Anchor publishes the checkpoints of one log.
type Anchor struct {
	o       Options
	origin  string
	turn    sync.Mutex      // held by who talks to the other ledger
	other   Ledger          // nil until it was opened
	pending channel.Message // signed, and not known whether it was recorded

	mu     sync.Mutex
	alarm  error // of the last round
	told   error // the alarm that Report has heard of
	toldAt time.Time
}

// New returns the anchor of a log. It asks nobody yet; Close ends it.
func New(o Options) *Anchor {
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	return &Anchor{o: o, origin: o.Log.Origin()}
}

// Channel is where the checkpoints stand on the other ledger.
func (a *Anchor) Channel() channel.ID { return a.o.Author.Channel() }

// Close closes the other ledger.
func (a *Anchor) Close() error {
	a.turn.Lock()
	defer a.turn.Unlock()
	if a.other == nil {
		return nil
	}
	err := a.other.Close()
	a.other = nil
	return err
}

// Run compares and publishes until ctx ends, and returns its error; or why the log was
// halted. Alarms end nothing.
func (a *Anchor) Run(ctx context.Context) error {
	every := time.NewTicker(a.o.Every)
	defer every.Stop()
	for {
		if err := a.Publish(ctx); Refutes(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
	}
}

// Refutes reports whether an error says that the log is not what an anchor holds, and
// not just that this could not be found out.
func Refutes(err error) bool {
	return errors.Is(err, tlog.ErrRolledBack) || errors.Is(err, tlog.ErrForked)
}

// Compare compares the log with the newest checkpoint on the other ledger. The log is
// halted where they contradict each other: see Refutes. Any other error is an alarm.
func (a *Anchor) Compare(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	_, err := a.compare(ctx)
	return a.watch(ctx, err)
}

// Publish compares as Compare does, and puts the newest checkpoint on the other ledger
// where that has an older one and this process holds the lease. With nil the newest
// checkpoint there, and its evidence in the log's database, are those that Publish found
// or recorded.
func (a *Anchor) Publish(ctx context.Context) error {
	a.turn.Lock()
	defer a.turn.Unlock()
	return a.watch(ctx, a.publish(ctx))
}

func (a *Anchor) publish(ctx context.Context) error {
	last, err := a.compare(ctx)
	if errors.Is(err, ErrForgot) {
		return errors.Join(err, a.goOn(ctx, last))
	}
	if err == nil {
		err = a.keep(ctx, last)
	}
	if err != nil {
		return err
	}
	return a.goOn(ctx, last)
}

// goOn records what the log has more than the last checkpoint on the other ledger.
func (a *Anchor) goOn(ctx context.Context, last *anchored) error {
	text, c, err := a.o.Log.Anchorable(ctx)
	if err != nil || c.Size <= last.size() {
		return err
	}
	now := a.o.Now()
	held, err := a.o.Log.Lease(ctx, leaseWork, a.o.Holder, now, now.Add(leaseTerm*a.o.Every))
	if err != nil || !held {
		return err
	}
	recorded, err := a.record(ctx, last, text)
	if err != nil || recorded == nil { // the next round sees what another process wrote
		return err
	}
	a.o.Hook(PointSubmitted)
	return a.keep(ctx, recorded)
}

// Cover publishes until the messages that the log has now are anchored, by this process
// or by the one that holds the lease. Errors: as those of Publish, and ctx's.
func (a *Anchor) Cover(ctx context.Context) error {
	every := time.NewTicker(a.o.Every)
	defer every.Stop()
	text, err := a.o.Log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	wanted, err := a.o.Log.OpenCheckpoint(text)
	for err == nil {
		if err = a.Publish(ctx); err != nil {
			break
		}
		var covers bool
		if covers, err = a.covers(ctx, wanted.Size); covers || err != nil {
			break
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-every.C:
		}
	}
	return err
}

// covers reports whether the evidence for so many messages is kept.
func (a *Anchor) covers(ctx context.Context, size uint64) (bool, error) {
	checkpoint, _, err := a.o.Log.Anchored(ctx)
	if err != nil || checkpoint == nil {
		return size == 0, err
	}
	c, err := a.o.Log.OpenCheckpoint(checkpoint)
	return c.Size >= size, err
}

// record puts a checkpoint behind the last one on the other ledger. A message of which
// nobody knows whether it was recorded is tried again before another is signed.
func (a *Anchor) record(ctx context.Context, last *anchored, checkpoint []byte) (*anchored, error) {
	m := a.pending
	if m.IsZero() || m.Number() < last.next() {
		var err error
		if m, err = a.sign(last, checkpoint); err != nil {
			return nil, err
		}
	}
	if last == nil {
		if err := a.other.List(ctx, a.Channel()); err != nil {
			return nil, unreachable(err)
		}
	}
	a.pending = m
	r, err := a.other.Submit(ctx, m)
	if err == nil {
		r, err = a.other.Await(ctx, r, ledger.Final)
	}
	switch {
	case err == nil:
	case errors.Is(err, ledger.ErrUncertain) || ctx.Err() != nil:
		return nil, unreachable(err)
	default:
		a.pending = channel.Message{}
		if _, lost := errors.AsType[*ledger.Conflict](err); lost {
			return nil, nil
		}
		return nil, unreachable(err)
	}
	a.pending = channel.Message{}
	return a.read(ledger.Entry{Message: m, Time: r.Time, Index: r.Index})
}

func (a *Anchor) sign(last *anchored, checkpoint []byte) (channel.Message, error) {
	body, err := record.LogCheckpoint{Checkpoint: string(checkpoint)}.Encode()
	if err != nil {
		return channel.Message{}, err
	}
	m, err := a.o.Author.Sign(channel.Draft{Number: last.next(), Prev: last.hash(), Time: a.o.Now(), Body: body})
	if err != nil {
		return channel.Message{}, fmt.Errorf("signing an anchor: %w", err)
	}
	return m, nil
}

func unreachable(err error) error { return fmt.Errorf("%w: %w", ErrUnreachable, err) }
