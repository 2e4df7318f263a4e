package recordtest

import (
	"fmt"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap/taptest"
)

// History makes a random history step by step: records that hold and records that do not, mixed. It keeps no rule but those of
// the channels: what a record is worth is for Fold to find.
//
// A History must not be used by several goroutines at once.
type History struct {
	// Choose returns a number from 0 to n-1.
	Choose func(n int) int

	issuers []*Chain
	cards   []*Life
	other   *Chain
}

// Life is a card with its tap channel.
type Life struct {
	Card  *taptest.Card
	Chain *Chain
	Last  uint32 // as a service that writes no nonsense would know it
	State string
	// Settings is the hash that the head names, or "".
	Settings string
	Was      string // the state before, of a card that moved
}

// Cards returns the cards that were registered properly so far.
func (h *History) Cards() []*Life { return h.cards }

// Next returns the next message of the history.
func (h *History) Next() channel.Message {
	if len(h.issuers) == 0 {
		return h.openIssuer()
	}
	if len(h.cards) == 0 {
		return h.register()
	}
	steps := []func() channel.Message{
		h.tap, h.tap, h.tap, h.tap, h.tap, // more of what happens more
		h.openIssuer, h.register, h.inService, h.configure, h.associate, h.revoke,
		h.move, h.move, h.moveIssuer, h.lose,
		h.badTap, h.badTap, h.badRegistration, h.nonsense, h.unknownKind, h.stranger,
	}
	return steps[h.Choose(len(steps))]()
}

func (h *History) openIssuer() channel.Message {
	if len(h.issuers) == 3 {
		return pick(h, h.issuers).Say(Body(Opened("again")))
	}
	name := fmt.Sprint("issuer ", len(h.issuers))
	chain := NewChain(name)
	h.issuers = append(h.issuers, chain)
	return chain.Say(Body(Opened(name)))
}

func (h *History) register() channel.Message {
	name := fmt.Sprint("card ", len(h.cards))
	life := &Life{Card: taptest.NewCard(name), Chain: NewChain(name)}
	h.cards = append(h.cards, life)
	issuer := pick(h, h.issuers)
	body := Registered(life.Card, issuer.ID(), life.Chain.ID())
	life.Last = body.Proof.Counter
	return issuer.Say(Body(body))
}

func (h *History) inService() channel.Message {
	life := pick(h, h.cards)
	return life.inService()
}

func (l *Life) inService() channel.Message {
	if l.State == "" {
		l.State = record.StateInService
	}
	return l.Chain.Say(Body(InService(l.Last)))
}

// next returns the record of a tap after some that nobody recorded.
func (l *Life) next(skip uint32) record.Tap {
	t := Tapped(l.Card, l.Last+skip+1)
	t.Settings = l.Settings
	if skip > 0 {
		t.Skipped = &record.Range{l.Last + 1, l.Last + skip}
	}
	return t
}

func (h *History) tap() channel.Message {
	life := pick(h, h.cards)
	if life.State == "" {
		return life.inService()
	}
	t := life.next(uint32(h.Choose(3)))
	if h.Choose(2) == 0 {
		t.Retry = fmt.Sprintf("%022d.%022d", h.Choose(4), h.Choose(2))
	}
	life.Last = t.Last
	return life.Chain.Say(Body(t))
}

// configure names other settings, sometimes with a head that does not follow.
func (h *History) configure() channel.Message {
	life := pick(h, h.cards)
	b := Configured(life.Last, channel.Hash{byte(h.Choose(3))})
	if h.Choose(4) == 0 {
		b.Last++
	} else if life.State == b.State {
		life.Settings = b.Settings.String()
	}
	return life.Chain.Say(Body(b))
}

// associate names a device, sometimes with a head that does not follow.
func (h *History) associate() channel.Message {
	life := pick(h, h.cards)
	b := record.CardAssociated{Last: life.Last, State: record.StateInService, Settings: life.Settings, Device: []string{"", "lock 7"}[h.Choose(2)]}
	switch h.Choose(6) {
	case 0:
		b.Last++
	case 1:
		b.Settings = channel.Hash{8}.String()
	case 2:
		return life.Chain.Say([]byte(`{"kind":"card.associated","last":1,"state":"in_service"}`))
	}
	return life.Chain.Say(Body(b))
}

// revoke takes a card out of service, rarely: nothing happens to it after. Sometimes it counts back, or has another state.
func (h *History) revoke() channel.Message {
	life := pick(h, h.cards)
	switch h.Choose(8) {
	case 0:
		if life.State == record.StateInService || life.State == record.StateCompleted {
			life.State = record.StateRevoked
		}
		return life.Chain.Say(Body(record.CardRevoked{Last: life.Last, State: record.StateRevoked, Settings: life.Settings, Reason: "lost", By: "anna"}))
	case 1:
		return life.Chain.Say([]byte(`{"kind":"card.revoked","last":0,"state":"revoked"}`))
	}
	return life.Chain.Say([]byte(`{"kind":"card.revoked","last":4000000000,"state":"in_service"}`))
}

