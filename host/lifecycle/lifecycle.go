// Package lifecycle changes what becomes of a card after it was made: it is revoked, or belongs to another device. It tells everybody
// which cards are revoked, in the form of a W3C Bitstring Status List.
//
// Whoever holds the secrets of a card's issuer may change it, and nobody else can: a change is the next message of the card's tap
// channel. Taps that are recorded meanwhile take the number, and the change goes after them; a tap that loses its number to a
// revocation is refused.
//
// # Durability
//
// A change is final on the ledger when its receipt is returned. No revocation can be taken back.
//
// # Concurrency
//
// A [Service] may be used by many goroutines, and several processes may change one card.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

var (
	// ErrNotInService says that the card's tap channel has not begun, or that its history was lost: it has no state to be changed.
	ErrNotInService = errors.New("card is not in service")
	// ErrRevoked says that the card is revoked already, and stays so.
	ErrRevoked = errors.New("card is revoked already")
	// ErrMoved says that the card's life goes on on another ledger: it is changed there.
	ErrMoved = errors.New("card's life goes on on another ledger")
	// ErrBadText refuses a reason or a device that is empty where it must not be, too long, or holds control characters.
	ErrBadText = errors.New("text cannot be recorded")
)

// MaxText is how many characters a reason or the id of a device may have.
const MaxText = 200

// Options is what a Service works with. ListURL is needed for status lists alone.
type Options struct {
	Ledger   ledger.Ledger
	List     registry.Lister
	Registry *registry.Registry
	Authors  *secrets.Authors
	Now      func() time.Time
	ListURL  func(issuer channel.ID) string // where everybody gets an issuer's status list
	// Revoked, when set, is called for each card that was revoked here, once that is final, with the ledger's time of it.
	Revoked func(ctx context.Context, card record.Card, reason string, at time.Time)
}

// Service changes cards, and lists those that are revoked.
type Service struct {
	Options
	mu    sync.Mutex
	lists map[channel.ID]*list
}

// New returns a Service.
func New(o Options) *Service { return &Service{Options: o, lists: make(map[channel.ID]*list)} }

// Revoke takes the card out of service for good. Everybody reads the reason, and by, which is to name nobody. A card whose history was
// lost can be revoked too.
//
// Errors: ErrRevoked, ErrNotInService, ErrMoved, ErrBadText, registry.ErrUnknownCard, secrets.ErrElsewhere, and those of
// ledger.Record: after ledger.ErrUncertain the card may be revoked or may yet be, and calling again finds out.
func (s *Service) Revoke(ctx context.Context, id tap.CardID, reason, by string) (ledger.Receipt, error) {
	card, r, err := s.change(ctx, id, revocation(reason, by))
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("revoking card %v: %w", id, err)
	}
	s.renewLists()
	if s.Revoked != nil {
		s.Revoked(ctx, card, reason, r.Time)
	}
	return r, nil
}

// Associate names the device that the card belongs to, where everybody reads it; none when it is empty. Errors are those of Revoke.
func (s *Service) Associate(ctx context.Context, id tap.CardID, device, by string) (ledger.Receipt, error) {
	_, r, err := s.change(ctx, id, association(device, by))
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("associating card %v: %w", id, err)
	}
	return r, nil
}

// Check says whether Revoke would be refused now, with its error, and writes nothing.
func (s *Service) Check(ctx context.Context, id tap.CardID) (record.Card, error) {
	c, err := s.open(ctx, id, change{})
	if err == nil {
		_, _, err = c.head(ctx, true)
	}
	return c.card, err
}

// Revocation returns the record that Revoke would write if it were called now, and writes nothing. Errors are those of Revoke.
func (s *Service) Revocation(ctx context.Context, id tap.CardID, reason, by string) ([]byte, error) {
	draft, err := s.preview(ctx, id, revocation(reason, by))
	if err != nil {
		return nil, fmt.Errorf("revoking card %v: %w", id, err)
	}
	return draft.Body, nil
}

// Association does the same for Associate.
func (s *Service) Association(ctx context.Context, id tap.CardID, device, by string) ([]byte, error) {
	draft, err := s.preview(ctx, id, association(device, by))
	if err != nil {
		return nil, fmt.Errorf("associating card %v: %w", id, err)
	}
	return draft.Body, nil
}

// change is what is to be written, made of the head before it.
type change struct {
	texts    []string
	alsoLost bool // a card whose history was lost can be changed so, too
	body     func(head record.TapHead) ([]byte, error)
}

func revocation(reason, by string) change {
	return change{[]string{reason, by}, true, func(head record.TapHead) ([]byte, error) {
		if reason == "" {
			return nil, fmt.Errorf("%w: no reason", ErrBadText)
		}
		return record.CardRevoked{Last: head.Last, State: record.StateRevoked, Settings: head.Settings, Reason: reason, By: by}.Encode()
	}}
}

