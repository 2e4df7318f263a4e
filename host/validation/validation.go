// Package validation is the one place where it is decided whether a tap is good and whether it is its first use.
//
// [Service.Validate] looks and writes nothing. [Service.Update] records the tap as the next message of the card's own channel:
// the channel's newest message says which counters are used up, number n of a channel is given once by the ledger, so of any
// number of requests for one tap, in any number of processes, one is recorded. An answer "recorded" is given only when the
// ledger has made the record final.
//
// # Concurrency
//
// A [Service] may be used by many goroutines, and many processes may decide on the same cards: all that changes an answer is on
// the ledger.
package validation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// ActionUpdate is what the record of an ordinary tap says was asked for.
const ActionUpdate = "update"

// Options is what a Service works with; all are needed, but for Hook.
type Options struct {
	Ledger   ledger.Ledger
	Registry *registry.Registry
	Authors  *secrets.Authors // of the cards' channels
	Master   channel.Seed     // the marks of retries are made under a key derived from it
	Now      func() time.Time
	Random   io.Reader
	// Hook, when set, is called as an update passes its steps, to observe it or to break it off in tests: "verified",
	// "head read", "signed", "submitted", "final".
	Hook func(step string)
}

// Service decides on taps.
type Service struct{ Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Hook == nil {
		o.Hook = func(string) {}
	}
	return &Service{o}
}

// Validate says whether the URL is a genuine tap that was not used before. It writes nothing, so it promises nothing for a
// second later. Errors: ErrUnreadable, registry.ErrOtherHistory, ledger.ErrUnavailable, or that of ctx.
func (s *Service) Validate(ctx context.Context, url string) (Verdict, error) {
	t, v, err := s.verify(ctx, url)
	if err != nil || v.Code != Valid {
		return v, err
	}
	head, v, err := s.judge(ctx, t, v)
	if err != nil || v.Code != AlreadyUsed {
		return v, err
	}
	decided, err := s.decidedBy(ctx, head, t.Counter)
	return v.explain(t, decided), err
}

// Update records the tap, if it is genuine and its counter is not used up, and answers after the record is final on the ledger.
// Errors: ErrRetryKey; ErrUnreadable; registry.ErrOtherHistory; ledger.ErrUnavailable when nothing was written; ledger.ErrUncertain when the
// record may have been written, so that only the same request with the same Retry can find out; or that of ctx, or of Request.Decide.
func (s *Service) Update(ctx context.Context, r Request) (Verdict, error) {
	if r.Retry != nil && len(r.Retry.Key) < minRetryKey {
		return Verdict{}, ErrRetryKey
	}
	t, v, err := s.verify(ctx, r.URL)
	if err != nil || v.Code != Valid {
		return v, err
	}
	s.Hook("verified")
	if !r.payloadOK() {
		return v.refuse(PayloadRejected), nil
	}
	for {
		answer, err := s.attempt(ctx, t, v, r)
		if lost := (*ledger.Conflict)(nil); !errors.As(err, &lost) && !errors.Is(err, errGrown) {
			return answer, err
		}
		// Each time round somebody else's message was recorded, and the registry may know it.
		if t, v, err = s.verify(ctx, r.URL); err != nil || v.Code != Valid {
			return v, err
		}
	}
}

// errGrown says that the channel has a newer message than the one that was decided by.
var errGrown = errors.New("the channel has grown")

// attempt decides on the tap once and submits its record once.
func (s *Service) attempt(ctx context.Context, t tap.URL, v Verdict, r Request) (Verdict, error) {
	head, v, err := s.judge(ctx, t, v)
	if err != nil {
		return v, err
	}
	s.Hook("head read")
	if !head.Message.IsZero() && t.Counter <= v.Last {
		return s.answerUsed(ctx, t, v, r, head)
	}
	if v.Code != Valid {
		return v, nil
	}
	if reused, err := s.retryReused(ctx, r, head); err != nil || reused {
		return v.refuse(RetryMismatch), err
	}
	d, err := r.decide(ctx, v)
	if err != nil || d.Refuse != "" {
		return v.refuse(d.Refuse), err
	}
	m, err := s.sign(t, v, r, d, head)
	if errors.Is(err, errPayload) {
		return v.refuse(PayloadRejected), nil
	}
	if err != nil {
		return v, err
	}
	s.Hook("signed")
	return s.submit(ctx, v, m)
}

// submit returns after the record is final: not before may anybody say "recorded".
func (s *Service) submit(ctx context.Context, v Verdict, m channel.Message) (Verdict, error) {
	receipt, err := s.Ledger.Submit(ctx, m)
	if err != nil {
		return v, fmt.Errorf("submitting tap %d of card %v: %w", v.Counter, v.Card.ID, err)
	}
	s.Hook("submitted")
	if receipt, err = ledger.Finish(ctx, s.Ledger, receipt); err != nil {
		return v, fmt.Errorf("awaiting tap %d of card %v: %w", v.Counter, v.Card.ID, err)
	}
	s.Hook("final")
	return v.recorded(m, receipt), nil
}

