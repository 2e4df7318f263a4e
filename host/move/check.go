package move

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

type cardID = tap.CardID

// Plan is an export that was found to hold, and what of it goes to another ledger.
type Plan struct {
	Header Header
	To     string // origin of the log, or name of the network, for which the channels were ended
	Size   uint64 // messages

	Issuers    []channel.ID // that go on there
	Cards      int
	Unfinished int          // cards that were never in service
	Left       []channel.ID // channels that stay behind: of issuers whose secrets are elsewhere, and of their cards
	Cut        []channel.ID // channels of nobody's cards that end before a message whose payload was removed

	policy   ledger.Policy
	channels map[channel.ID]*passage
	moving   []*passage // what goes on: first the issuers' channels, then the cards'
}

// passage is a channel on its way.
type passage struct {
	id      channel.ID
	left    bool         // stays behind
	until   uint64       // number of its first message without payload, or beyond all
	author  author       // nil where no secrets of it are here
	head    channel.Hash // of its newest message
	next    uint64       // number behind that
	mode    channel.Mode
	ended   channel.Hash // SHA-256 of the line with the newest record that moved it
	endedAs any          // that record

	// of the import
	issuer   bool
	listed   bool         // or noted as one that cannot be
	sent     uint64       // messages
	sentHash channel.Hash // of the last of them
}

// author makes the author of a channel anew each time: of many cards a keyring keeps the newest alone.
type author func() (*channel.Author, error)

// Check reads an export as somebody who trusts nobody but the policy: every message is its author's, continues its channel, and has
// a proof that the ledger of the header recorded it, in this order. All issuers of which authors has the secrets, and their cards,
// must have ended for one other ledger. The error names the first line that does not hold. It holds a few hundred bytes for each channel.
func Check(ctx context.Context, file io.Reader, policy ledger.Policy, authors Authors, progress func(done uint64)) (*Plan, error) {
	c := &checking{
		Plan: &Plan{policy: policy, channels: make(map[channel.ID]*passage)}, ctx: ctx, authors: authors, progress: progress,
		states: &states{Map: record.NewMap(), cards: make(map[cardID]bool)},
	}
	err := read(file, func(h Header) error { c.Header = h; return nil }, c.line)
	if err == nil {
		err = c.plan()
	}
	if err != nil {
		return nil, fmt.Errorf("checking the export: %w", err)
	}
	return c.Plan, nil
}

// states is record.Map that can say whom it knows.
type states struct {
	*record.Map
	issuers []channel.ID
	cards   map[cardID]bool
}

func (s *states) PutIssuer(i record.Issuer) error {
	if _, known, _ := s.Map.Issuer(i.Channel); !known {
		s.issuers = append(s.issuers, i.Channel)
	}
	return s.Map.PutIssuer(i)
}

func (s *states) PutCard(c record.Card, r record.Record) error {
	s.cards[c.ID] = true
	return s.Map.PutCard(c, r)
}

type checking struct {
	*Plan
	ctx      context.Context
	authors  Authors
	progress func(uint64)
	states   *states
	last     ledger.Receipt
}

// stride is after how many messages somebody is told, and asked whether to go on.
const stride = 256

func (c *checking) line(_ uint64, line []byte, e ledger.Evidence) error {
	if c.Size%stride == 0 {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if c.progress != nil {
			c.progress(c.Size)
		}
	}
	m := e.Message
	r, err := e.Verify(c.policy)
	if err != nil {
		return err
	}
	if err := c.place(r); err != nil {
		return err
	}
	p := c.channels[m.Channel()]
	if p == nil {
		p = &passage{id: m.Channel(), mode: m.Mode(), until: 1<<64 - 1}
		c.channels[p.id] = p
	}
	if err := m.Check(p.id, p.mode, p.next, p.head); err != nil {
		return fmt.Errorf("%w: %w", ErrDoubtful, err)
	}
	if m.Removed() && p.until > p.next {
		p.until = p.next
	}
	p.next, p.head = p.next+1, m.Hash()
	c.Size, c.last = c.Size+1, r
	c.note(p, m, line)
	return record.Fold(c.states, ledger.Entry{Message: m, Time: r.Time, Index: r.Index})
}

// place wants the proof to say what the file says: which ledger, and in which order. A log's leaves are all there.
func (c *checking) place(r ledger.Receipt) error {
	switch {
	case r.Ledger != c.Header.Origin:
		return fmt.Errorf("%w: the ledger %s recorded it, and not %s", ErrDoubtful, r.Ledger, c.Header.Origin)
	case c.Size > 0 && (r.Index <= c.last.Index || r.Time.Before(c.last.Time)):
		return fmt.Errorf("%w: it stands in the ledger before the one before it", ErrDoubtful)
	case r.Proof.Kind == ledger.KindTlog && r.Index != c.Size:
		return fmt.Errorf("%w: it is leaf %d of the log, and stands as number %d", ErrDoubtful, r.Index, c.Size)
	}
	return nil
}

