package record

import "github.com/productid/productid/pkg/channel"

// IssuerMoved ends an issuer's channel on one ledger: it is continued on another one.
type IssuerMoved struct {
	To string `json:"to"` // origin of the log, or name of the network
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b IssuerMoved) Encode() ([]byte, error) { return encode(KindIssuerMoved, b) }

func (b IssuerMoved) check() error { return checkPlace(b.To) }

// IssuerContinued is the first message that an issuer's channel has on the ledger it moved to alone.
type IssuerContinued struct {
	From     string       `json:"from"`     // origin of the log, or name of the network, that it moved from
	Evidence channel.Hash `json:"evidence"` // SHA-256 of the evidence that it moved: message and proof as in an exported ledger's line
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b IssuerContinued) Encode() ([]byte, error) { return encode(KindIssuerContinued, b) }

func (b IssuerContinued) check() error { return checkPlace(b.From) }

// ChannelMoved ends a tap channel on one ledger: it is continued on another one.
type ChannelMoved struct {
	Last     uint32 `json:"last"`
	State    string `json:"state"` // always StateMoved
	Settings string `json:"settings,omitempty"`
	To       string `json:"to"`  // origin of the log, or name of the network
	Was      string `json:"was"` // the state before, in which it will go on
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b ChannelMoved) Encode() ([]byte, error) { return encode(KindChannelMoved, b) }

func (b ChannelMoved) check() error {
	if b.State != StateMoved {
		return malformed("state %.40q of a channel that moved", b.State)
	}
	if err := checkGoingOn(b.Was, b.To); err != nil {
		return err
	}
	return checkHead(b.State, b.Settings)
}

// ChannelContinued is the first message that a tap channel has on the ledger it moved to alone.
type ChannelContinued struct {
	Last     uint32       `json:"last"`
	State    string       `json:"state"` // as before it moved
	Settings string       `json:"settings,omitempty"`
	From     string       `json:"from"`     // as in IssuerContinued
	Evidence channel.Hash `json:"evidence"` // as in IssuerContinued
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b ChannelContinued) Encode() ([]byte, error) { return encode(KindChannelContinued, b) }

func (b ChannelContinued) check() error {
	if err := checkGoingOn(b.State, b.From); err != nil {
		return err
	}
	return checkHead(b.State, b.Settings)
}

// checkGoingOn wants a state in which a channel can go on, and a ledger's name.
func checkGoingOn(state, place string) error {
	if state == StateMoved {
		return malformed("state %.40q of a channel that goes on", state)
	}
	if err := checkHead(state, ""); err != nil {
		return err
	}
	return checkPlace(place)
}

func checkPlace(name string) error {
	if name == "" {
		return malformed("no name of a ledger")
	}
	return checkTexts(name)
}

// goOn lets an issuer that moved go on, which nothing but its continuation does.
func (i Issuer) goOn(r Record) (Issuer, Reason) {
	if _, continued := r.Value.(IssuerContinued); !continued {
		return i, ReasonMovedChannel
	}
	i.Moved = false
	return i, ""
}

// move ends the card's life here.
func (c Card) move(b ChannelMoved) (Card, Reason) {
	switch {
	case c.State == "":
		return c, ReasonNotInService
	case b.Last != c.Last:
		return c, ReasonWrongLast
	case b.Was != c.State:
		return c, ReasonWrongState
	case b.Settings != c.Settings:
		return c, ReasonWrongSettings
	}
	c.State, c.Place, c.Was = StateMoved, b.To, b.Was
	return c, ""
}

// goOn lets a card that moved go on as it stood before. Where that is, Place says: what a ledger holds of it that is not there is a
// copy, see On.
func (c Card) goOn(r Record) (Card, Reason) {
	b, continued := r.Value.(ChannelContinued)
	switch {
	case !continued || c.Was == "":
		return c, ReasonMovedChannel
	case b.Last != c.Last:
		return c, ReasonWrongLast
	case b.State != c.Was:
		return c, ReasonWrongState
	case b.Settings != c.Settings:
		return c, ReasonWrongSettings
	}
	c.State, c.Was = b.State, ""
	return c, ""
}
