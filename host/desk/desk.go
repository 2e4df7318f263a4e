// Package desk is what the website and the API share of a tap: what is found about it, what the card asks of whoever taps, and what
// may be shown of a card to whom.
//
// Package validation alone decides whether a tap is good. The desk adds what the card is set to: a card that asks for a login is
// recorded only for somebody who has identified himself, one with a form only with its answers. Both are checked against the settings
// that are in force for the very record that is written, so a change of settings between looking and recording lets nothing through.
//
// # Concurrency
//
// A [Desk] may be used by many goroutines, and many processes may serve the same cards.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Further answers, beside those of package validation. A payload that a form does not take is validation.PayloadRejected.
const (
	// LoginRequired says that the tap is good and the card asks who taps: nothing was recorded.
	LoginRequired validation.Code = "login_required"
)

// The ways in which somebody comes to the desk.
const (
	ChannelWeb = "web" // records taps for everybody
	ChannelAPI = "api" // records taps only for who may do that for the card's issuer
)

// ErrTooMany says that a card, or a client with it, is at its limit for now. Nothing was written.
type ErrTooMany struct {
	RetryAfter time.Duration
}

// Error says for how long to wait.
func (e ErrTooMany) Error() string {
	return fmt.Sprintf("too many requests for this card, wait %v", e.RetryAfter.Round(time.Second))
}

var (
	// ErrNowhere says that neither the card's settings nor its product name a page to go on to, or one that is on none of the issuer's hosts.
	ErrNowhere = errors.New("the card leads to no page")
	// ErrNotRecorded says that no good tap with this counter was recorded lately, so that nobody is sent on by it.
	ErrNotRecorded = errors.New("no tap with this counter was recorded lately")
)

// Products knows what issuers show; *product.Products is it.
type Products interface {
	Face(ctx context.Context, issuer channel.ID) (product.Face, error)
	Of(ctx context.Context, card record.Card) (product.Product, bool, error)
	ByGTIN(ctx context.Context, gtin gs1.GTIN) ([]product.Product, error)
}

// Redirects makes addresses that show that a visitor comes from here; *redirect.Service does.
type Redirects interface {
	Issue(ctx context.Context, target *url.URL, card tap.CardID, counter uint32) (*url.URL, error)
}

// Options is what a Desk works with. Validation, Registry, Settings, Ledger, Authors and Now are needed.
type Options struct {
	Validation *validation.Service
	Registry   *registry.Registry
	Settings   *settings.Service
	Ledger     ledger.Ledger
	Authors    *secrets.Authors // of the tap channels, who sign how new a proof is
	Product    Products         // nil: issuers show nothing but their names
	Redirect   Redirects        // nil: nobody is sent on
	// Observe keeps what was found, to raise alarms; nil keeps nothing. That it fails changes no answer.
	Observe func(ctx context.Context, o Observation) error
	// IsTest tells the sandbox's issuer from the others; nil where there is no sandbox.
	IsTest func(ctx context.Context, issuer channel.ID) bool
	// Limit says for how long to wait before one more of a key is let through; nil lets everything through. The keys are "look" with
	// the card's id and the client's network, so that nobody can lock others out, and "record" with the card's id, of which only taps
	// count that are genuine and unused.
	Limit func(key string) (retryAfter time.Duration, ok bool)
	Now   func() time.Time
	Log   *slog.Logger // of what is told to nobody who asks; nil logs nothing
}

// Desk answers about taps and cards.
type Desk struct {
	Options
	known      known
	unobserved atomic.Uint64
	unshown    atomic.Uint64
}

// New returns a Desk.
func New(o Options) *Desk {
	if o.IsTest == nil {
		o.IsTest = func(context.Context, channel.ID) bool { return false }
	}
	if o.Limit == nil {
		o.Limit = func(string) (time.Duration, bool) { return 0, true }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{Options: o}
}

// Caller is who asks.
type Caller struct {
	Actor   identity.Actor
	Network string // of the client, as edge.Network has it
	Channel string // ChannelWeb or ChannelAPI
}

// Lost counts what failed without changing an answer: findings that were not kept for alarms, and products that were not shown.
type Lost struct{ Unobserved, Unshown uint64 }

// Lost returns the counts of this process so far.
func (d *Desk) Lost() Lost { return Lost{d.unobserved.Load(), d.unshown.Load()} }

// limit asks whether one more may be let through.
func (d *Desk) limit(key string) error {
	if wait, ok := d.Limit(key); !ok {
		return ErrTooMany{wait}
	}
	return nil
}