// note remembers the record that ends a channel, before it is folded: one behind the end is none.
func (c *checking) note(p *passage, m channel.Message, line []byte) {
	card, isCard, _ := c.states.CardByTaps(p.id)
	issuer, isIssuer, _ := c.states.Issuer(p.id)
	if isCard && card.State == record.StateMoved || isIssuer && issuer.Moved || !isCard && !isIssuer {
		return
	}
	body, err := m.Body()
	if err != nil {
		return
	}
	r, err := record.Parse(body)
	if err != nil {
		return
	}
	switch r.Value.(type) {
	case record.ChannelMoved, record.IssuerMoved:
		p.ended, p.endedAs = sha256.Sum256(line), r.Value
	}
}

// plan says of each channel whether it goes along.
func (c *checking) plan() error {
	for _, id := range c.states.issuers {
		if err := c.planIssuer(id); err != nil {
			return fmt.Errorf("issuer %v: %w", id, err)
		}
	}
	if len(c.Issuers) == 0 {
		return ErrNothing
	}
	for id := range c.states.cards {
		if err := c.planCard(id); err != nil {
			return fmt.Errorf("card %v: %w", id, err)
		}
	}
	for _, p := range c.channels {
		if p.until >= p.next || p.left {
			continue
		}
		if p.author != nil {
			return fmt.Errorf("channel %v: message %d: %w: no ledger takes it", p.id, p.until, channel.ErrRemoved)
		}
		c.Cut = append(c.Cut, p.id)
	}
	return nil
}

func (c *checking) planIssuer(id channel.ID) error {
	issuer, _, _ := c.states.Issuer(id) // a Map has no errors
	if _, err := c.authors.Issuer(id); err != nil {
		c.leave(id)
		return nil
	}
	if !issuer.Moved || issuer.Place == c.Header.Origin || c.To != "" && c.To != issuer.Place {
		return fmt.Errorf("%w: %s", ErrNotMoved, whereIs(issuer.Moved, issuer.Place))
	}
	c.To = issuer.Place
	c.Issuers = append(c.Issuers, id)
	c.channels[id].issuer = true
	c.goesAlong(id, true, func() (*channel.Author, error) { return c.authors.Issuer(id) })
	audit, err := c.authors.Audit(id)
	if err != nil {
		return err
	}
	c.goesAlong(audit.Channel(), false, func() (*channel.Author, error) { return c.authors.Audit(id) })
	return nil
}

func whereIs(moved bool, place string) string {
	if !moved {
		return "it goes on where it was exported"
	}
	return "it moved to " + place
}

func (c *checking) planCard(id cardID) error {
	card, _, _ := c.states.Card(id)
	if _, err := c.authors.Issuer(card.Issuer); err != nil {
		c.leave(card.Taps)
		return nil
	}
	ends := card.State == record.StateMoved && card.Was != ""
	if card.State != "" && (!ends || card.Place != c.To) {
		return fmt.Errorf("%w: %s", ErrNotMoved, whereIs(ends, card.Place))
	}
	if card.State == "" {
		c.Unfinished++
	}
	c.Cards++
	settings, err := c.authors.Settings(card.Issuer, id)
	if err != nil {
		return err
	}
	c.goesAlong(card.Taps, ends, func() (*channel.Author, error) { return c.authors.Taps(card.Issuer, id) })
	c.goesAlong(settings.Channel(), false, func() (*channel.Author, error) { return c.authors.Settings(card.Issuer, id) })
	return nil
}

func (c *checking) leave(id channel.ID) {
	if p := c.channels[id]; p != nil {
		p.left = true
		c.Left = append(c.Left, id)
	}
}

func (c *checking) goesAlong(id channel.ID, on bool, a author) {
	p := c.channels[id]
	if p == nil {
		return // it has no message yet
	}
	p.author = a
	if on {
		c.moving = append(c.moving, p)
	}
}

// errStopped ends a reading that has seen enough.
var errStopped = errors.New("seen enough")

// ReadHeader returns the first line of an export.
func ReadHeader(file io.Reader) (Header, error) {
	var head Header
	err := read(file, func(h Header) error { head = h; return errStopped }, nil)
	if !errors.Is(err, errStopped) {
		return Header{}, fmt.Errorf("reading the export: %w", err)
	}
	return head, nil
}
