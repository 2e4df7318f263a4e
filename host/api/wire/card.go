package wire

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Card is what the ledger says of a card, and, for those who may see it, what the card is set to.
type Card struct {
	ID         tap.CardID   `json:"id" doc:"The card: a hash of its public key." pattern:"^[A-Za-z0-9_-]{16}$" example:"sCwcVia7OYj7c7jW"`
	Alg        string       `json:"alg" enum:"p256,rsa2048,ed25519" doc:"How the card signs."`
	Key        record.Bytes `json:"key" doc:"Its public key, base64url."`
	Issuer     channel.ID   `json:"issuer" doc:"Whose card it is." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Taps       channel.ID   `json:"taps" doc:"Its public tap channel." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Capability string       `json:"capability" doc:"What opens the tap channel, for productid channel read." example:"pidc1:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"`
	Prefix     string       `json:"prefix" doc:"Its tap URLs up to the card id."`
	Middle     string       `json:"middle" doc:"Its tap URLs between card id and counter."`
	Subject    string       `json:"subject,omitempty" doc:"What it is the card of: product, place, event, device or actuator." example:"product"`
	GTIN       string       `json:"gtin,omitempty" doc:"GS1 number of the product (GTIN). Cards that were registered since it is checked have 14 digits, older ones any text."`
	Lot        string       `json:"lot,omitempty"`
	Serial     string       `json:"serial,omitempty"`
	Registered Ref          `json:"registered" doc:"Where the ledger says that the card exists."`
	Head       *Ref         `json:"head,omitempty" doc:"Newest message of the tap channel."`
	Last       uint32       `json:"last" maximum:"4294967295" doc:"Highest counter that is used up."`
	State      string       `json:"state" enum:",in_service,completed,revoked,moved,lost" doc:"State of the card; empty before it is in service."`
	Recorded   uint64       `json:"recorded" doc:"Number of taps that are recorded."`
	Place      string       `json:"place,omitempty" doc:"Ledger that the card moved to last."`
	Was        string       `json:"was,omitempty" doc:"State before it moved."`
	Previous   *channel.ID  `json:"previous,omitempty" doc:"Channel of the issuer before, of a card that was carried over." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Since      *time.Time   `json:"since,omitempty" doc:"Until when its history before that is known."`
	Settings   string       `json:"settings,omitempty" doc:"Hash of the settings in force."`
	Reason     string       `json:"reason,omitempty" doc:"Why it was revoked."`
	Revoked    *time.Time   `json:"revoked,omitempty" doc:"When it was revoked."`
	Device     string       `json:"device,omitempty" doc:"The device that it is associated with, where whoever asks may see that."`
	Associated *time.Time   `json:"associated,omitempty" doc:"When it was."`
	Test       bool         `json:"test" doc:"A card of the sandbox: it proves nothing."`
}

// NewCard returns what the ledger says of a card, as it stands in an answer.
func NewCard(c record.Card, test bool) Card {
	v := Card{
		ID: c.ID, Alg: c.Key.Algorithm().String(), Key: c.Key.Bytes(), Issuer: c.Issuer, Taps: c.Taps,
		Capability: channel.Capability{Channel: c.Taps}.String(), Prefix: c.Template.Prefix, Middle: c.Template.Middle,
		Subject: c.Subject, GTIN: c.GTIN, Lot: c.Lot, Serial: c.Serial, Registered: Ref(c.Registered), Last: c.Last, State: c.State,
		Recorded: c.Recorded, Place: c.Place, Was: c.Was, Settings: c.Settings, Test: test, Reason: c.Reason, Device: c.Device,
	}
	if !c.Revoked.IsZero() {
		v.Revoked = &c.Revoked
	}
	if c.Device != "" {
		v.Associated = &c.Associated
	}
	if !c.Head.IsZero() {
		v.Head = new(Ref(c.Head))
	}
	if c.Previous != (channel.ID{}) {
		v.Previous, v.Since = &c.Previous, &c.Since
	}
	return v
}

// Record returns the card as the ledger's packages have it. The error is tap.ErrMalformed or tap.ErrUnsupported for a key that is none.
func (c Card) Record() (record.Card, error) {
	alg, err := tap.ParseAlgorithm(c.Alg)
	if err != nil {
		return record.Card{}, err
	}
	key, err := tap.ParseKey(alg, c.Key)
	if err != nil {
		return record.Card{}, err
	}
	v := record.Card{
		ID: c.ID, Key: key, Issuer: c.Issuer, Taps: c.Taps, Template: tap.Template{Prefix: c.Prefix, Middle: c.Middle},
		Subject: c.Subject, GTIN: c.GTIN, Lot: c.Lot, Serial: c.Serial, Registered: record.Ref(c.Registered), Last: c.Last, State: c.State,
		Recorded: c.Recorded, Place: c.Place, Was: c.Was, Settings: c.Settings, Reason: c.Reason, Device: c.Device,
	}
	if c.Revoked != nil {
		v.Revoked = *c.Revoked
	}
	if c.Associated != nil {
		v.Associated = *c.Associated
	}
	if c.Head != nil {
		v.Head = record.Ref(*c.Head)
	}
	if c.Previous != nil {
		v.Previous = *c.Previous
	}
	if c.Since != nil {
		v.Since = *c.Since
	}
	return v, nil
}

// CardInfo is the answer of getCardInfo.
type CardInfo struct {
	Card
	IssuerName    string      `json:"issuerName" doc:"As the issuer wants to be called."`
	Counted       *time.Time  `json:"counted,omitempty" doc:"When the newest message of the tap channel was recorded."`
	Status        Status      `json:"status"`
	Product       *Product    `json:"product,omitempty" doc:"What the card belongs to, as the issuer shows it."`
	ProductURL    string      `json:"productUrl,omitempty" doc:"Where a good tap leads."`
	LoginRequired bool        `json:"loginRequired" doc:"Taps are recorded only for somebody who has identified himself."`
	Form          []FormField `json:"form,omitempty" nullable:"false" doc:"What an update has to answer in its payload."`
	Proof         *Newest     `json:"proof,omitempty" doc:"The newest message of the tap channel with its proof."`
	Restricted    *Restricted `json:"restricted,omitempty" doc:"Only for a key or a person with the scope cards:read of the card's issuer."`
}

// Status says whether a card is to be relied on.
type Status struct {
	State string `json:"state" enum:"active,completed,revoked,moved,history_lost,not_in_service" doc:"active and completed: a good tap of the card counts."`
	List  string `json:"list" format:"uri" doc:"The issuer's list of revoked cards."`
	Index uint64 `json:"index" doc:"The card's place in that list."`
}

// Newest is a message that the ledger recorded, and how new that is.
type Newest struct {
	Evidence
	Head json.RawMessage `json:"head,omitempty" doc:"The channel author's signed word, with a time, that nothing newer exists: a SignedHead as in bundles."`
}

// Restricted is what only the issuer's own people and machines see of a card.
type Restricted struct {
	Device     string          `json:"device,omitempty" doc:"The device that the card is associated with."`
	Capability string          `json:"capability,omitempty" doc:"What opens the card's settings channel. A secret."`
	Payload    json.RawMessage `json:"payload,omitempty" doc:"What stands in the record of the newest tap."`
	Operator   string          `json:"operator,omitempty" doc:"Who identified himself with the newest tap."`
}

// Cards is a list of cards.
type Cards struct {
	Items []Card `json:"items" nullable:"false"`
	Page
}

// TapRecord is one recorded tap.
type TapRecord struct {
	Counter  uint32          `json:"counter" maximum:"4294967295" doc:"The tap's count."`
	Action   string          `json:"action" doc:"What was asked for." example:"update"`
	At       Ref             `json:"at" doc:"Where the ledger has it."`
	Skipped  *record.Range   `json:"skipped,omitempty" doc:"Counters before it that nobody recorded: first and last."`
	Payload  json.RawMessage `json:"payload,omitempty" doc:"What stands in the record with it."`
	Operator string          `json:"operator,omitempty" doc:"Who identified himself with it."`
}

// TapRecords is a card's recorded taps, the newest first.
type TapRecords struct {
	Items []TapRecord `json:"items" nullable:"false"`
	Page
}

// Revocation takes a card out of service for good.
type Revocation struct {
	Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"Why, in one line. It stands on the public ledger." example:"reported stolen"`
}

