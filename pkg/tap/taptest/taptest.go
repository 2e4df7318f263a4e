// Package taptest is a card in software, for the tests of whoever reads taps. It signs what a real card signs; it has none of
// a card's protection, and its counter is gone when the program ends.
package taptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/productid/productid/pkg/tap"
)

// Card is a card with a key, a template and a counter.
//
// A Card must not be used by several goroutines at once.
type Card struct {
	Template tap.Template
	Counter  uint32 // the last one that was used

	private crypto.Signer
	key     tap.Key
}

// NewCard returns the P-256 card whose key follows from name, always the same one, with the template of https://tap.example.com/t.
func NewCard(name string) *Card {
	scalar := sha256.Sum256([]byte(name))
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		panic(err) // one name in 2^32 is not below the order of the curve
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return newCard(tap.P256, private, public)
}

// NewRSACard returns the RSA-2048 card whose key follows from name, always the same one, with the template of NewCard. The first
// card of a name takes about 0.2 s, for its primes are looked for; later ones share them.
func NewRSACard(name string) *Card {
	private := rsaKey(name)
	return newCard(tap.RSA2048, private, append(private.N.FillBytes(make([]byte, modulusLength)), 0x01, 0x00, 0x01))
}

// New returns NewCard or NewRSACard, as the algorithm says; it panics for another algorithm.
func New(a tap.Algorithm, name string) *Card {
	switch a {
	case tap.P256:
		return NewCard(name)
	case tap.RSA2048:
		return NewRSACard(name)
	}
	panic("no card signs with " + a.String())
}

func newCard(a tap.Algorithm, private crypto.Signer, public []byte) *Card {
	key, err := tap.ParseKey(a, public)
	if err != nil {
		panic(err)
	}
	template, err := tap.PlainTemplate("https://tap.example.com/t")
	if err != nil {
		panic(err)
	}
	return &Card{Template: template, private: private, key: key}
}

// Key returns the card's public key.
func (c *Card) Key() tap.Key { return c.key }

// ID returns the card's id.
func (c *Card) ID() tap.CardID { return c.key.ID() }

// Tap counts up and returns the URL that a phone reads.
func (c *Card) Tap() string {
	c.Counter++
	return c.TapAt(c.Counter)
}

// TapAt returns the URL of a given counter. The card's own counter stays.
func (c *Card) TapAt(counter uint32) string {
	u := tap.URL{ID: c.ID(), Counter: counter}
	return c.Template.URL(u.ID, counter, c.Sign(u.SignedBytes(c.key.Algorithm())))
}

// Rehearse counts up and returns the URL that a card serves before it is locked.
func (c *Card) Rehearse() string {
	c.Counter++
	u := tap.URL{ID: c.ID(), Counter: c.Counter}
	return c.Template.URL(u.ID, u.Counter, c.Sign(u.RehearsalBytes(c.key.Algorithm())))
}

// Challenge counts up and answers.
func (c *Card) Challenge(nonce, context []byte) tap.Challenge {
	c.Counter++
	answer := tap.Challenge{Nonce: nonce, Context: context, Counter: c.Counter}
	answer.Signature = c.Sign(answer.SignedBytes(c.key.Algorithm(), c.ID()))
	return answer
}

// Sign returns a signature in the card's raw form over any bytes: what no real card does. The same bytes always get the same
// signature (RFC 6979; RFC 8017 §8.2).
func (c *Card) Sign(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	signature, err := c.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	if c.key.Algorithm() == tap.P256 {
		return rawSignature(signature)
	}
	return signature
}

// rawSignature turns the DER of an ECDSA signature into r ‖ s.
func rawSignature(der []byte) []byte {
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		panic(err)
	}
	raw := make([]byte, tap.P256.SignatureLen())
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return raw
}
