// Package station makes cards: it has a card make its key, registers the key on the issuer's channel, writes the
// template, reads the rehearsal as a phone would, locks the card, reads its first tap and puts it in service.
//
// What to do next is derived each time from what the card and the ledger say, and from nothing else: a run that was
// cut at any command or any submission is mended by a second run with the same order. No step is done twice: one key,
// one registration, one beginning of service.
//
// # What is final
//
// The key is made once. A registration stays on the ledger. A locked card can be changed by nobody, ever.
//
// # Concurrency
//
// Several cards may be personalised at once, by one Station or by several processes on one ledger; each card by one at
// a time.
package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Why a card is refused. Nothing was written to it after the refusal was known.
var (
	// ErrForeign says that another issuer registered the card on this ledger.
	ErrForeign = errors.New("the card is registered by another issuer")
	// ErrOtherTemplate says that the card is registered or locked with another template than the order's.
	ErrOtherTemplate = errors.New("the card has another template for good")
	// ErrOtherProfile says that the card is locked with another profile than the order's; the error says with which.
	ErrOtherProfile = errors.New("the card has another profile for good")
	// ErrOtherOrder says that the card is registered as something else than the order says; the error says as what.
	ErrOtherOrder = errors.New("the card is registered as something else")
	// ErrNotRegistered says that this ledger does not know a card that is locked, or is to be.
	ErrNotRegistered = errors.New("this ledger does not know the card")
	// ErrOtherAlgorithm says that the card's key is of another algorithm than the order's, or that the card cannot make such a key.
	ErrOtherAlgorithm = errors.New("the card cannot sign as ordered")
	// ErrOtherKey says that the ledger has another key, or another tap channel, for the card's id.
	ErrOtherKey = errors.New("the ledger knows the card's id otherwise")
	// ErrFewTaps says that the card is so near the end of its counter that it is not worth making.
	ErrFewTaps = errors.New("the card has too few taps left")
	// ErrDamaged says that the card does not know its own state.
	ErrDamaged = errors.New("the card's memory is damaged")
	// ErrRehearsal says that what a phone would read from the card is not what it should serve.
	ErrRehearsal = errors.New("what the card serves is not right")
	// ErrChanged says that somebody wrote to the card, or put another there, after its rehearsal. It was not locked.
	ErrChanged = errors.New("the card is not what was rehearsed")
	// ErrFirstTap says that the locked card does not serve or answer what it should. It was not put in service.
	ErrFirstTap = errors.New("what the locked card serves is not right")
)

// minTaps is what a card must have left to be made: a thing that is tapped once a day for three years needs about as many,
// and a card whose counter was run down on purpose is told apart from one that was tried out.
const minTaps = 1000

// Registry is what the ledger says about cards, as host/registry keeps it.
type Registry interface {
	// Sync takes over everything that the ledger holds now.
	Sync(ctx context.Context) error
	// Card is the card with this id; registry.ErrUnknownCard if none is registered.
	Card(ctx context.Context, id tap.CardID) (record.Card, error)
	// TooOld is record.ErrMust for a channel that this version cannot read to its end.
	TooOld(id channel.ID) error
	// CheckIssuer is registry.ErrMoved for an issuer that went to another ledger.
	CheckIssuer(ctx context.Context, id channel.ID) error
}

// Options are the parts of a Station; all but Name are needed.
type Options struct {
	Ledger   ledger.Ledger
	List     registry.Lister
	Registry Registry

	Issuer  secrets.Issuer // for whom cards are made
	Authors *secrets.Authors

	Name   string // of this station, as registrations name it
	Random io.Reader
	Now    func() time.Time
}

// Station personalises cards. Make one with New.
type Station struct {
	Options
	issuer *channel.Author
}

// New returns a station. It touches nothing.
func New(o Options) *Station {
	return &Station{Options: o, issuer: o.Issuer.Author()}
}

// Irreversible is a step that nobody can take back.
type Irreversible string

// The irreversible steps on a card.
const (
	MakesKey Irreversible = "make the card's key" // once in its life
	Locks    Irreversible = "lock the card"       // nothing on it can be changed after
)

