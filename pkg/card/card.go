// Package card is the client of our applet: it asks a card about itself, lets it make its key, writes its template, locks it and
// challenges it. The protocol is described in applet/PROTOCOL.md.
//
// A card's life goes one way: [Installed], [Keyed] by [Client.Generate], [Locked] by [Client.Lock]. After that nobody can change
// anything on it. [Client.Info] says where it is.
//
// The package trusts no answer: each is checked for its length, the key for its id. What a card claims is proved only by
// [tap.Challenge.Verify] and [tap.URL.Verify].
//
// # Interruption
//
// A card can be torn from its reader at any moment. Then the Transmitter's error comes back, and whether the card carried the
// command out is unknown. Each command is carried out as a whole or not at all: Open again and ask Info.
package card

import (
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/tap"
)

// aid is the NDEF application (T4T 2.0 §5.2.1): ours answers to it so that every phone selects it.
const aid = "\xD2\x76\x00\x00\x85\x01\x01"

// Client talks to one selected card. It must not be used by several goroutines at once.
type Client struct {
	t         apdu.Transmitter
	algorithm tap.Algorithm // of the card's key, as it last said; 0 without one
}

// Open selects the application and checks that it is ours. This uses up no count. A card that was reset must be opened again. The
// error is ErrNotOurs, ErrVersion, ErrMalformed, or the Transmitter's.
func Open(t apdu.Transmitter) (*Client, error) {
	var status apdu.Status
	if _, err := apdu.Send(t, apdu.Select([]byte(aid))); errors.As(err, &status) {
		return nil, fmt.Errorf("selecting the application: %w", refusal{ErrNotOurs, status})
	} else if err != nil {
		return nil, fmt.Errorf("selecting the application: %w", explain(err, ErrState))
	}
	c := &Client{t: t}
	if _, err := c.Info(); errors.As(err, &status) {
		return nil, refusal{ErrNotOurs, status} // the same name is on every Type 4 Tag
	} else if err != nil {
		return nil, err
	}
	return c, nil
}

// Info asks the card about itself. It works in every state and changes nothing.
func (c *Client) Info() (Info, error) {
	info, err := ask(c, apdu.Command{INS: insInfo, Ne: infoLength}, parseInfo)
	if err != nil {
		return Info{}, fmt.Errorf("reading the card's information: %w", err)
	}
	c.algorithm = info.Algorithm
	return info, nil
}

// Capabilities asks what was wanted at install and what the card has. It works in every state and changes nothing.
func (c *Client) Capabilities() (Capabilities, error) {
	capabilities, err := ask(c, apdu.Command{INS: insGetCapabilities, Ne: capabilitiesLength}, parseCapabilities)
	if err != nil {
		return Capabilities{}, fmt.Errorf("reading the card's capabilities: %w", err)
	}
	return capabilities, nil
}

// Generate lets the card make its key and returns the id that follows from it. It cannot be undone or repeated: after it the card
// is Keyed for ever, and durably so when Generate returns. The key never leaves the card; Key reads the public half. A P-256 key
// takes a card a fraction of a second, an RSA-2048 key seconds, and up to a minute and a half on slow cards (applet/CARDS.md). The
// error is ErrState if there is a key already, ErrAlgorithm if the card cannot make such keys (it is then as before). If the answer
// is lost, Info says whether there is a key.
func (c *Client) Generate(a tap.Algorithm) (tap.CardID, error) {
	id, err := ask(c, apdu.Command{INS: insGenerateKey, P1: byte(a), Ne: cardIDLength}, parseID)
	if err != nil {
		return tap.CardID{}, fmt.Errorf("generating the key: %w", err)
	}
	c.algorithm = a
	return id, nil
}

func parseID(b []byte) (tap.CardID, error) {
	if len(b) != cardIDLength {
		return tap.CardID{}, fmt.Errorf("%w: card id of %d bytes", ErrMalformed, len(b))
	}
	return tap.CardID(b), nil
}

// Key reads the public key, one of RSA-2048 in two parts, and checks that the card's id follows from it. That the card holds the
// private half is proved by a challenge only. It changes nothing. The error is ErrAbsent without a key, ErrTooLong, ErrMalformed, or
// tap.ErrWrongKey.
func (c *Client) Key() (tap.Key, error) {
	key, err := c.key()
	if err != nil {
		return tap.Key{}, fmt.Errorf("reading the card's key: %w", err)
	}
	return key, nil
}

func (c *Client) key() (tap.Key, error) {
	info, err := c.Info()
	if err != nil {
		return tap.Key{}, err
	}
	if info.Algorithm == algorithmNone {
		return tap.Key{}, ErrAbsent
	}
	b, err := c.read(itemKey, ErrAbsent)
	if err != nil {
		return tap.Key{}, err
	}
	key, err := tap.ParseKey(info.Algorithm, b)
	if err != nil {
		return tap.Key{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if key.ID() != info.ID {
		return tap.Key{}, fmt.Errorf("card %v: %w", info.ID, tap.ErrWrongKey)
	}
	return key, nil
}

// PutTemplate writes the fixed parts of the tap URL, durably. It can be repeated until the card is locked; after that never. An
// interruption between the two parts leaves one old and one new. The error is tap.ErrMalformed before anything is sent,
// ErrState, ErrContactOnly or ErrRefused.
func (c *Client) PutTemplate(t tap.Template) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("writing the template: %w", err)
	}
	if err := c.write(itemPrefix, []byte(t.Prefix)); err != nil {
		return fmt.Errorf("writing the template's prefix: %w", err)
	}
	if err := c.write(itemMiddle, []byte(t.Middle)); err != nil {
		return fmt.Errorf("writing the template's middle: %w", err)
	}
	return nil
}

// Template reads the fixed parts of the tap URL. It changes nothing. The error is ErrAbsent if they were not written yet, ErrMalformed if they are none
// that a card would have accepted.
func (c *Client) Template() (tap.Template, error) {
	prefix, err := c.read(itemPrefix, ErrAbsent)
	if err != nil {
		return tap.Template{}, fmt.Errorf("reading the template's prefix: %w", err)
	}
	middle, err := c.read(itemMiddle, ErrAbsent)
	if err != nil {
		return tap.Template{}, fmt.Errorf("reading the template's middle: %w", err)
	}
	t := tap.Template{Prefix: string(prefix), Middle: string(middle)}
	if err := t.Check(); err != nil {
		return tap.Template{}, fmt.Errorf("reading the template: %w: %w", ErrMalformed, err)
	}
	return t, nil
}

// PutProfile writes how the card behaves towards readers, durably. It can be repeated until the card is locked. The error is ErrRefused,
// ErrState or ErrContactOnly.
func (c *Client) PutProfile(p Profile) error {
	b, err := p.bytes()
	if err == nil {
		err = c.write(itemProfile, b)
	}
	if err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	return nil
}

// Lock closes the card for ever: from now on it serves taps, and neither key nor template nor profile can be changed by anybody.
// The id guards against locking another card than the one that was checked. It is durable on return and cannot be undone; if the
// answer is lost, Info says whether it is done. The error is ErrRefused for a wrong id, ErrState unless
// the card is Keyed and has a template.
func (c *Client) Lock(id tap.CardID) error {
	if _, err := c.send(apdu.Command{INS: insLock, Data: id[:]}, ErrState); err != nil {
		return fmt.Errorf("locking the card: %w", err)
	}
	return nil
}
