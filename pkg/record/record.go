// Package record says what the messages of our channels mean, and folds them into the state of issuers and cards.
//
// A message's body is one JSON object with a member "kind" (I-JSON, RFC 7493). [Parse] reads it strictly: exact case, no member
// twice, no trailing data. Members that a reader does not know are kept; a kind that it does not know is skipped and counted,
// unless the body says "must": true. Formats: docs/formats/records.md.
//
// [Fold] is the one reducer. It believes nothing that is not proved: a card's registration carries the card's own answer to a
// challenge that names issuer and tap channel, each tap carries the card's own signature. So whoever reads a ledger comes to the
// same [States], and not even the operator of a ledger can invent a tap.
//
// # Concurrency
//
// Bodies and states are values. A [Map], and any [States] that is handed to Fold, is used by one goroutine at a time.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/productid/productid/pkg/channel"
)

// The kinds of records that this package reads.
const (
	KindIssuerOpened     = "issuer.opened"
	KindIssuerMoved      = "issuer.moved"
	KindIssuerContinued  = "issuer.continued"
	KindIssuerSucceeded  = "issuer.succeeded"
	KindCardRegistered   = "card.registered"
	KindCardInService    = "card.in_service"
	KindCardCarried      = "card.carried"
	KindCardReinstated   = "card.reinstated"
	KindCardRevoked      = "card.revoked"
	KindCardAssociated   = "card.associated"
	KindTap              = "tap"
	KindCardConfigured   = "card.configured"
	KindChannelMoved     = "channel.moved"
	KindChannelContinued = "channel.continued"
	KindSettings         = "settings"
)

// The states that a card's tap channel can say it is in. A card in service is good for taps, also when its production is
// completed; a revoked one is not, and a card that moved has its further life on another ledger.
const (
	StateInService = "in_service"
	StateCompleted = "completed"
	StateRevoked   = "revoked"
	StateMoved     = "moved"

	// StateLost is no state that a channel says: it is that of a card whose newest taps nobody knows any more, until it is
	// reinstated.
	StateLost = "lost"
)

var (
	// ErrMalformed says that a body is not I-JSON, or has not the members that its kind has.
	ErrMalformed = errors.New("malformed record")
	// ErrMust says that a record of an unknown kind must not be skipped: the reader is too old for this channel.
	ErrMust = errors.New("a record that must be understood is of an unknown kind")
)

// Record is one body that was read.
type Record struct {
	Kind  string
	Must  bool // a reader that does not know the kind has to stop
	Value any  // one of the bodies of this package, such as Tap; nil for an unknown kind
	Raw   []byte
}

// Parse reads the body of a message. A kind that is not known is no error and has the Value nil. The error is ErrMalformed. The
// record shares body's memory.
func Parse(body []byte) (Record, error) {
	o, err := parseBody(body)
	if err != nil {
		return Record{}, err
	}
	r := Record{Raw: body}
	head := struct {
		Kind string `json:"kind"`
		Must bool   `json:"must,omitempty"`
	}{}
	if err := o.fill(reflect.ValueOf(&head).Elem()); err != nil {
		return Record{}, err
	}
	if head.Kind == "" {
		return Record{}, malformed("empty kind")
	}
	r.Kind, r.Must = head.Kind, head.Must
	if r.Value, err = parseValue(o, r.Kind); err != nil {
		return Record{}, fmt.Errorf("%s: %w", r.Kind, err)
	}
	return r, nil
}

func parseBody(body []byte) (object, error) {
	if len(body) > channel.MaxBody {
		return nil, malformed("body of %d bytes: want at most %d", len(body), channel.MaxBody)
	}
	return parseObject(body)
}

