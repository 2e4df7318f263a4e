package record

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// HistoryLost is the one reason for which an issuer's channel is succeeded by another one.
const HistoryLost = "history_lost"

// IssuerSucceeded is the first message of the channel that takes the place of an issuer's channel of which nobody knows the newest
// messages any more. Nothing more is written on that one: it would give two messages one number.
type IssuerSucceeded struct {
	Name     string       `json:"name"`
	URL      string       `json:"url"`
	Log      string       `json:"log,omitempty"`     // as in IssuerOpened
	Network  string       `json:"network,omitempty"` // the same
	Next     channel.Hash `json:"next"`              // SHA-256 of the author key that may succeed this one
	Previous channel.ID   `json:"previous"`          // the channel that it succeeds
	Opening  Bytes        `json:"opening"`           // first message of that channel, whole: it commits to this one
	Reason   string       `json:"reason"`            // HistoryLost
	Since    Milliseconds `json:"since"`             // time, by the old ledger, of the last message that is known
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b IssuerSucceeded) Encode() ([]byte, error) { return encode(KindIssuerSucceeded, b) }

func (b IssuerSucceeded) check() error {
	if b.Reason != HistoryLost {
		return malformed("reason %.40q", b.Reason)
	}
	if b.Since < 1 || b.Since > maxMilliseconds {
		return malformed("since %d", b.Since)
	}
	return IssuerOpened{Name: b.Name, URL: b.URL, Log: b.Log, Network: b.Network, Next: b.Next}.check()
}

// Milliseconds is a time, since 1970, UTC.
type Milliseconds int64

// UnmarshalJSON reads a number that is written as an integer. The error is ErrMalformed.
func (m *Milliseconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return malformed("no time in milliseconds")
	}
	*m = Milliseconds(n)
	return nil
}

// maxMilliseconds is the end of the year 9999.
const maxMilliseconds = 253402300799999

// Time returns it as such.
func (m Milliseconds) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// CardCarried lists, on the channel that succeeds an issuer's, a card that the issuer had registered.
type CardCarried struct {
	Registration Bytes      `json:"registration"` // the message with its CardRegistered, whole
	Taps         channel.ID `json:"taps"`         // its tap channel from now on
	Last         uint32     `json:"last"`         // highest counter that is known to be used up; later ones may be
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardCarried) Encode() ([]byte, error) { return encode(KindCardCarried, b) }

func (CardCarried) check() error { return nil }

// CardReinstated is the first message of the tap channel of a card that was carried: from here on its taps count again. Counters
// up to that of the proof are used up, so no tap that was read before it passes.
type CardReinstated struct {
	Last     uint32 `json:"last"`  // the proof's counter
	State    string `json:"state"` // StateInService or StateCompleted
	Settings string `json:"settings,omitempty"`
	Proof    Proof  `json:"proof"` // of the card's presence, with the context RegistrationContext of its issuer and tap channel
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardReinstated) Encode() ([]byte, error) { return encode(KindCardReinstated, b) }

func (b CardReinstated) check() error { return checkHead(b.State, b.Settings) }

// succeed returns the issuer that e opens in the place of another one, or false when it does not show that it may.
func (b IssuerSucceeded) succeed(e ledger.Entry) (Issuer, bool) {
	at := refOf(e)
	previous, ok := ancestors(b, at.Channel)
	return Issuer{
		Channel: at.Channel, Name: b.Name, URL: b.URL, Log: b.Log, Network: b.Network, Next: b.Next,
		Opened: at, Head: at, Previous: previous, Since: b.Since.Time(),
	}, ok
}

// ancestors returns the channels that one succeeds, the newest first, if each commits to the one after it.
func ancestors(b IssuerSucceeded, successor channel.ID) ([]channel.ID, bool) {
	var line []channel.ID
	for { // ends: each opening holds the one before it
		m, err := channel.Parse(b.Opening)
		if err != nil || m.Check(b.Previous, channel.Public, 0, channel.Hash{}) != nil || b.Previous == successor {
			return nil, false
		}
		r, reason := readRecord(m)
		if reason != "" {
			return nil, false
		}
		line = append(line, b.Previous)
		switch v := r.Value.(type) {
		case IssuerOpened:
			return line, v.Next == sha256.Sum256(successor[:])
		case IssuerSucceeded:
			if v.Next != sha256.Sum256(successor[:]) {
				return nil, false
			}
			b, successor = v, b.Previous
		default:
			return nil, false
		}
	}
}

// prove returns the card that e carries over, or why that does not hold: its registration has to hold on a channel that the issuer's
// succeeded.
func (b CardCarried) prove(issuer Issuer, e ledger.Entry) (Card, Reason) {
	m, err := channel.Parse(b.Registration)
	if err != nil {
		return Card{}, ReasonBadRegistration
	}
	r, reason := readRecord(m)
	registered, isRegistration := r.Value.(CardRegistered)
	if reason != "" || !isRegistration || m.Mode() != channel.Public || !slices.Contains(issuer.Previous, m.Channel()) {
		return Card{}, ReasonBadRegistration
	}
	card, reason := registered.prove(ledger.Entry{Message: m})
	switch {
	case reason != "":
		return Card{}, reason
	case b.Last < card.Last: // the counter of the registration's proof is used up
		return Card{}, ReasonWrongLast
	case b.Taps == card.Taps:
		return Card{}, ReasonTapsTaken
	}
	card.Previous, card.Issuer, card.Taps = card.Issuer, issuer.Channel, b.Taps
	card.Registered, card.Last, card.State, card.Since = refOf(e), b.Last, StateLost, issuer.Since
	return card, ""
}

// followLost lets a card follow whose history is lost: nothing but its reinstatement puts it back into service, and it can be revoked.
func (c Card) followLost(r Record, at Ref) (Card, Reason) {
	switch v := r.Value.(type) {
	case nil:
		return c.followUnknown(r), ReasonUnknownKind
	case CardReinstated:
		return c.reinstate(v, at.Number)
	case CardRevoked:
		return c.revoke(v, at.Time)
	case CardInService, Tap, CardConfigured, CardAssociated, ChannelMoved, ChannelContinued:
		return c, ReasonHistoryLost
	}
	return c, ReasonWrongChannel
}

// reinstate puts a card back into service that has shown itself.
func (c Card) reinstate(b CardReinstated, number uint64) (Card, Reason) {
	answer := tap.Challenge{
		Nonce: b.Proof.Nonce, Context: RegistrationContext(c.Issuer, c.Taps), Counter: b.Proof.Counter, Signature: b.Proof.Signature,
	}
	switch {
	case number != 0:
		return c, ReasonNotFirst
	case b.Last < c.Last || b.Last != b.Proof.Counter:
		return c, ReasonWrongLast
	case b.State != StateInService && b.State != StateCompleted:
		return c, ReasonWrongState
	case answer.Verify(c.Key) != nil:
		return c, ReasonBadProof
	}
	c.Last, c.State, c.Settings = b.Last, b.State, b.Settings
	return c, ""
}
