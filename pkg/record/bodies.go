package record

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/tap"
)

// The subjects that a card can be the card of.
const (
	SubjectProduct  = "product"
	SubjectPlace    = "place"
	SubjectEvent    = "event"
	SubjectDevice   = "device"
	SubjectActuator = "actuator"
)

// IssuerOpened is the first message of an issuer's channel.
type IssuerOpened struct {
	Name    string       `json:"name"`
	URL     string       `json:"url"`
	Log     string       `json:"log,omitempty"`     // origin of the log that the issuer writes to, or
	Network string       `json:"network,omitempty"` // name of the network
	Next    channel.Hash `json:"next"`              // SHA-256 of the author key that may succeed this one
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b IssuerOpened) Encode() ([]byte, error) { return encode(KindIssuerOpened, b) }

func (b IssuerOpened) check() error {
	if b.Name == "" {
		return malformed("no name")
	}
	if (b.Log == "") == (b.Network == "") {
		return malformed("want one of log and network")
	}
	return checkTexts(b.Name, b.URL, b.Log, b.Network)
}

// CardRegistered lists a card on its issuer's channel.
type CardRegistered struct {
	ID       tap.CardID `json:"id"`
	Alg      string     `json:"alg"` // as tap.Algorithm writes it
	Key      Bytes      `json:"key"`
	Prefix   string     `json:"prefix"`
	Middle   string     `json:"middle"`
	Subject  string     `json:"subject"`
	GTIN     string     `json:"gtin,omitempty"`
	Lot      string     `json:"lot,omitempty"`
	Serial   string     `json:"serial,omitempty"`
	Taps     channel.ID `json:"taps"`
	Station  string     `json:"station"`
	Operator string     `json:"operator,omitempty"`
	Applet   Applet     `json:"applet"`
	Proof    Proof      `json:"proof"`
}

// Applet names the program that the card was found to run.
type Applet struct {
	Version string `json:"version"`
	CAP     string `json:"cap,omitempty"` // SHA-256 of the CAP file, where the station loaded it
}

// Proof is the card's answer to a challenge with the context RegistrationContext.
type Proof struct {
	Counter   uint32 `json:"counter"`
	Nonce     Bytes  `json:"nonce"`
	Signature Bytes  `json:"signature"`
}

// Encode returns the body of a message. A GTIN that is written has 14 digits, the last of which checks the others; one that is read
// may be any text, for registrations of before this was checked stand for good. The error is ErrMalformed, and holds
// *gs1.WrongCheckDigit for a digit that was mistyped.
func (b CardRegistered) Encode() ([]byte, error) {
	if gtin, err := gs1.ParseGTIN(b.GTIN); b.GTIN != "" && err != nil {
		return nil, malformed("gtin: %w", err)
	} else if string(gtin) != b.GTIN {
		return nil, malformed("gtin %s: want all 14 digits: %s", b.GTIN, gtin)
	}
	return encode(KindCardRegistered, b)
}

func (b CardRegistered) check() error {
	if err := checkAlgorithm(b.Alg); err != nil {
		return err
	}
	subjects := []string{SubjectProduct, SubjectPlace, SubjectEvent, SubjectDevice, SubjectActuator}
	if !slices.Contains(subjects, b.Subject) {
		return malformed("subject %.40q", b.Subject)
	}
	return checkTexts(b.Prefix, b.Middle, b.GTIN, b.Lot, b.Serial, b.Station, b.Operator, b.Applet.Version, b.Applet.CAP)
}

// Template returns the part of the tap URL that is the same at each tap.
func (b CardRegistered) Template() tap.Template {
	return tap.Template{Prefix: b.Prefix, Middle: b.Middle}
}

// ParseKey returns the card's public key.
func (b CardRegistered) ParseKey() (tap.Key, error) { return parseKey(b.Alg, b.Key) }

// registrationMagic begins the context of a registration's proof; its last byte is the version.
const registrationMagic = "PIDR\x01"

// RegistrationContext returns the context of the challenge that a card answers to be registered: the answer is good for this
// issuer and this tap channel alone.
func RegistrationContext(issuer, taps channel.ID) []byte {
	return append(append([]byte(registrationMagic), issuer[:]...), taps[:]...)
}

// CardInService is the first message of a tap channel: from here on the card's taps count.
type CardInService struct {
	Last     uint32 `json:"last"`
	State    string `json:"state"`
	Settings string `json:"settings,omitempty"`
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardInService) Encode() ([]byte, error) { return encode(KindCardInService, b) }

