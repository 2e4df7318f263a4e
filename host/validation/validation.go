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
	Master   channel.Seed // the secret from which the cards' channels are derived
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
// second later. Errors: ledger.ErrUnavailable, or that of ctx.
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
// Errors: ledger.ErrUnavailable when nothing was written; ledger.ErrUncertain when the record may have been written, so that
// only the same request with the same Retry can find out; or that of ctx.
func (s *Service) Update(ctx context.Context, r Request) (Verdict, error) {
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
		if lost := (*ledger.Conflict)(nil); errors.As(err, &lost) || errors.Is(err, errGrown) {
			continue // each time round somebody else's message was recorded
		}
		return answer, err
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
	if v.Code == AlreadyUsed {
		return s.answerUsed(ctx, t, v, r, head)
	}
	if v.Code != Valid {
		return v, nil
	}
	if reused, err := s.retryReused(ctx, r, head); err != nil || reused {
		return v.refuse(RetryMismatch), err
	}
	m, err := s.sign(t, v, r, head)
	if errors.Is(err, channel.ErrMalformed) || errors.Is(err, record.ErrMalformed) {
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
	if receipt, err = s.Ledger.Await(ctx, receipt, ledger.Final); err != nil {
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
	if err != nil {
		return t, unreadable(t, err), nil
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

// card looks twice: another process may have registered the card a moment ago.
func (s *Service) card(ctx context.Context, id tap.CardID) (record.Card, error) {
	card, err := s.Registry.Card(ctx, id)
	if !errors.Is(err, registry.ErrUnknownCard) {
		return card, err
	}
	if err := s.Registry.Sync(ctx); err != nil {
		return card, err
	}
	return s.Registry.Card(ctx, id)
}

func unreadable(t tap.URL, err error) Verdict {
	switch {
	case errors.Is(err, tap.ErrUnsigned):
		return Verdict{Code: UnsignedURL, ID: &t.ID, Unsigned: t.Unsigned}
	case errors.Is(err, tap.ErrUnsupported):
		return Verdict{Code: UnsupportedVersion}
	}
	return Verdict{Code: MalformedURL}
}

// judge decides on a genuine tap by the newest message of its card's channel, which it returns.
func (s *Service) judge(ctx context.Context, t tap.URL, v Verdict) (ledger.Entry, Verdict, error) {
	entry, err := s.Ledger.Head(ctx, v.Card.Taps)
	if errors.Is(err, ledger.ErrNoChannel) {
		return entry, v.refuse(NotInService), nil
	}
	if err != nil {
		return entry, v, fmt.Errorf("reading the channel of card %v: %w", v.Card.ID, err)
	}
	head, err := headOf(entry)
	if err != nil {
		return entry, v, err
	}
	v.Last, v.State = head.Last, head.State
	switch {
	case head.State == record.StateRevoked:
		return entry, v.refuse(Revoked), nil
	case head.State == record.StateMoved:
		return entry, v.refuse(Moved), nil
	case t.Counter <= head.Last:
		return entry, v.refuse(AlreadyUsed), nil // or Superseded: explain looks which
	case t.Counter > head.Last+1:
		v.Skipped = &record.Range{head.Last + 1, t.Counter - 1}
	}
	return entry, v, nil
}

func headOf(e ledger.Entry) (record.TapHead, error) {
	body, err := e.Message.Body()
	if err != nil {
		return record.TapHead{}, fmt.Errorf("message %d of channel %v: %w", e.Message.Number(), e.Message.Channel(), err)
	}
	head, err := record.ParseTapHead(body)
	if err != nil {
		return record.TapHead{}, fmt.Errorf("message %d of channel %v: %w", e.Message.Number(), e.Message.Channel(), err)
	}
	return head, nil
}
