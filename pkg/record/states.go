package record

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// States is what Fold reads and writes: the state of issuers and cards after the messages so far. A store need not know any
// rule. An error of any method ends Fold with that error.
type States interface {
	Issuer(channel.ID) (Issuer, bool, error)
	Card(tap.CardID) (Card, bool, error)
	CardByTaps(channel.ID) (Card, bool, error)
	PutIssuer(Issuer) error
	// PutCard stores a card after a message of its tap channel, or after its registration. The record is the one that holds, so
	// that a store can keep an index of it; the zero Record when the message changed no more than the channel's head.
	PutCard(Card, Record) error
	// Reject takes note of a record that does not hold.
	Reject(Rejection) error
	// Ignore takes note of a message that is none of an issuer's or a card's.
	Ignore(ledger.Entry) error
}

// Ref is a message's place in its channel and in the ledger.
type Ref struct {
	Channel channel.ID   `json:"channel"`
	Number  uint64       `json:"number"`
	Hash    channel.Hash `json:"hash"`
	Index   uint64       `json:"index"`
	Time    time.Time    `json:"time"` // the ledger's own, UTC, whole milliseconds
}

// IsZero reports whether r is no message's place.
func (r Ref) IsZero() bool { return r.Hash == channel.Hash{} }

func refOf(e ledger.Entry) Ref {
	m := e.Message
	return Ref{m.Channel(), m.Number(), m.Hash(), e.Index, e.Time.UTC().Truncate(time.Millisecond)}
}

// Issuer is who lists cards.
type Issuer struct {
	Channel channel.ID   `json:"channel"`
	Name    string       `json:"name"`
	URL     string       `json:"url"`
	Log     string       `json:"log,omitempty"`
	Network string       `json:"network,omitempty"`
	Next    channel.Hash `json:"next"`
	Opened  Ref          `json:"opened"`
	Head    Ref          `json:"head"`
	// Place is where the issuer moved last: origin of the log, or name of the network; "" when it never did. Moved says that its
	// channel has ended and was not continued there as far as it was folded.
	Place string `json:"place,omitempty"`
	Moved bool   `json:"moved,omitempty"`
	// Previous are the channels that this one succeeded because their newest messages were lost, the newest first, and Since is
	// until when the history of the newest is known. Both are zero of an issuer that lost nothing.
	Previous []channel.ID `json:"previous,omitempty"`
	Since    time.Time    `json:"since,omitzero"`
}

// IsOn reports whether the issuer lists its cards on the ledger with this origin, and not only on another that it moved to. Of an
// issuer that never moved it is true of every ledger.
func (i Issuer) IsOn(origin string) bool {
	return !i.Moved && (i.Place == "" || i.Place == origin)
}

// Card is what the ledger says of a card.
type Card struct {
	ID         tap.CardID
	Key        tap.Key
	Issuer     channel.ID
	Taps       channel.ID // its tap channel
	Template   tap.Template
	Subject    string
	GTIN       string
	Lot        string
	Serial     string
	Registered Ref
	Head       Ref    // newest message of the tap channel; zero when there is none
	Last       uint32 // highest counter that is used up
	State      string // "" before the card is in service
	Settings   string // hash of the newest settings message, or ""
	Recorded   uint64 // number of taps
	Place      string // where the channel moved last: origin of the log, or name of the network; "" when it never did
	Was        string // the state before, of a card that moved and was not continued as far as it was folded
	// Previous is the issuer's channel that registered a card which was carried over to Issuer, and Since until when its history there
	// is known; both are zero of a card that was not. Its Registered is then where it was carried over.
	Previous channel.ID
	Since    time.Time
	// Reason is why the card was revoked and Revoked when, by the ledger's time; both are zero of a card that was not. Device is what
	// it was associated with last, and Associated when.
	Reason     string
	Revoked    time.Time
	Device     string
	Associated time.Time
}

// On returns the card as a reader of the ledger with this origin has to take it. Anybody can copy to a ledger what follows on the
// one that a card moved to; here the card stays moved all the same.
func (c Card) On(origin string) Card {
	if c.Place != "" && c.Place != origin {
		c.State = StateMoved
	}
	return c
}

// MarshalJSON writes the card for people and dumps: all members, the key in the form of a registration.
func (c Card) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID         tap.CardID `json:"id"`
		Alg        string     `json:"alg"`
		Key        Bytes      `json:"key"`
		Issuer     channel.ID `json:"issuer"`
		Taps       channel.ID `json:"taps"`
		Prefix     string     `json:"prefix"`
		Middle     string     `json:"middle"`
		Subject    string     `json:"subject"`
		GTIN       string     `json:"gtin,omitempty"`
		Lot        string     `json:"lot,omitempty"`
		Serial     string     `json:"serial,omitempty"`
		Registered Ref        `json:"registered"`
		Head       Ref        `json:"head,omitzero"`
		Last       uint32     `json:"last"`
		State      string     `json:"state"`
		Settings   string     `json:"settings,omitempty"`
		Recorded   uint64     `json:"recorded"`
		Place      string     `json:"place,omitempty"`
		Was        string     `json:"was,omitempty"`
		Previous   channel.ID `json:"previous,omitzero"`
		Since      time.Time  `json:"since,omitzero"`
		Reason     string     `json:"reason,omitempty"`
		Revoked    time.Time  `json:"revoked,omitzero"`
		Device     string     `json:"device,omitempty"`
		Associated time.Time  `json:"associated,omitzero"`
	}{
		c.ID, c.Key.Algorithm().String(), c.Key.Bytes(), c.Issuer, c.Taps, c.Template.Prefix, c.Template.Middle,
		c.Subject, c.GTIN, c.Lot, c.Serial, c.Registered, c.Head, c.Last, c.State, c.Settings, c.Recorded, c.Place, c.Was,
		c.Previous, c.Since, c.Reason, c.Revoked, c.Device, c.Associated,
	})
}

// Rejection names a record that does not hold, and why.
type Rejection struct {
	Index   uint64     `json:"index"` // in the ledger
	Channel channel.ID `json:"channel"`
	Number  uint64     `json:"number"`
	Kind    string     `json:"kind,omitempty"` // "" when the body could not be read
	Reason  Reason     `json:"reason"`
}

// Dump writes states in the one form in which equal states give equal bytes: a JSON object a line, first issuers by channel, then
// cards by id, then rejections by index. It sorts the slices.
func Dump(issuers []Issuer, cards []Card, rejections []Rejection) ([]byte, error) {
	slices.SortFunc(issuers, func(a, b Issuer) int { return bytes.Compare(a.Channel[:], b.Channel[:]) })
	slices.SortFunc(cards, func(a, b Card) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	slices.SortFunc(rejections, func(a, b Rejection) int { return int(min(max(int64(a.Index)-int64(b.Index), -1), 1)) })
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	e.SetEscapeHTML(false)
	for _, i := range issuers {
		if err := e.Encode(map[string]Issuer{"issuer": i}); err != nil {
			return nil, err
		}
	}
	for _, c := range cards {
		if err := e.Encode(map[string]Card{"card": c}); err != nil {
			return nil, err
		}
	}
	for _, r := range rejections {
		if err := e.Encode(map[string]Rejection{"rejected": r}); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}