func parseValue(o object, kind string) (any, error) {
	switch kind {
	case KindIssuerOpened:
		return read[IssuerOpened](o)
	case KindIssuerMoved:
		return read[IssuerMoved](o)
	case KindIssuerContinued:
		return read[IssuerContinued](o)
	case KindIssuerSucceeded:
		return read[IssuerSucceeded](o)
	case KindCardRegistered:
		return read[CardRegistered](o)
	case KindCardCarried:
		return read[CardCarried](o)
	case KindCardReinstated:
		return read[CardReinstated](o)
	case KindCardRevoked:
		return read[CardRevoked](o)
	case KindCardAssociated:
		return read[CardAssociated](o)
	case KindCardInService:
		return read[CardInService](o)
	case KindTap:
		return read[Tap](o)
	case KindCardConfigured:
		return read[CardConfigured](o)
	case KindChannelMoved:
		return read[ChannelMoved](o)
	case KindChannelContinued:
		return read[ChannelContinued](o)
	case KindSettings:
		return read[Settings](o)
	}
	return nil, nil
}

// body is a kind of record that this package knows.
type body interface{ check() error }

func read[B body](o object) (any, error) {
	var b B
	if err := o.fill(reflect.ValueOf(&b).Elem()); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// encode writes a body with its kind before its members, as the bytes that are signed and kept. It never returns what Parse
// would refuse: a record that nobody can read would end its channel.
func encode(kind string, b body) ([]byte, error) {
	if err := b.check(); err != nil { // before json puts another character in the place of what is no UTF-8
		return nil, fmt.Errorf("encoding %s: %w", kind, err)
	}
	var members bytes.Buffer
	e := json.NewEncoder(&members)
	e.SetEscapeHTML(false) // URLs stay readable
	if err := e.Encode(b); err != nil {
		return nil, fmt.Errorf("encoding %s: %w: %w", kind, ErrMalformed, err)
	}
	rest := bytes.TrimSuffix(members.Bytes(), []byte("\n"))[len("{"):]
	encoded := []byte(`{"kind":"` + kind + `"`)
	if string(rest) != "}" {
		encoded = append(encoded, ',')
	}
	encoded = append(encoded, rest...)
	if _, err := Parse(encoded); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", kind, err)
	}
	return encoded, nil
}

// TapHead is what each record of a tap channel says of the card after it.
type TapHead struct {
	Kind     string
	Last     uint32 // highest counter that is used up
	State    string // StateInService, StateCompleted, StateRevoked or StateMoved
	Settings string // hash of the newest settings message, "" when there is none
}

// ParseTapHead reads the head of a record of a tap channel, of any kind: the channel's newest message is enough to decide on a
// tap. It checks no proof, as Fold does: ask it about channels whose author one trusts, such as one's own. The error is
// ErrMalformed, also for a state that this reader does not know, or ErrMust.
func ParseTapHead(body []byte) (TapHead, error) {
	r, err := Parse(body)
	if err != nil {
		return TapHead{}, err
	}
	if r.Value == nil && r.Must {
		return TapHead{}, fmt.Errorf("%w: %.40q", ErrMust, r.Kind)
	}
	return r.tapHead()
}

// tapHead reads the head out of a record that was parsed.
func (r Record) tapHead() (TapHead, error) {
	switch v := r.Value.(type) {
	case Tap:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case CardInService:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case CardReinstated:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case CardConfigured:
		return TapHead{r.Kind, v.Last, v.State, v.Settings.String()}, nil
	case CardRevoked:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case CardAssociated:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case ChannelMoved:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	case ChannelContinued:
		return TapHead{r.Kind, v.Last, v.State, v.Settings}, nil
	}
	o, err := parseObject(r.Raw)
	if err != nil {
		return TapHead{}, err
	}
	var head CardInService // the kind that has these members and no more
	if err := o.fill(reflect.ValueOf(&head).Elem()); err != nil {
		return TapHead{}, fmt.Errorf("%.40s: %w", r.Kind, err)
	}
	return TapHead{r.Kind, head.Last, head.State, head.Settings}, head.check()
}