// Order says what one card is to become.
type Order struct {
	Template  tap.Template
	Algorithm tap.Algorithm
	Profile   card.Profile // the zero value is that for phones: signed taps, card.DefaultMaxRead
	Subject   string       // record.SubjectProduct, …
	GTIN      string       // of 14 digits, as gs1.ParseGTIN makes it; "" for what has none
	Lot       string
	Serial    string // empty where the URLs are GS1 Digital Links that have the card's id in its place: then that is recorded
	Operator  string
	Lock      bool // else it stops before it, and another run goes on
	// Confirm is asked before each irreversible step; its error ends the run. The id is zero before the key is made.
	Confirm func(Irreversible, tap.CardID) error

	registered bool // made by Registered: what it says stands on the ledger already, whatever that is
}

// Event tells how far a run has come. Each step that is reached gives one with Done false, then, if it went well, one
// with Done true.
type Event struct {
	Step   Step
	Done   bool
	Detail string        // what there is to know; with Done only
	Took   time.Duration // with Done only
	// Slow is how long the card took for one answer while it was read as phones read it, if that was so long that some may give up;
	// else zero.
	Slow time.Duration
}

// Report is what became of a card. JSON names are stable.
type Report struct {
	ID         tap.CardID      `json:"card"`
	Algorithm  string          `json:"alg"`
	Issuer     channel.ID      `json:"issuer"`
	Taps       channel.ID      `json:"taps"`
	Template   tap.Template    `json:"template"`
	State      string          `json:"state"` // "keyed", "registered", "locked" or a state of the ledger: "in_service", …
	Counter    uint32          `json:"counter"`
	Registered *ledger.Receipt `json:"registered,omitempty"` // nil when an earlier run did it
	InService  *ledger.Receipt `json:"inService,omitempty"`  // the same
}

// stateRegistered is a card's state between its registration and its lock.
const stateRegistered = "registered"

// Personalise brings one card to where the order wants it, from wherever it stands, and tells each step to emit.
//
// On an error the report says how far the card came; what was done is done, and a run with the same order goes on from
// there. The refusals are the package's errors; those of the card (apdu.Status), the reader and the ledger
// (ledger.ErrUncertain, ledger.ErrUnavailable) pass through.
func (s *Station) Personalise(ctx context.Context, t apdu.Transmitter, o Order, emit func(Event)) (Report, error) {
	if err := s.Check(o); err != nil {
		return Report{}, fmt.Errorf("checking the order: %w", err)
	}
	j := &job{Station: s, reader: t, order: o}
	for _, step := range j.steps() {
		if err := ctx.Err(); err != nil {
			return j.report, fmt.Errorf("%s: %w", step.name.Doing(), err)
		}
		emit(Event{Step: step.name})
		j.slow = 0
		begin := s.Now()
		detail, err := step.run(ctx)
		if err != nil {
			return j.report, fmt.Errorf("%s: %w", step.name.Doing(), err)
		}
		emit(Event{Step: step.name, Done: true, Detail: detail, Took: s.Now().Sub(begin), Slow: j.slow})
	}
	return j.report, nil
}

// Check refuses an order that a station with these options could not record: tap.ErrMalformed for the template, card.ErrRefused for
// the profile, ErrDisagrees, record.ErrMalformed for the rest. It needs the names alone, and touches neither card nor ledger.
func (o Options) Check(order Order) error {
	if err := order.Template.Check(); err != nil {
		return err
	}
	if err := order.profile().Check(); err != nil {
		return err
	}
	if order.registered {
		return registry.CheckOpening(o.Issuer.Name, o.Issuer.URL)
	}
	if err := order.agrees(); err != nil {
		return err
	}
	if _, err := order.longest(o.Name).Encode(); err != nil {
		return err
	}
	return registry.CheckOpening(o.Issuer.Name, o.Issuer.URL)
}

// longest is a registration with as many bytes in it as what the card will add can have.
func (o Order) longest(station string) record.CardRegistered {
	r := o.record(station, card.Info{Version: card.Version{Major: math.MaxUint8, Minor: math.MaxUint8}}, tap.CardID{1})
	r.Key = make([]byte, 65) // a point
	if o.Algorithm == tap.RSA2048 {
		r.Key = make([]byte, 259) // a modulus and its exponent
	}
	r.Proof = record.Proof{Counter: math.MaxUint32, Nonce: make([]byte, tap.MinNonce), Signature: make([]byte, o.Algorithm.SignatureLen())}
	return r
}
