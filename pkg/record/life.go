package record

import "time"

// CardRevoked takes a card out of service for good: none of its taps counts any more.
type CardRevoked struct {
	Last     uint32 `json:"last"`
	State    string `json:"state"` // always StateRevoked
	Settings string `json:"settings,omitempty"`
	Reason   string `json:"reason,omitempty"` // for people; everybody can read it
	By       string `json:"by,omitempty"`     // id of whoever asked for it
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardRevoked) Encode() ([]byte, error) { return encode(KindCardRevoked, b) }

func (b CardRevoked) check() error {
	if b.State != StateRevoked {
		return malformed("state %.40q of a card that is revoked", b.State)
	}
	if err := checkTexts(b.Reason, b.By); err != nil {
		return err
	}
	return checkHead(b.State, b.Settings)
}

// CardAssociated names the device that a card belongs to from here on.
type CardAssociated struct {
	Last     uint32 `json:"last"`
	State    string `json:"state"`
	Settings string `json:"settings,omitempty"`
	Device   string `json:"device"`       // id of the device, as its owner writes it; "" for none
	By       string `json:"by,omitempty"` // id of whoever asked for it
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardAssociated) Encode() ([]byte, error) { return encode(KindCardAssociated, b) }

func (b CardAssociated) check() error {
	if err := checkTexts(b.Device, b.By); err != nil {
		return err
	}
	return checkHead(b.State, b.Settings)
}

// revoke believes no less than a reader does that does not know the kind: that one takes over any head that does not count back.
func (c Card) revoke(b CardRevoked, at time.Time) (Card, Reason) {
	switch {
	case c.State == "" || c.State == StateRevoked:
		return c, ReasonNotInService
	case b.Last < c.Last:
		return c, ReasonWrongLast
	}
	c.Last, c.State, c.Settings = b.Last, b.State, b.Settings
	c.Reason, c.Revoked = b.Reason, at
	return c, ""
}

// associate names the card's device, and changes nothing else.
func (c Card) associate(b CardAssociated, at time.Time) (Card, Reason) {
	switch {
	case c.State == "":
		return c, ReasonNotInService
	case b.Last != c.Last:
		return c, ReasonWrongLast
	case b.State != c.State:
		return c, ReasonWrongState
	case b.Settings != c.Settings:
		return c, ReasonWrongSettings
	}
	c.Device, c.Associated = b.Device, at
	return c, ""
}
