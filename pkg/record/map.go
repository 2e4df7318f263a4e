package record

import (
	"bytes"
	"maps"
	"slices"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// Map is States in memory.
type Map struct {
	issuers    map[channel.ID]Issuer
	cards      map[tap.CardID]Card
	taps       map[channel.ID]tap.CardID
	rejections map[uint64]Rejection // by index
	ignored    uint64
}

// NewMap returns States that know nothing.
func NewMap() *Map {
	return &Map{
		issuers:    make(map[channel.ID]Issuer),
		cards:      make(map[tap.CardID]Card),
		taps:       make(map[channel.ID]tap.CardID),
		rejections: make(map[uint64]Rejection),
	}
}

// Issuer returns the issuer with this channel.
func (m *Map) Issuer(id channel.ID) (Issuer, bool, error) {
	i, found := m.issuers[id]
	return i, found, nil
}

// Card returns the card with this id.
func (m *Map) Card(id tap.CardID) (Card, bool, error) {
	c, found := m.cards[id]
	return c, found, nil
}

// CardByTaps returns the card with this tap channel.
func (m *Map) CardByTaps(taps channel.ID) (Card, bool, error) {
	id, found := m.taps[taps]
	return m.cards[id], found, nil
}

// PutIssuer stores an issuer.
func (m *Map) PutIssuer(i Issuer) error {
	m.issuers[i.Channel] = i
	return nil
}

// PutCard stores a card.
func (m *Map) PutCard(c Card, _ Record) error {
	m.cards[c.ID] = c
	m.taps[c.Taps] = c.ID
	return nil
}

// Reject keeps the rejection.
func (m *Map) Reject(r Rejection) error {
	m.rejections[r.Index] = r
	return nil
}

// Ignore counts the message.
func (m *Map) Ignore(ledger.Entry) error {
	m.ignored++
	return nil
}

// Rejections returns what did not hold, in the ledger's order.
func (m *Map) Rejections() []Rejection {
	list := make([]Rejection, 0, len(m.rejections))
	for _, index := range slices.Sorted(maps.Keys(m.rejections)) {
		list = append(list, m.rejections[index])
	}
	return list
}

// Cards returns all cards, in the order of their ids.
func (m *Map) Cards() []Card {
	return slices.SortedFunc(maps.Values(m.cards), func(a, b Card) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}

// Ignored returns how many messages were neither an issuer's nor a registered card's.
func (m *Map) Ignored() uint64 { return m.ignored }

// Dump writes the states as the function Dump does.
func (m *Map) Dump() ([]byte, error) {
	return Dump(slices.Collect(maps.Values(m.issuers)), slices.Collect(maps.Values(m.cards)), m.Rejections())
}