// Association names the device that a card is fixed to.
type Association struct {
	Device string `json:"device" maxLength:"200" doc:"The device's id; empty to take the association back." example:"pump-17"`
}

// Settings is what a card is set to.
type Settings struct {
	ProductURL    string      `json:"productUrl,omitempty" maxLength:"2048" doc:"Where a good tap leads: an absolute https address." example:"https://shop.example/watch"`
	LoginRequired bool        `json:"loginRequired,omitempty" doc:"Record taps only for somebody who has identified himself."`
	Form          []FormField `json:"form,omitempty" nullable:"false" maxItems:"20" doc:"What whoever taps is asked; the answers are recorded with the tap, for everybody to read."`
}

// FormField is one question of a form.
type FormField struct {
	Name      string            `json:"name" pattern:"^[a-z][a-zA-Z0-9]{0,31}$" doc:"Name of the answer in the payload." example:"temperature"`
	Label     map[string]string `json:"label" doc:"The question, by language." minProperties:"1" maxProperties:"20"`
	Type      string            `json:"type" enum:"text,number,choice,date,checkbox"`
	Options   []string          `json:"options,omitempty" nullable:"false" maxItems:"50" maxLength:"200" doc:"Of a choice: what can be answered."`
	Required  bool              `json:"required,omitempty"`
	MaxLength uint32            `json:"maxLength,omitempty" maximum:"1000" doc:"Of a text: characters; 0 is 200."`
}

// noLanguage stands for the label that is in no language in particular (ISO 639-2, undetermined).
const noLanguage = "und"

// NewForm returns a form as it stands in an answer.
func NewForm(f record.Form) []FormField {
	var all []FormField
	for _, q := range f {
		v := FormField{Name: q.Name, Label: map[string]string{}, Type: q.Type, Options: q.Options, Required: q.Required, MaxLength: q.MaxLength}
		for lang, text := range q.Label {
			v.Label[cmp.Or(lang, noLanguage)] = text
		}
		all = append(all, v)
	}
	return all
}

// Record returns the settings as they are recorded.
func (s Settings) Record() record.Settings {
	v := record.Settings{ProductURL: s.ProductURL, LoginRequired: s.LoginRequired}
	for _, q := range s.Form {
		label := record.Label(q.Label)
		if text, one := label[noLanguage]; one && len(label) == 1 {
			label = record.Label{"": text}
		}
		v.Form = append(v.Form, record.Field{Name: q.Name, Label: label, Type: q.Type, Options: q.Options, Required: q.Required, MaxLength: q.MaxLength})
	}
	return v
}

// CurrentSettings is what is in force, and where that is written.
type CurrentSettings struct {
	Settings
	Number uint64        `json:"number" doc:"Number of the message on the card's settings channel."`
	Hash   *channel.Hash `json:"hash,omitempty" doc:"Hash of that message; missing when nothing was ever set." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
}