func (v Verdict) recorded(m channel.Message, receipt ledger.Receipt) Verdict {
	v.Code, v.Message, v.Receipt, v.When = Recorded, m, &receipt, &receipt.Time
	v.Last = max(v.Last, v.Counter)
	return v
}

// verify checks all that needs no ledger but the registration: form, card, signature.
func (s *Service) verify(ctx context.Context, url string) (tap.URL, Verdict, error) {
	t, err := tap.Parse(url)
	if errors.Is(err, tap.ErrUnsigned) {
		v, err := s.unsigned(ctx, t)
		return t, v, err
	}
	if err != nil {
		return t, unreadable(err), nil
	}
	v := Verdict{Code: Valid, ID: &t.ID, Counter: t.Counter}
	card, err := s.card(ctx, t.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return t, v.refuse(UnknownCard), nil
	}
	if err != nil {
		return t, v, fmt.Errorf("looking up card %v: %w", t.ID, err)
	}
	v.Card = &card
	if t.Verify(card.Key) != nil {
		return t, v.refuse(BadSignature), nil
	}
	return t, v, nil
}

// card looks twice: another process may have registered or reinstated the card, or let it go on here, a moment ago.
func (s *Service) card(ctx context.Context, id tap.CardID) (record.Card, error) {
	card, err := s.Registry.Card(ctx, id)
	settled := card.State != record.StateMoved && card.State != record.StateLost
	if err == nil && settled || err != nil && !errors.Is(err, registry.ErrUnknownCard) {
		return card, err
	}
	if err := s.Registry.Sync(ctx); err != nil {
		return card, err
	}
	return s.Registry.Card(ctx, id)
}

func unreadable(err error) Verdict {
	if errors.Is(err, tap.ErrUnsupported) {
		return Verdict{Code: UnsupportedVersion}
	}
	return Verdict{Code: MalformedURL}
}

// judge decides on a genuine tap by the newest message of its card's channel, which it returns.
func (s *Service) judge(ctx context.Context, t tap.URL, v Verdict) (ledger.Entry, Verdict, error) {
	if v.Card.State == record.StateLost {
		v.State, v.Since = record.StateLost, &v.Card.Since
		return ledger.Entry{}, v.refuse(HistoryLost), nil
	}
	entry, err := s.Ledger.Head(ctx, v.Card.Taps)
	if errors.Is(err, ledger.ErrNoChannel) && v.Card.Head.IsZero() {
		return entry, v.refuse(NotInService), nil
	}
	if err != nil && !errors.Is(err, ledger.ErrNoChannel) {
		return entry, v, fmt.Errorf("reading the channel of card %v: %w", v.Card.ID, err)
	}
	if !continues(entry, *v.Card) {
		return entry, v, fmt.Errorf("channel of card %v: %w", v.Card.ID, registry.ErrOtherHistory)
	}
	head, err := headOf(entry)
	if err != nil {
		return entry, v, err
	}
	if head.Last < v.Card.Last {
		return entry, v, fmt.Errorf("message %d of channel %v counts back: %w", entry.Message.Number(), v.Card.Taps, ErrUnreadable)
	}
	v.Last, v.State, v.Settings = head.Last, head.State, head.Settings
	switch {
	case head.State == record.StateRevoked:
		return entry, v.refuse(Revoked), nil
	case head.State == record.StateMoved || v.Card.State == record.StateMoved:
		v.State, v.MovedTo = record.StateMoved, movedTo(entry, *v.Card)
		return entry, v.refuse(Moved), nil
	case t.Counter <= head.Last:
		return entry, v.refuse(AlreadyUsed), nil // or Superseded: explain looks which
	case t.Counter > head.Last+1:
		v.Skipped = &record.Range{head.Last + 1, t.Counter - 1}
	}
	return entry, v, nil
}

// continues reports whether the channel's newest message is what the registry knew of the card, or came after that. A ledger that
// was put back to an older copy of itself would else make used taps valid again.
func continues(newest ledger.Entry, known record.Card) bool {
	if newest.Message.IsZero() || known.Head.IsZero() {
		return known.Head.IsZero()
	}
	number := newest.Message.Number()
	return number > known.Head.Number || number == known.Head.Number && newest.Message.Hash() == known.Head.Hash
}

// movedTo is where a card's life goes on, as the channel's newest message says, or else the registry.
func movedTo(newest ledger.Entry, card record.Card) string {
	body, err := newest.Message.Body()
	if err != nil {
		return card.Place
	}
	if r, err := record.Parse(body); err == nil {
		if m, ok := r.Value.(record.ChannelMoved); ok {
			return m.To
		}
	}
	return card.Place
}

// ErrUnreadable says that the newest message of a card's channel says nothing that this program can go by. It is no verdict on a
// tap.
var ErrUnreadable = errors.New("no tap can be decided by this message")

func headOf(e ledger.Entry) (record.TapHead, error) {
	body, err := e.Message.Body()
	if err == nil {
		var head record.TapHead
		if head, err = record.ParseTapHead(body); err == nil {
			return head, nil
		}
	}
	return record.TapHead{}, fmt.Errorf("message %d of channel %v: %w: %v", e.Message.Number(), e.Message.Channel(), ErrUnreadable, err)
}
