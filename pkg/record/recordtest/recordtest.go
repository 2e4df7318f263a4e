// Package recordtest writes records as issuers and services do, and as they must not, for the tests of whoever folds records.
package recordtest

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap/taptest"
)

// Chain writes one channel, message after message. A Chain must not be used by several goroutines at once.
type Chain struct {
	Author *channel.Author
	next   channel.Draft
}

// NewChain returns the public channel whose seed follows from name, always the same one.
func NewChain(name string) *Chain { return ChainOf(channel.Seed(sha256.Sum256([]byte(name)))) }

// ChainOf returns the public channel with this seed, at its beginning.
func ChainOf(seed channel.Seed) *Chain {
	c := &Chain{Author: channel.NewAuthor(seed, channel.Public)}
	c.next.Time = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	return c
}

// After returns the channel as it goes on after a message that somebody else wrote into it.
func (c *Chain) After(m channel.Message) *Chain {
	next := *c
	next.next.Number, next.next.Prev = m.Number()+1, m.Hash()
	return &next
}

// ID returns the channel's id.
func (c *Chain) ID() channel.ID { return c.Author.Channel() }

// Say returns the next message.
func (c *Chain) Say(body []byte) channel.Message {
	c.next.Body = body
	m, err := c.Author.Sign(c.next)
	if err != nil {
		panic(err)
	}
	c.next.Number, c.next.Prev = c.next.Number+1, m.Hash()
	c.next.Time = c.next.Time.Add(time.Second)
	return m
}

// Body returns the encoding of a body that is known to be good.
func Body(b interface{ Encode() ([]byte, error) }) []byte {
	body, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return body
}

// Opened returns an issuer's opening.
func Opened(name string) record.IssuerOpened {
	return record.IssuerOpened{Name: name, URL: "https://issuer.example.com/?a=1&b=2", Log: "log.example.com", Next: sha256.Sum256([]byte(name))}
}

// Registered returns the registration that the card itself asks for.
func Registered(c *taptest.Card, issuer, taps channel.ID) record.CardRegistered {
	nonce := sha256.Sum256(fmt.Append(nil, c.ID(), issuer, taps))
	answer := c.Challenge(nonce[:], record.RegistrationContext(issuer, taps))
	return record.CardRegistered{
		ID: c.ID(), Alg: c.Key().Algorithm().String(), Key: c.Key().Bytes(),
		Prefix: c.Template.Prefix, Middle: c.Template.Middle,
		Subject: record.SubjectProduct, GTIN: "09506000134352", Serial: "7", Taps: taps, Station: "station 1",
		Applet: record.Applet{Version: "1.0"},
		Proof:  record.Proof{Counter: answer.Counter, Nonce: answer.Nonce, Signature: answer.Signature},
	}
}

// InService returns the first message of a tap channel.
func InService(last uint32) record.CardInService {
	return record.CardInService{Last: last, State: record.StateInService}
}

// Configured returns the record that puts the settings with this hash in force.
func Configured(last uint32, settings channel.Hash) record.CardConfigured {
	return record.CardConfigured{Last: last, State: record.StateInService, Settings: settings}
}

// Tapped returns the record of a tap with this counter.
func Tapped(c *taptest.Card, counter uint32) record.Tap {
	t := record.Tap{
		ID: c.ID(), Counter: record.Counter(counter), Alg: c.Key().Algorithm().String(), Action: "update",
		Last: counter, State: record.StateInService,
	}
	u := t.URL()
	u.Signature = c.Sign(u.SignedBytes(c.Key().Algorithm()))
	t.Signature = u.CanonicalSignature(c.Key().Algorithm())
	return t
}