func (b CardInService) check() error { return checkHead(b.State, b.Settings) }

// Tap is one recorded tap with the card's own proof of it.
type Tap struct {
	ID          tap.CardID      `json:"i"`
	Counter     Counter         `json:"c"`
	Signature   Bytes           `json:"s"` // of a P-256 card in the form with the low s
	Alg         string          `json:"alg"`
	Action      string          `json:"action"` // what was asked for, such as "update"
	Last        uint32          `json:"last"`   // always the tap's counter
	State       string          `json:"state"`
	Settings    string          `json:"settings,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"`     // any JSON value
	PayloadHash *channel.Hash   `json:"payloadHash,omitempty"` // SHA-256 of a payload that stands elsewhere
	Skipped     *Range          `json:"skipped,omitempty"`     // counters that the card used since the tap before and nobody recorded
	Previous    *channel.Hash   `json:"previous,omitempty"`
	Operator    string          `json:"operator,omitempty"`
	Retry       string          `json:"retry,omitempty"` // marks a request so that its repetition is known, see docs/formats/records.md
	Salt        Bytes           `json:"salt,omitempty"`  // random: makes the message of each request another, so that of two at once one is recorded
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b Tap) Encode() ([]byte, error) { return encode(KindTap, b) }

func (b Tap) check() error {
	if err := checkAlgorithm(b.Alg); err != nil {
		return err
	}
	if b.Payload != nil && b.PayloadHash != nil {
		return malformed("both payload and payloadHash")
	}
	if b.Payload != nil {
		if err := CheckIJSON(b.Payload); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
	}
	if err := checkTexts(b.Action, b.Operator, b.Retry); err != nil {
		return err
	}
	return checkHead(b.State, b.Settings)
}

// URL returns the tap as the card signed it.
func (b Tap) URL() tap.URL {
	return tap.URL{ID: b.ID, Counter: uint32(b.Counter), Signature: b.Signature}
}

// Range is a run of counters, both ends included: [from, to] in JSON.
type Range [2]uint32

// UnmarshalJSON reads exactly two numbers; encoding/json would also take fewer or more, or null for 0. The error is ErrMalformed.
func (r *Range) UnmarshalJSON(b []byte) error {
	var ends []*uint32
	if err := json.Unmarshal(b, &ends); err != nil || len(ends) != len(r) || ends[0] == nil || ends[1] == nil {
		return malformed("want [from, to]")
	}
	*r = Range{*ends[0], *ends[1]}
	return nil
}

// Counter is a card's counter as the tap URL has it: 8 upper-case hexadecimal digits.
type Counter uint32

// MarshalText returns the 8 digits.
func (c Counter) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%08X", uint32(c)), nil }

// UnmarshalText reads the 8 digits. The error is ErrMalformed.
func (c *Counter) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 32)
	if err != nil || fmt.Sprintf("%08X", n) != string(text) {
		return malformed("counter: want 8 upper-case hexadecimal digits")
	}
	*c = Counter(n)
	return nil
}

// Bytes stands in a body as unpadded base64url.
type Bytes []byte

// MarshalText returns the base64url.
func (b Bytes) MarshalText() ([]byte, error) { return base64.RawURLEncoding.AppendEncode(nil, b), nil }

// UnmarshalText reads base64url without padding, line breaks and stray bits. The error is ErrMalformed.
func (b *Bytes) UnmarshalText(text []byte) error {
	decoded, err := base64.RawURLEncoding.Strict().AppendDecode([]byte{}, text)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(decoded)) != len(text) {
		return malformed("not unpadded base64url")
	}
	*b = decoded
	return nil
}

func checkTexts(texts ...string) error {
	for _, text := range texts {
		if err := checkText(text); err != nil {
			return err
		}
	}
	return nil
}

func checkHead(state, settings string) error {
	if !slices.Contains([]string{StateInService, StateCompleted, StateRevoked, StateMoved}, state) {
		return malformed("state %.40q", state)
	}
	if settings == "" {
		return nil
	}
	if _, err := channel.ParseHash(settings); err != nil {
		return malformed("settings is no hash")
	}
	return nil
}

func checkAlgorithm(name string) error {
	if a, err := tap.ParseAlgorithm(name); err != nil || a.String() != name {
		return malformed("algorithm %.40q", name)
	}
	return nil
}

func parseKey(alg string, key []byte) (tap.Key, error) {
	a, err := tap.ParseAlgorithm(alg)
	if err != nil {
		return tap.Key{}, err
	}
	return tap.ParseKey(a, key)
}
