package secrets

import (
	"errors"
	"fmt"
	"sync"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// ErrElsewhere says that the secrets of an issuer are not here: nothing can be written for it.
var ErrElsewhere = errors.New("the issuer's secrets are not here")

// Authors makes the authors of the channels that an installation writes, and is the one place that knows how their seeds are
// named (docs/formats/channel.md, seeds of a service). It may be used by many goroutines.
//
// To work out an author costs as much as to sign a message, so the newest few thousand are kept.
type Authors struct {
	mu      sync.Mutex
	issuers map[channel.ID]issuer
	// Two generations: the older one is dropped when the newer one is full, so an author stays for at least as many others as
	// one holds.
	newer, older generation
}

type issuer struct {
	*channel.Author
	taps       channel.Seed
	generation uint32
}

// named is a channel of a service by what it is for.
type named struct {
	issuer channel.ID
	card   tap.CardID // zero where the channel is no card's
	use    use
}

// use is what a channel of a service is for.
type use uint8

const (
	useTaps use = iota
	useSettings
	useAudit
)

// seedName is the name that the channel's seed is derived under.
func (n named) seedName() string {
	switch n.use {
	case useTaps:
		return "card/" + n.card.String() + "/taps"
	case useSettings:
		return "card/" + n.card.String() + "/settings"
	}
	return "audit"
}

func (n named) mode() channel.Mode {
	if n.use == useTaps {
		return channel.Public
	}
	return channel.Restricted
}

type generation struct {
	byName map[named]*channel.Author
	byID   map[channel.ID]named
}

// generationSize is how many authors a generation holds. Each takes about a kilobyte.
const generationSize = 4096

func newGeneration() generation {
	return generation{make(map[named]*channel.Author), make(map[channel.ID]named)}
}

// NewAuthors returns the authors of all issuers of s.
func NewAuthors(s Secrets) *Authors {
	a := &Authors{issuers: make(map[channel.ID]issuer), newer: newGeneration(), older: newGeneration()}
	for _, i := range s.Issuers {
		a.Add(i)
	}
	return a
}

// Add makes the authors of one more issuer to be had.
func (a *Authors) Add(i Issuer) {
	author := i.Author()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.issuers[author.Channel()] = issuer{author, i.Taps, i.Generation}
}

// Issuer returns the author of an issuer's own channel, or ErrElsewhere.
func (a *Authors) Issuer(id channel.ID) (*channel.Author, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, here := a.issuers[id]
	if !here {
		return nil, fmt.Errorf("issuer %v: %w", id, ErrElsewhere)
	}
	return i.Author, nil
}

// Taps returns the author of the public tap channel of an issuer's card, or ErrElsewhere.
func (a *Authors) Taps(issuer channel.ID, card tap.CardID) (*channel.Author, error) {
	return a.author(named{issuer, card, useTaps})
}

// Settings returns the author of the restricted settings channel of an issuer's card, or ErrElsewhere.
func (a *Authors) Settings(issuer channel.ID, card tap.CardID) (*channel.Author, error) {
	return a.author(named{issuer, card, useSettings})
}

// Audit returns the author of the restricted channel that holds what is administered for an issuer, or ErrElsewhere.
func (a *Authors) Audit(issuer channel.ID) (*channel.Author, error) {
	return a.author(named{issuer: issuer, use: useAudit})
}

// Of returns the author of a channel: an issuer's own always, any other when it was asked for lately. Whoever submits a message has
// asked for its author to sign it, so a ledger that needs the author too finds it here.
func (a *Authors) Of(id channel.ID) (*channel.Author, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, here := a.issuers[id]; here {
		return i.Author, true
	}
	for _, g := range []generation{a.newer, a.older} {
		if name, made := g.byID[id]; made {
			return g.byName[name], true
		}
	}
	return nil, false
}

func (a *Authors) author(name named) (*channel.Author, error) {
	known, of, err := a.recall(name)
	if known != nil || err != nil {
		return known, err
	}
	seed := channel.DeriveSeed(of.taps, of.generation, name.seedName())
	author := channel.NewAuthor(seed, name.mode()) // beside the lock: this is what takes the time
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keep(name, author), nil
}

// recall returns an author who was made lately, else nil and what to make him of.
func (a *Authors) recall(name named) (*channel.Author, issuer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, here := a.issuers[name.issuer]
	if !here {
		return nil, issuer{}, fmt.Errorf("channel %s of issuer %v: %w", name.seedName(), name.issuer, ErrElsewhere)
	}
	if author := a.newer.byName[name]; author != nil {
		return author, i, nil
	}
	if author := a.older.byName[name]; author != nil {
		return a.keep(name, author), i, nil
	}
	return nil, i, nil
}

// keep puts an author among the newest, unless another goroutine did so just now.
func (a *Authors) keep(name named, author *channel.Author) *channel.Author {
	if known := a.newer.byName[name]; known != nil {
		return known
	}
	if len(a.newer.byName) == generationSize {
		a.newer, a.older = newGeneration(), a.newer
	}
	a.newer.byName[name], a.newer.byID[author.Channel()] = author, name
	return author
}
