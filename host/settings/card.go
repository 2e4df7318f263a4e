package settings

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// card is one card while its settings are read or written.
type card struct {
	*Service
	taps   *channel.Author
	author *channel.Author // of the settings channel
	moved  bool            // its life goes on on another ledger, whatever was copied to this one since
}

func (s *Service) open(ctx context.Context, id tap.CardID) (*card, error) {
	known, err := s.Registry.Card(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &card{Service: s, moved: known.State == record.StateMoved}
	if c.taps, err = s.Authors.Taps(known.Issuer, id); err != nil {
		return nil, err
	}
	c.author, err = s.Authors.Settings(known.Issuer, id)
	return c, err
}

// head returns the newest message of the tap channel and what it says. The error is ErrNoService where there is none.
func (c *card) head(ctx context.Context) (ledger.Entry, record.TapHead, error) {
	newest, err := c.Ledger.Head(ctx, c.taps.Channel())
	if errors.Is(err, ledger.ErrNoChannel) {
		return newest, record.TapHead{}, ErrNoService
	}
	if err != nil {
		return newest, record.TapHead{}, err
	}
	body, err := newest.Message.Body()
	if err != nil {
		return newest, record.TapHead{}, err
	}
	head, err := record.ParseTapHead(body)
	return newest, head, err
}

// errChanged says that other settings are in force than those that a change was made of.
var errChanged = errors.New("settings in force are others by now")

// put writes settings and puts them in force: in the place of these alone, or of any when over is nil.
func (c *card) put(ctx context.Context, settings record.Settings, rotate bool, over *Current) (Current, error) {
	if _, _, err := c.inService(ctx); err != nil {
		return Current{}, err
	}
	m, err := c.write(ctx, settings, rotate)
	if err != nil {
		return Current{}, err
	}
	after := Current{settings, m.Number(), m.Hash(), m.KeyStart()}
	return after, c.putInForce(ctx, after, over)
}

// derive makes settings out of those in force and puts them in their place, anew when others are in force meanwhile.
func (c *card) derive(ctx context.Context, change func(record.Settings) record.Settings, rotate bool) (Current, error) {
	for {
		current, err := c.current(ctx)
		if err != nil {
			return Current{}, err
		}
		after, err := c.put(ctx, change(current.Settings), rotate, &current)
		if !errors.Is(err, errChanged) {
			return after, err
		}
	}
}

// inService is head, with ErrNoService for a card whose taps do not count any more.
func (c *card) inService(ctx context.Context) (ledger.Entry, record.TapHead, error) {
	newest, head, err := c.head(ctx)
	if err == nil && c.moved {
		head.State = record.StateMoved
	}
	if err == nil && head.State != record.StateInService && head.State != record.StateCompleted {
		err = fmt.Errorf("%w: it is %s", ErrNoService, head.State)
	}
	return newest, head, err
}

// current reads the settings that the tap channel's newest message names.
func (c *card) current(ctx context.Context) (Current, error) {
	_, head, err := c.head(ctx)
	if err != nil || head.Settings == "" {
		return Current{}, err
	}
	return c.read(ctx, head.Settings)
}

// read reads the settings in the message with this hash.
func (c *card) read(ctx context.Context, hash string) (Current, error) {
	m, err := c.find(ctx, hash)
	if err != nil {
		return Current{}, err
	}
	body, err := c.author.Capability(m.Number(), m.KeyStart()).Open(m)
	if err != nil {
		return Current{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	settings, err := record.ParseSettings(body)
	if err != nil {
		return Current{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return Current{settings, m.Number(), m.Hash(), m.KeyStart()}, nil
}

// find returns the message of the settings channel with this hash. It is the newest, or one a few changes before it that nobody
// put in force.
func (c *card) find(ctx context.Context, hash string) (channel.Message, error) {
	newest, err := c.Ledger.Head(ctx, c.author.Channel())
	if errors.Is(err, ledger.ErrNoChannel) {
		return channel.Message{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if err != nil {
		return channel.Message{}, err
	}
	for m := newest.Message; ; {
		if m.Hash().String() == hash {
			return m, nil
		}
		if m.Number() == 0 {
			return m, fmt.Errorf("%w: no message of channel %v has the hash %s", ErrUnreadable, c.author.Channel(), hash)
		}
		before, err := c.Ledger.Range(ctx, c.author.Channel(), m.Number()-1, 1)
		if err != nil {
			return m, err
		}
		if len(before) == 0 {
			return m, ledger.ErrNoMessage
		}
		m = before[0].Message
	}
}

// write records the next message of the settings channel.
func (c *card) write(ctx context.Context, settings record.Settings, rotate bool) (channel.Message, error) {
	if err := c.List.List(ctx, c.author.Channel()); err != nil {
		return channel.Message{}, err
	}
	body, err := settings.Encode()
	if err != nil {
		return channel.Message{}, err
	}
	for {
		draft := channel.Draft{Time: c.Now(), Body: body, Random: c.Random}
		newest, err := c.Ledger.Head(ctx, c.author.Channel())
		switch {
		case err == nil:
			m := newest.Message
			draft.Number, draft.Prev, draft.KeyStart = m.Number()+1, m.Hash(), m.KeyStart()
		case !errors.Is(err, ledger.ErrNoChannel):
			return channel.Message{}, err
		}
		if rotate {
			draft.KeyStart = draft.Number
		}
		m, err := c.author.Sign(draft)
		if err != nil {
			return channel.Message{}, err
		}
		_, err = ledger.Record(ctx, c.Ledger, m)
		if lost := (*ledger.Conflict)(nil); !errors.As(err, &lost) {
			return m, err
		}
	}
}

// putInForce names the settings message on the tap channel, unless a newer one is named there. Taps that are recorded meanwhile
// take the number: then it names it after them. The error is errChanged where over is given and not in force.
func (c *card) putInForce(ctx context.Context, settings Current, over *Current) error {
	for {
		newest, head, err := c.inService(ctx)
		if err != nil {
			return err
		}
		if over != nil && head.Settings != over.name() {
			return errChanged
		}
		if err := c.overtaken(ctx, head, settings); err != nil {
			return err
		}
		body, err := record.CardConfigured{Last: head.Last, State: head.State, Settings: settings.Hash}.Encode()
		if err != nil {
			return err
		}
		m, err := c.taps.Sign(channel.Draft{Number: newest.Message.Number() + 1, Prev: newest.Message.Hash(), Time: c.Now(), Body: body})
		if err != nil {
			return err
		}
		_, err = ledger.Record(ctx, c.Ledger, m)
		if lost := (*ledger.Conflict)(nil); !errors.As(err, &lost) {
			return err
		}
	}
}

// overtaken returns ErrOvertaken when a newer settings message than this one is in force.
func (c *card) overtaken(ctx context.Context, head record.TapHead, settings Current) error {
	if head.Settings == "" {
		return nil
	}
	m, err := c.find(ctx, head.Settings)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	if err == nil && m.Number() > settings.Number {
		return ErrOvertaken
	}
	return nil
}
