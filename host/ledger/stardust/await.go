package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Await waits for the milestone that decides a message, and sees to it that the
// message's transaction reaches one: a block that got lost is made anew, over
// another node where the one in use is gone. When nothing is heard of the network
// for Options.Stall, it returns ledger.ErrUncertain; [ErrRefused] when the ledger
// found the transaction itself wrong.
func (l *Ledger) Await(ctx context.Context, r ledger.Receipt, phase ledger.Phase) (ledger.Receipt, error) {
	if err := l.usable(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	if phase > ledger.Final {
		return ledger.Receipt{}, fmt.Errorf("awaiting %s on Stardust: %w", phase, ledger.ErrNoPhase)
	}
	begun := time.Now()
	var news <-chan struct{} // of the channel, while its message is under way
	for caughtUp := false; ; {
		e, p, err := l.look(ctx, r)
		switch {
		case e != nil:
			return l.receipt(ctx, *e)
		case p != nil && phase <= ledger.Taken:
			return p.receipt(l.params.NetworkName), nil
		case p != nil && news == nil:
			news = l.moving(r.Channel)
			continue
		case p != nil:
			err = l.carryOn(ctx, p)
			if err != nil && !errors.Is(err, ledger.ErrUncertain) {
				return ledger.Receipt{}, err
			}
		case caughtUp || isConflict(err):
			return ledger.Receipt{}, err
		default:
			if err := l.catchUp(ctx); err != nil {
				return ledger.Receipt{}, err
			}
			caughtUp = true
			continue
		}
		if err := l.hopeless(begun, err); err != nil {
			return ledger.Receipt{}, fmt.Errorf("%w: %w", ledger.ErrUncertain, err)
		}
		if err := l.wait(ctx, news, carryPause); err != nil {
			return ledger.Receipt{}, err
		}
		news = nil // a bell is hung up again only where there is something to wait for
	}
}

// hopeless returns why waiting on has become so, and nil before: since begun,
// Options.Stall has passed without a milestone, or a transaction finds no node that
// takes it.
func (l *Ledger) hopeless(begun time.Time, err error) error {
	quiet := min(time.Since(begun), l.silence())
	if err != nil && time.Since(begun) > l.o.Stall {
		return err
	}
	if quiet > l.o.Stall {
		return fmt.Errorf("no milestone for %s: %w", quiet.Round(time.Second), l.why())
	}
	return nil
}

func isConflict(err error) bool {
	var c *ledger.Conflict
	return errors.As(err, &c)
}

// look finds what the archive has of a receipt's message: its entry, its
// transaction, or an error: *ledger.Conflict, ErrNoChannel, ErrNoMessage.
func (l *Ledger) look(ctx context.Context, r ledger.Receipt) (*ledger.Entry, *pending, error) {
	e, err := readEntry(ctx, l.db.Read(), r.Channel, r.Number)
	if err == nil && e.Message.Hash() != r.Hash {
		return nil, nil, &ledger.Conflict{Winner: e}
	}
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return &e, nil, err
	}
	p, err := readPending(ctx, l.db.Read(), r.Channel, r.Number)
	if err != nil || p != nil && p.hash == r.Hash {
		return nil, p, err
	}
	// Decided between the two reads, or unknown.
	e, err = readEntry(ctx, l.db.Read(), r.Channel, r.Number)
	if err == nil {
		return l.look(ctx, r)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, nil, err
	}
	c, err := begun(ctx, l.db.Read(), r.Channel)
	if err != nil {
		return nil, nil, err
	}
	if r.Number < c.next {
		return nil, nil, damaged("message %d of channel %s is gone", r.Number, r.Channel)
	}
	return nil, nil, fmt.Errorf("message %d of channel %s: %w", r.Number, r.Channel, ledger.ErrNoMessage)
}

// carryOn brings a transaction on, or signs the next one where this one has lost
// its money.
func (l *Ledger) carryOn(ctx context.Context, p *pending) error {
	if !p.dead {
		return l.carry(ctx, p)
	}
	m, err := channel.Parse(p.raw)
	if err != nil {
		return damaged("message %d of channel %s: %w", p.number, p.channel, err)
	}
	d, err := l.writer.Do(ctx, request{message: m})
	switch {
	case err != nil:
		return outcome(err)
	case d.unpaid:
		return l.carryCreations(ctx)
	case d.pending != nil:
		return l.carry(ctx, d.pending)
	}
	return nil // decided meanwhile
}

// growing returns what is closed when a milestone changes anything of ours after
// this call.
func (l *Ledger) growing() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.news
}

// moving returns what is closed when a milestone changes something for a channel
// after this call.
func (l *Ledger) moving(id channel.ID) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bells[id] == nil {
		l.bells[id] = make(chan struct{})
	}
	return l.bells[id]
}

// wait returns when there may be more to see; with an error when there is an end.
func (l *Ledger) wait(ctx context.Context, news <-chan struct{}, pause time.Duration) error {
	poll := time.NewTimer(pause)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-l.ctx.Done():
	case <-news:
	case <-poll.C:
	}
	return l.usable(ctx)
}

// errQuiet is why the archive does not grow when nothing is wrong with the nodes.
var errQuiet = errors.New("nodes tell no milestone")

// why returns why the archive does not grow.
func (l *Ledger) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble == nil {
		return errQuiet
	}
	return l.trouble
}

// silence returns for how long the archive has not grown.
func (l *Ledger) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.moved)
}

// catchUp waits until the archive holds all that any node had applied when the call
// began. It returns ledger.ErrUnavailable when no node answers or the archive does
// not come along.
func (l *Ledger) catchUp(ctx context.Context) error {
	target, err := l.nodes.confirmed(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		l.mu.Lock()
		at, passed := l.milestone, l.passed
		l.mu.Unlock()
		if at >= target {
			return nil
		}
		if time.Since(began) > l.o.Stall {
			return fmt.Errorf("%w: archive is at milestone %d of %d: %w", ledger.ErrUnavailable, at, target, l.why())
		}
		if err := l.wait(ctx, passed, carryPause); err != nil {
			return err
		}
	}
}

// head returns the newest entry of a channel.
func (l *Ledger) head(ctx context.Context, id channel.ID) (ledger.Entry, error) {
	c, err := begun(ctx, l.db.Read(), id)
	if err != nil {
		return ledger.Entry{}, err
	}
	return needEntry(ctx, l.db.Read(), id, c.next-1)
}
