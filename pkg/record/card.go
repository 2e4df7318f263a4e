package record

import (
	"bytes"
	"time"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// prove returns the card that the registration e lists, or why it does not hold: whether the card itself asked for this issuer
// and this tap channel.
func (b CardRegistered) prove(e ledger.Entry) (Card, Reason) {
	if b.Template().Check() != nil {
		return Card{}, ReasonBadTemplate
	}
	key, err := b.ParseKey()
	if err != nil {
		return Card{}, ReasonBadKey
	}
	if key.ID() != b.ID {
		return Card{}, ReasonWrongKey
	}
	issuer := e.Message.Channel()
	answer := tap.Challenge{
		Nonce: b.Proof.Nonce, Context: RegistrationContext(issuer, b.Taps),
		Counter: b.Proof.Counter, Signature: b.Proof.Signature,
	}
	if answer.Verify(key) != nil {
		return Card{}, ReasonBadProof
	}
	return Card{
		ID: b.ID, Key: key, Issuer: issuer, Taps: b.Taps, Template: b.Template(),
		Subject: b.Subject, GTIN: b.GTIN, Lot: b.Lot, Serial: b.Serial,
		Registered: refOf(e), Last: b.Proof.Counter,
	}, ""
}

// follow returns the card after a record of its tap channel, or the same card and why the record does not hold.
func (c Card) follow(r Record, at Ref) (Card, Reason) {
	if c.State == StateMoved {
		return c.goOn(r)
	}
	if c.State == StateLost {
		return c.followLost(r, at)
	}
	switch v := r.Value.(type) {
	case nil:
		return c.followUnknown(r), ReasonUnknownKind
	case CardInService:
		return c.putInService(v, at.Number)
	case Tap:
		return c.addTap(v)
	case CardConfigured:
		return c.configure(v)
	case CardRevoked:
		return c.revoke(v, at.Time)
	case CardAssociated:
		return c.associate(v, at.Time)
	case ChannelMoved:
		return c.move(v)
	case ChannelContinued:
		return c, ReasonNotMoved
	case CardReinstated:
		return c, ReasonNotLost
	}
	return c, ReasonWrongChannel
}

func (c Card) putInService(b CardInService, number uint64) (Card, Reason) {
	switch {
	case number != 0:
		return c, ReasonNotFirst
	case b.Last < c.Last: // the counter of the registration's proof is used up
		return c, ReasonWrongLast
	case b.State != StateInService:
		return c, ReasonWrongState
	}
	c.Last, c.State, c.Settings = b.Last, b.State, b.Settings
	return c, ""
}

// addTap counts a tap that the card signed. Whatever else the record says has to follow from the record before.
func (c Card) addTap(b Tap) (Card, Reason) {
	counter := uint32(b.Counter)
	switch {
	case c.State != StateInService && c.State != StateCompleted:
		return c, ReasonNotInService
	case b.ID != c.ID || b.Alg != c.Key.Algorithm().String():
		return c, ReasonWrongCard
	case counter <= c.Last:
		return c, ReasonCounterUsed
	case b.Last != counter:
		return c, ReasonWrongLast
	case b.State != c.State:
		return c, ReasonWrongState
	case b.Settings != c.Settings:
		return c, ReasonWrongSettings
	case b.Skipped != nil && (counter == c.Last+1 || *b.Skipped != Range{c.Last + 1, counter - 1}):
		return c, ReasonWrongSkipped
	case !b.isSigned(c.Key):
		return c, ReasonBadSignature
	}
	c.Last = counter
	c.Recorded++
	return c, ""
}

// configure puts other settings in force, and changes nothing else.
func (c Card) configure(b CardConfigured) (Card, Reason) {
	switch {
	case c.State == "":
		return c, ReasonNotInService
	case b.Last != c.Last:
		return c, ReasonWrongLast
	case b.State != c.State:
		return c, ReasonWrongState
	}
	c.Settings = b.Settings.String()
	return c, ""
}

// isSigned also wants the one of two valid forms that is recorded, so that all readers believe the same records.
func (b Tap) isSigned(key tap.Key) bool {
	u := b.URL()
	return u.Verify(key) == nil && bytes.Equal(u.CanonicalSignature(key.Algorithm()), u.Signature)
}

// followUnknown keeps the head that a record of an unknown kind carries, so that Fold and ParseTapHead agree on a card that a
// newer writer revoked. It never counts back, and puts no card into service that was not.
func (c Card) followUnknown(r Record) Card {
	head, err := r.tapHead()
	out := c.State == "" || c.State == StateLost && head.State != StateRevoked
	if err != nil || head.Last < c.Last || out {
		return c
	}
	c.Last, c.State, c.Settings = head.Last, head.State, head.Settings
	if c.State != StateRevoked {
		c.Reason, c.Revoked = "", time.Time{}
	}
	return c
}
