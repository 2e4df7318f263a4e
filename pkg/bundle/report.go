package bundle

import (
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Report is what a bundle amounts to under a policy.
type Report struct {
	Card       tap.CardID   `json:"card"`
	Issuer     channel.ID   `json:"issuer"`
	IssuerName string       `json:"issuerName"` // as the issuer calls itself
	Channel    channel.ID   `json:"channel"`    // the tap channel
	Ledger     string       `json:"ledger"`     // origin of the log
	Size       uint64       `json:"size"`       // of the log
	Phase      ledger.Phase `json:"phase"`      // final, witnessed or anchored
	Registered time.Time    `json:"registered"` // by the ledger's clock

	State    string    `json:"state"`    // of the card after the last message; "" before it is in service
	Last     uint32    `json:"last"`     // highest counter that is used up
	Taps     uint64    `json:"taps"`     // number of taps that hold
	Messages int       `json:"messages"` // of the tap channel
	Newest   time.Time `json:"newest,omitzero"`
	Settings string    `json:"settings,omitempty"`

	// Rejected are the records that do not hold and change nothing.
	Rejected []record.Rejection `json:"rejected,omitempty"`
	// AsOf is when the author signed that nothing newer exists; zero without its word.
	AsOf time.Time `json:"asOf,omitzero"`
	// Anchor is where the checkpoint is recorded; nil when the bundle does not show it.
	Anchor *Anchor `json:"anchor,omitempty"`

	Proved  []string `json:"proved"`  // in words, what the bundle proves
	Trusted []string `json:"trusted"` // in words, what it does not prove, and whom one takes it from
}

// Anchor is the message on another ledger that holds the checkpoint.
type Anchor struct {
	Ledger  string     `json:"ledger"`
	Channel channel.ID `json:"channel"`
	Time    time.Time  `json:"time"` // by that ledger's clock
}

func (v *verifier) report() Report {
	issuer, _, _ := v.states.Issuer(v.found.Issuer) // a Map has no errors, and fold has seen the issuer
	r := Report{
		Card: v.found.ID, Issuer: issuer.Channel, IssuerName: issuer.Name, Channel: v.found.Taps,
		Ledger: v.checkpoint.Origin, Size: v.checkpoint.Size, Phase: v.phase, Registered: v.registration.time,
		State: v.found.State, Last: v.found.Last, Taps: v.found.Recorded, Messages: len(v.taps), Settings: v.found.Settings,
		Rejected: v.states.Rejections(),
	}
	if n := len(v.taps); n > 0 {
		r.Newest = v.taps[n-1].time
	}
	if v.head != nil {
		r.AsOf = v.head.time
	}
	if v.anchor != nil {
		r.Anchor = &Anchor{v.anchored.Ledger, v.anchored.Channel, v.anchored.Time}
	}
	r.Proved, r.Trusted = v.proved(r), v.trusted(r)
	return r
}

// proved says in words what follows from signatures and hashes, given the policy's keys.
func (v *verifier) proved(r Report) []string {
	words := []string{
		fmt.Sprintf("card %v was registered by issuer %v at %s, and the card's own key asked for it", r.Card, r.Issuer, clock(r.Registered)),
		fmt.Sprintf("log %s holds %d messages of tap channel %v, from number 0 on without a gap, each signed by the channel's author", r.Ledger, r.Messages, r.Channel),
		fmt.Sprintf("%d taps were signed by the card; counters up to %d are used up; the state is %q", r.Taps, r.Last, r.State),
	}
	if n := len(r.Rejected); n > 0 {
		words = append(words, fmt.Sprintf("%d records do not hold and change nothing", n))
	}
	if r.Phase == ledger.Witnessed {
		words = append(words, "the witnesses that the policy asks for have cosigned the log's checkpoint")
	}
	if r.Anchor != nil {
		words = append(words, fmt.Sprintf("ledger %s recorded the log's checkpoint at %s, on channel %v", r.Anchor.Ledger, clock(r.Anchor.Time), r.Anchor.Channel))
	}
	if !r.AsOf.IsZero() {
		words = append(words, fmt.Sprintf("the author of the tap channel signed that at %s message %d was its newest", clock(r.AsOf), r.Messages-1))
	}
	return words
}

// trusted says in words what the bundle cannot prove, and whose word it is.
func (v *verifier) trusted(r Report) []string {
	words := []string{
		fmt.Sprintf("log %s: that it gives each number once and shows everybody the same", r.Ledger),
		fmt.Sprintf("log %s and issuer %v: that this is the card's first registration", r.Ledger, r.Issuer),
		fmt.Sprintf("issuer %v: what the card stands for", r.Issuer),
	}
	if r.AsOf.IsZero() {
		return append(words, "nobody says that the tap channel has nothing newer")
	}
	return append(words, fmt.Sprintf("the author of the tap channel: that it had nothing newer at %s; nobody says so of the time after", clock(r.AsOf)))
}

// clock is a time of whole milliseconds as it stands in a report's words.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