func association(device, by string) change {
	return change{[]string{device, by}, false, func(head record.TapHead) ([]byte, error) {
		return record.CardAssociated{Last: head.Last, State: head.State, Settings: head.Settings, Device: device, By: by}.Encode()
	}}
}

func (s *Service) preview(ctx context.Context, id tap.CardID, what change) (channel.Draft, error) {
	c, err := s.open(ctx, id, what)
	if err != nil {
		return channel.Draft{}, err
	}
	return c.draft(ctx, what)
}

// change records the next message of the card's tap channel; the one after that when a tap takes the number meanwhile. It also returns
// the card as it was before.
func (s *Service) change(ctx context.Context, id tap.CardID, what change) (record.Card, ledger.Receipt, error) {
	c, err := s.open(ctx, id, what)
	if err != nil {
		return record.Card{}, ledger.Receipt{}, err
	}
	for {
		draft, err := c.draft(ctx, what)
		if err != nil {
			return record.Card{}, ledger.Receipt{}, err
		}
		m, err := c.author.Sign(draft)
		if err != nil {
			return record.Card{}, ledger.Receipt{}, err
		}
		r, err := ledger.Record(ctx, s.Ledger, m)
		if lost := (*ledger.Conflict)(nil); !errors.As(err, &lost) {
			return c.card, r, err
		}
	}
}

func checkText(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return fmt.Errorf("%w: %d characters, more than %d", ErrBadText, n, MaxText)
	}
	for _, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return fmt.Errorf("%w: it holds a control character or is not UTF-8", ErrBadText)
		}
	}
	return nil
}

// life is a card while it is changed.
type life struct {
	*Service
	card   record.Card
	author *channel.Author // of its tap channel
}

func (s *Service) open(ctx context.Context, id tap.CardID, what change) (life, error) {
	for _, text := range what.texts {
		if err := checkText(text); err != nil {
			return life{}, err
		}
	}
	card, err := s.Registry.Card(ctx, id)
	if errors.Is(err, registry.ErrUnknownCard) || err == nil && card.State == record.StateLost { // it may have come, or come back, a moment ago
		if err = s.Registry.Sync(ctx); err == nil {
			card, err = s.Registry.Card(ctx, id)
		}
	}
	if err != nil {
		return life{}, err
	}
	author, err := s.Authors.Taps(card.Issuer, id)
	if err == nil && author.Channel() != card.Taps {
		err = fmt.Errorf("its channel is another installation's: %w", secrets.ErrElsewhere)
	}
	return life{s, card, author}, err
}

// draft returns the next message, unsigned.
func (c life) draft(ctx context.Context, what change) (channel.Draft, error) {
	draft, head, err := c.head(ctx, what.alsoLost)
	if err != nil {
		return draft, err
	}
	draft.Time = c.Now()
	draft.Body, err = what.body(head)
	return draft, err
}

// head returns the place of the next message and what the newest one says, if the card's state lets it be changed.
func (c life) head(ctx context.Context, alsoLost bool) (channel.Draft, record.TapHead, error) {
	newest, err := c.Ledger.Head(ctx, c.card.Taps)
	if errors.Is(err, ledger.ErrNoChannel) {
		return c.first(ctx, alsoLost)
	}
	if err != nil {
		return channel.Draft{}, record.TapHead{}, err
	}
	if !c.card.Head.IsZero() && newest.Message.Number() < c.card.Head.Number {
		return channel.Draft{}, record.TapHead{}, registry.ErrOtherHistory
	}
	body, err := newest.Message.Body()
	if err != nil {
		return channel.Draft{}, record.TapHead{}, err
	}
	head, err := record.ParseTapHead(body)
	if err != nil {
		return channel.Draft{}, record.TapHead{}, fmt.Errorf("message %d of channel %v: %w", newest.Message.Number(), c.card.Taps, err)
	}
	switch {
	case head.State == record.StateMoved || c.card.State == record.StateMoved:
		err = ErrMoved
	case head.State == record.StateRevoked:
		err = ErrRevoked
	}
	return channel.Draft{Number: newest.Message.Number() + 1, Prev: newest.Message.Hash()}, head, err
}

// first is head for a channel without a message: only a card whose history was lost has a state there.
func (c life) first(ctx context.Context, alsoLost bool) (channel.Draft, record.TapHead, error) {
	switch {
	case !c.card.Head.IsZero():
		return channel.Draft{}, record.TapHead{}, registry.ErrOtherHistory
	case c.card.State == record.StateMoved:
		return channel.Draft{}, record.TapHead{}, ErrMoved
	case !alsoLost || c.card.State != record.StateLost:
		return channel.Draft{}, record.TapHead{}, ErrNotInService
	}
	return channel.Draft{}, record.TapHead{Last: c.card.Last}, c.List.List(ctx, c.card.Taps)
}
