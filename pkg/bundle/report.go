package bundle

import (
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/tap"
)

// Report is what a bundle amounts to under a policy. Times are those of the ledger, but for AsOf.
type Report struct {
	Card       tap.CardID   `json:"card"`
	Issuer     channel.ID   `json:"issuer"`
	IssuerName string       `json:"issuerName"` // as the issuer calls itself
	Channel    channel.ID   `json:"channel"`    // the card's tap channel
	Ledger     string       `json:"ledger"`     // origin of the log, or name of the network
	Phase      ledger.Phase `json:"phase"`      // final, witnessed or anchored
	Registered time.Time    `json:"registered"`

	State    string    `json:"state"` // of the card after the last message; "" before it is in service
	Last     uint32    `json:"last"`  // highest counter that is used up
	Taps     uint64    `json:"taps"`  // number of taps that hold
	Settings string    `json:"settings,omitempty"`
	MovedTo  string    `json:"movedTo,omitempty"` // ledger where the card's life goes on, of one that moved
	Messages uint64    `json:"messages"`          // of the tap channel
	Newest   time.Time `json:"newest,omitzero"`

	// Rejected are the records of the tap channel that do not hold and change nothing.
	Rejected []Rejection `json:"rejected,omitempty"`
	// AsOf is when the tap channel's author signed that nothing newer exists; zero without its word.
	AsOf time.Time `json:"asOf,omitzero"`
	// Anchor is where the log's checkpoint is recorded; nil when the bundle does not show it.
	Anchor *Anchor `json:"anchor,omitempty"`
	// Alias is the tap channel's on a Stardust network; nil on a log, and while the channel is empty.
	Alias *Alias `json:"alias,omitempty"`

	Proved  []string `json:"proved"`  // in words, what the bundle proves
	Trusted []string `json:"trusted"` // in words, what it does not prove, and whose word it is
}

// Rejection names a record that does not hold, and why.
type Rejection struct {
	Number uint64        `json:"number"`         // in the tap channel
	Kind   string        `json:"kind,omitempty"` // "" when the body could not be read
	Reason record.Reason `json:"reason"`
}

// Anchor is the message on another ledger that holds the checkpoint.
type Anchor struct {
	Ledger  string     `json:"ledger"`
	Channel channel.ID `json:"channel"`
	Time    time.Time  `json:"time"` // by that ledger's clock
}

// Alias is a channel's alias on a Stardust network.
type Alias struct {
	ID     stardust.Hash    `json:"id"`
	Issuer stardust.Address `json:"issuer"` // who created it
}

func (v *verifier) report() Report {
	issuer, _, _ := v.states.Issuer(v.result.Issuer) // a Map has no errors, and fold has seen the issuer
	r := Report{
		Card: v.result.ID, Issuer: issuer.Channel, IssuerName: issuer.Name, Channel: v.result.Taps,
		Ledger: v.origin, Phase: v.phase, Registered: v.registration.time,
		State: v.result.State, Last: v.result.Last, Taps: v.result.Recorded, Settings: v.result.Settings, Messages: uint64(len(v.taps)),
	}
	if r.State == record.StateMoved {
		r.MovedTo = v.result.Place
	}
	for _, x := range v.states.Rejections() {
		r.Rejected = append(r.Rejected, Rejection{x.Number, x.Kind, x.Reason})
	}
	if n := len(v.taps); n > 0 {
		r.Newest = v.taps[n-1].time
	}
	if v.head != nil {
		r.AsOf = v.head.time
	}
	if v.anchor != nil {
		r.Phase = ledger.Anchored
		r.Anchor = &Anchor{v.anchoredIn, v.anchor.entry.message.Channel(), v.anchor.entry.time}
	}
	if a, found := v.aliases[v.result.Taps]; found {
		r.Alias = &Alias{a.ID, a.Issuer}
	}
	r.Proved, r.Trusted = r.proves(v.phase == ledger.Witnessed), r.trusts(len(v.policy.Issuers) > 0)
	return r
}

// proves says in words what follows from signatures and hashes, given the policy's keys.
func (r Report) proves(witnessed bool) []string {
	words := []string{
		fmt.Sprintf("issuer %v registered the card at %s, and the card's own key asked for it", r.Issuer, clock(r.Registered)),
		fmt.Sprintf("%s recorded %d messages of tap channel %v, from number 0 on without a gap, each signed by the channel's author", r.Ledger, r.Messages, r.Channel),
		fmt.Sprintf("the card signed %d taps; counters up to %d are used up; its state is %q", r.Taps, r.Last, r.State),
	}
	if n := len(r.Rejected); n > 0 {
		words = append(words, fmt.Sprintf("%d records do not hold and change nothing", n))
	}
	if witnessed {
		words = append(words, "as many witnesses as the policy asks for have cosigned the checkpoint")
	}
	if a := r.Anchor; a != nil {
		words = append(words, fmt.Sprintf("%s recorded the checkpoint at %s, on channel %v", a.Ledger, clock(a.Time), a.Channel))
	}
	if !r.AsOf.IsZero() {
		words = append(words, fmt.Sprintf("the channel's author signed at %s that message %d is the newest", clock(r.AsOf), r.Messages-1))
	}
	return words
}

// trusts says in words what the bundle cannot prove, and whose word it is.
func (r Report) trusts(issuerNamed bool) []string {
	words := []string{fmt.Sprintf("%s gives each number of a channel once and shows everybody the same", r.Ledger)}
	if a := r.Alias; a != nil {
		words = append(words, fmt.Sprintf("alias %v, created by address %v, is the tap channel's first on %s", a.ID, a.Issuer, r.Ledger))
	}
	words = append(words, fmt.Sprintf("%s holds no earlier registration of this card", r.Ledger))
	if issuerNamed {
		words = append(words, "the issuer, whom the policy names, says what the card stands for")
	} else {
		words = append(words, "the issuer is the one you mean: the policy names none")
	}
	if n := r.removed(); n > 0 {
		words = append(words, fmt.Sprintf("%d messages whose payload is not in the bundle decided nothing", n))
	}
	if r.AsOf.IsZero() {
		return append(words, "nobody says that the tap channel has nothing newer")
	}
	return append(words, fmt.Sprintf("the channel's author says that nothing newer existed at %s; nobody says so of the time after", clock(r.AsOf)))
}

// removed counts the messages of which only the stub is left.
func (r Report) removed() (n int) {
	for _, x := range r.Rejected {
		if x.Reason == record.ReasonRemoved {
			n++
		}
	}
	return n
}

// clock is a time of whole milliseconds as it stands in a report's words.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