// move ends a card's channel, or continues one that ended; sometimes with what does not follow.
func (h *History) move() channel.Message {
	life := pick(h, h.cards)
	if life.Was != "" {
		b := record.ChannelContinued{Last: life.Last, State: life.Was, Settings: life.Settings, From: "log.example.com", Evidence: channel.Hash{5}}
		if h.Choose(4) == 0 {
			b.Last++
		} else {
			life.State, life.Was = life.Was, ""
		}
		return life.Chain.Say(Body(b))
	}
	b := record.ChannelMoved{Last: life.Last, State: record.StateMoved, Settings: life.Settings, To: h.place(), Was: record.StateInService}
	if h.Choose(4) == 0 {
		b.Was = record.StateRevoked
	} else if life.State == b.Was {
		life.State, life.Was = record.StateMoved, life.State
	}
	return life.Chain.Say(Body(b))
}

// place is the name of a ledger: one that the tests of bundles call theirs, or another.
func (h *History) place() string { return []string{"log.example/test", "log.example.org"}[h.Choose(2)] }

// lose says what is said after a history was lost, where none was.
func (h *History) lose() channel.Message {
	life := pick(h, h.cards)
	proof := Registered(life.Card, life.Chain.ID(), life.Chain.ID()).Proof
	bodies := [][]byte{
		Body(record.CardReinstated{Last: proof.Counter, State: record.StateInService, Proof: proof}),
		Body(record.CardCarried{Registration: record.Bytes{1}, Taps: life.Chain.ID(), Last: life.Last}),
		Body(record.IssuerSucceeded{Name: "heir", Log: h.place(), Opening: record.Bytes{2}, Reason: record.HistoryLost, Since: 1}),
		[]byte(`{"kind":"card.reinstated","last":1,"state":"in_service"}`), []byte(`{"kind":"card.carried","last":1}`),
		[]byte(`{"kind":"issuer.succeeded","since":1.0}`),
	}
	return h.anyChain().Say(bodies[h.Choose(len(bodies))])
}

func (h *History) moveIssuer() channel.Message {
	if h.Choose(4) == 0 {
		return pick(h, h.issuers).Say(Body(record.IssuerMoved{To: h.place()}))
	}
	return pick(h, h.issuers).Say(Body(record.IssuerContinued{From: "log.example.com", Evidence: channel.Hash{6}}))
}

func (h *History) badTap() channel.Message {
	life := pick(h, h.cards)
	t := life.next(1)
	switch h.Choose(8) {
	case 0: // invented by the operator
		t.Signature[7] ^= 1
	case 1: // replayed
		t = Tapped(life.Card, life.Last)
	case 2:
		t.Last++
	case 3:
		t.State = record.StateCompleted
	case 4:
		t.Skipped = &record.Range{life.Last + 1, life.Last + 7}
	case 5:
		t = pick(h, h.cards).next(0)
	case 6:
		t.Alg = "rsa2048"
	case 7:
		t.Settings = channel.Hash{9}.String()
	}
	return life.Chain.Say(Body(t))
}

func (h *History) badRegistration() channel.Message {
	issuer, life := pick(h, h.issuers), pick(h, h.cards)
	fresh := taptest.NewCard(fmt.Sprint("bad ", h.Choose(4)))
	taps := NewChain(fmt.Sprint("bad taps ", h.Choose(4))).ID()
	b := Registered(fresh, issuer.ID(), taps)
	switch h.Choose(6) {
	case 0: // the card is registered already, perhaps by another issuer
		b = Registered(life.Card, issuer.ID(), life.Chain.ID())
	case 1: // a proof for another issuer, unless it is this one
		b = Registered(fresh, pick(h, h.issuers).ID(), taps)
	case 2: // another's tap channel
		b = Registered(fresh, issuer.ID(), life.Chain.ID())
	case 3:
		b.Key = taptest.NewCard("swapped").Key().Bytes()
	case 4:
		b.Prefix = "http://plain.example.com/?i="
	case 5:
		b.Proof.Counter++
	}
	return issuer.Say(Body(b))
}

// nonsense is no record at all.
func (h *History) nonsense() channel.Message {
	bodies := []string{``, `{}`, `null`, `{"kind":"tap"}`, `{"kind":"tap","kind":"tap"}`, `{"KIND":"tap"}`, "{\"kind\":\"\xff\"}", `{"kind":1}`}
	return h.anyChain().Say([]byte(bodies[h.Choose(len(bodies))]))
}

// unknownKind is of a later version of the format, with and without a head.
func (h *History) unknownKind() channel.Message {
	life := pick(h, h.cards)
	switch h.Choose(4) {
	case 0:
		return h.anyChain().Say([]byte(`{"kind":"card.dreamt","of":"sheep"}`))
	case 1: // counts back
		return life.Chain.Say([]byte(`{"kind":"card.later","last":0,"state":"revoked"}`))
	}
	states := []string{record.StateInService, record.StateCompleted, record.StateRevoked, record.StateInService, record.StateMoved}
	life.State, life.Settings = states[h.Choose(len(states))], ""
	return life.Chain.Say(fmt.Appendf(nil, `{"kind":"card.changed","last":%d,"state":%q}`, life.Last, life.State))
}

// stranger writes to a channel that nobody registered, sometimes what belongs elsewhere.
func (h *History) stranger() channel.Message {
	if h.other == nil {
		h.other = NewChain("stranger")
	}
	if h.Choose(2) == 0 {
		return h.other.Say([]byte(`{"kind":"weather","must":true}`))
	}
	return h.other.Say(Body(Registered(taptest.NewCard("nobody's"), h.other.ID(), NewChain("nobody's").ID())))
}

func (h *History) anyChain() *Chain {
	if h.Choose(2) == 0 {
		return pick(h, h.issuers)
	}
	return pick(h, h.cards).Chain
}

func pick[T any](h *History, from []T) T { return from[h.Choose(len(from))] }
