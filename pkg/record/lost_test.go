package record_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// line is an issuer's channels, each of which may succeed the one before it, and the openings of those that were opened.
type line struct {
	chains   []*recordtest.Chain
	openings []channel.Message
}

func newLine(name string, n int) *line {
	l := &line{}
	for i := range n {
		l.chains = append(l.chains, recordtest.NewChain(fmt.Sprint(name, i)))
	}
	opened := recordtest.Opened(name)
	opened.Next = l.next(0)
	l.openings = append(l.openings, l.chains[0].Say(recordtest.Body(opened)))
	return l
}

// next is what the opening of the i-th channel commits to.
func (l *line) next(i int) channel.Hash {
	if i+1 == len(l.chains) {
		return channel.Hash{1}
	}
	id := l.chains[i+1].ID()
	return sha256.Sum256(id[:])
}

// succession is the body that opens the i-th channel.
func (l *line) succession(i int) record.IssuerSucceeded {
	return record.IssuerSucceeded{
		Name: "heir", Log: "log.example.org", Next: l.next(i), Previous: l.chains[i-1].ID(), Opening: l.openings[i-1].Bytes(),
		Reason: record.HistoryLost, Since: record.Milliseconds(1_790_000_000_000 + i),
	}
}

func (l *line) succeed(i int) channel.Message {
	m := l.chains[i].Say(recordtest.Body(l.succession(i)))
	l.openings = append(l.openings, m)
	return m
}

// reinstated is what a card answers that was carried to this issuer and tap channel.
func reinstated(c *taptest.Card, issuer, taps channel.ID) record.CardReinstated {
	proof := recordtest.Registered(c, issuer, taps).Proof
	return record.CardReinstated{Last: proof.Counter, State: record.StateInService, Proof: proof}
}

// carried is a story on a new log in which a card was carried over, as far as its counter is known to be last.
func carried(t *testing.T, last uint32) (*story, *line) {
	l, s := newLine("issuer", 3), &story{t: t, Map: record.NewMap(), card: taptest.NewCard("card")}
	registration := l.chains[0].Say(recordtest.Body(recordtest.Registered(s.card, l.chains[0].ID(), recordtest.NewChain("old taps").ID())))
	s.issuer, s.taps = l.chains[1], recordtest.NewChain("taps")
	s.tell(l.succeed(1))
	s.tell(s.issuer.Say(recordtest.Body(record.CardCarried{Registration: registration.Bytes(), Taps: s.taps.ID(), Last: last})))
	require.Empty(t, s.Rejections())
	return s, l
}

func TestACarriedCardCountsOnlyAfterItHasShownItself(t *testing.T) {
	s, l := carried(t, 7)
	c := s.theCard()
	assert.Equal(t, record.StateLost, c.State)
	assert.Equal(t, l.chains[0].ID(), c.Previous)
	assert.Equal(t, l.chains[1].ID(), c.Issuer)
	assert.Equal(t, record.Milliseconds(1_790_000_000_001).Time(), c.Since)
	assert.EqualValues(t, 7, c.Last)

	s.card.Counter = 20
	s.tell(s.taps.Say(recordtest.Body(reinstated(s.card, s.issuer.ID(), s.taps.ID()))))
	require.Empty(t, s.Rejections())
	last := s.theCard().Last
	assert.Greater(t, last, uint32(20))
	assert.Equal(t, record.StateInService, s.theCard().State)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, last))), record.ReasonCounterUsed)
	s.tell(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, last+1))))
	assert.EqualValues(t, 1, s.theCard().Recorded)
	s.refuses(s.taps.Say(recordtest.Body(reinstated(s.card, s.issuer.ID(), s.taps.ID()))), record.ReasonNotLost)
}

// Property: whatever a channel says, a card whose history is lost is not in service before it has shown itself.
func TestNothingElsePutsALostCardIntoService(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, _ := carried(t, 7)
		s.card.Counter = 20
		for range rapid.IntRange(1, 6).Draw(r, "messages") {
			counter := rapid.Uint32Range(1, 40).Draw(r, "counter")
			bad := reinstated(s.card, s.issuer.ID(), s.taps.ID())
			switch rapid.IntRange(0, 3).Draw(r, "flaw") {
			case 0:
				bad.Last++
			case 1:
				bad.Proof.Signature[5] ^= 1
			case 2:
				bad.State = record.StateRevoked
			case 3: // of another issuer, as the registration was
				bad = reinstated(s.card, channel.ID{1}, s.taps.ID())
			}
			bodies := [][]byte{
				recordtest.Body(recordtest.InService(counter)), recordtest.Body(recordtest.Tapped(s.card, counter)),
				recordtest.Body(recordtest.Configured(counter, channel.Hash{2})), recordtest.Body(moved(counter)), recordtest.Body(continued(counter)),
				fmt.Appendf(nil, `{"kind":"card.dreamt","last":%d,"state":"in_service"}`, counter), []byte(`{}`), recordtest.Body(bad),
			}
			m := s.taps.Say(bodies[rapid.IntRange(0, len(bodies)-1).Draw(r, "kind")])
			rejected := len(s.Rejections())
			s.tell(m)
			require.Len(r, s.Rejections(), rejected+1)
			require.Equal(r, record.StateLost, s.theCard().State)
			require.EqualValues(r, 7, s.theCard().Last)
		}
	})
}

func TestALostCardCanBeRevoked(t *testing.T) {
	s, _ := carried(t, 7)
	s.tell(s.taps.Say([]byte(`{"kind":"card.revoked","last":7,"state":"revoked"}`)))
	assert.Equal(t, record.StateRevoked, s.theCard().State)
	s.card.Counter = 20
	s.refuses(s.taps.Say(recordtest.Body(reinstated(s.card, s.issuer.ID(), s.taps.ID()))), record.ReasonNotLost)
}

func TestReinstatementsThatDoNotHold(t *testing.T) {
	for reason, change := range map[record.Reason]func(*record.CardReinstated){
		record.ReasonWrongLast:  func(b *record.CardReinstated) { b.Last-- },
		record.ReasonWrongState: func(b *record.CardReinstated) { b.State = record.StateMoved },
		record.ReasonBadProof:   func(b *record.CardReinstated) { b.Proof.Nonce[0] ^= 1 },
	} {
		s, _ := carried(t, 7)
		s.card.Counter = 20
		b := reinstated(s.card, s.issuer.ID(), s.taps.ID())
		change(&b)
		s.refuses(s.taps.Say(recordtest.Body(b)), reason)
	}
	s, _ := carried(t, 100)
	s.refuses(s.taps.Say(recordtest.Body(reinstated(s.card, s.issuer.ID(), s.taps.ID()))), record.ReasonWrongLast)
	s.card.Counter = 200
	s.refuses(s.taps.Say(recordtest.Body(reinstated(s.card, s.issuer.ID(), s.taps.ID()))), record.ReasonNotFirst)
}

func TestOnlyTheChannelThatWasCommittedToSucceeds(t *testing.T) {
	for what, change := range map[string]func(*line, *record.IssuerSucceeded){
		"another channel":  func(l *line, _ *record.IssuerSucceeded) { l.chains[1] = recordtest.NewChain("thief") },
		"another opening":  func(l *line, b *record.IssuerSucceeded) { b.Opening = newLine("other", 2).openings[0].Bytes() },
		"no message":       func(_ *line, b *record.IssuerSucceeded) { b.Opening = b.Opening[1:] },
		"a changed one":    func(_ *line, b *record.IssuerSucceeded) { b.Opening[len(b.Opening)-1] ^= 1 },
		"another previous": func(_ *line, b *record.IssuerSucceeded) { b.Previous = channel.ID{1} },
		"no opening":       func(l *line, b *record.IssuerSucceeded) { b.Opening = l.chains[0].Say([]byte(`{"kind":"x"}`)).Bytes() },
		"a first of another": func(_ *line, b *record.IssuerSucceeded) {
			b.Opening = recordtest.NewChain("issuer0").Say([]byte(`{"kind":"x"}`)).Bytes()
		},
	} {
		l, s := newLine("issuer", 2), &story{t: t, Map: record.NewMap()}
		b := l.succession(1)
		change(l, &b)
		s.tell(l.chains[1].Say(recordtest.Body(b)))
		_, found, err := s.Issuer(l.chains[1].ID())
		require.NoError(t, err)
		assert.False(t, found, what)
	}
}

func TestAHistoryCanBeLostTwice(t *testing.T) {
	_, l := carried(t, 7)
	s := &story{t: t, Map: record.NewMap(), card: taptest.NewCard("card")}
	s.tell(l.succeed(2))
	issuer, found, err := s.Issuer(l.chains[2].ID())
	require.NoError(t, err)
	require.True(t, found)
	assert.Equal(t, []channel.ID{l.chains[1].ID(), l.chains[0].ID()}, issuer.Previous)
	first := recordtest.NewChain("issuer0")
	first.Say([]byte(`{"kind":"x"}`)) // the opening's place
	registration := first.Say(recordtest.Body(recordtest.Registered(s.card, first.ID(), recordtest.NewChain("old taps").ID())))
	s.tell(l.chains[2].Say(recordtest.Body(record.CardCarried{Registration: registration.Bytes(), Taps: channel.ID{9}, Last: 7})))
	require.Empty(t, s.Rejections())
	assert.Equal(t, record.StateLost, s.theCard().State)
}

func TestCarriedCardsThatDoNotHold(t *testing.T) {
	s, l := carried(t, 7)
	foreign := newLine("foreign", 1).chains[0]
	card, taps := taptest.NewCard("second"), recordtest.NewChain("second taps").ID()
	of := func(c *recordtest.Chain, issuer channel.ID) []byte {
		return c.Say(recordtest.Body(recordtest.Registered(card, issuer, recordtest.NewChain("old").ID()))).Bytes()
	}
	good := record.CardCarried{Registration: of(l.chains[0], l.chains[0].ID()), Taps: taps, Last: 50}
	for _, row := range []struct {
		reason record.Reason
		change func(*record.CardCarried)
	}{
		{record.ReasonBadRegistration, func(b *record.CardCarried) { b.Registration = b.Registration[1:] }},
		{record.ReasonBadRegistration, func(b *record.CardCarried) { b.Registration = l.openings[0].Bytes() }},
		{record.ReasonBadRegistration, func(b *record.CardCarried) { b.Registration = of(foreign, foreign.ID()) }},
		{record.ReasonBadProof, func(b *record.CardCarried) { b.Registration = of(l.chains[0], foreign.ID()) }},
		{record.ReasonWrongLast, func(b *record.CardCarried) { b.Last = 0 }},
		{record.ReasonTapsTaken, func(b *record.CardCarried) { b.Taps = recordtest.NewChain("old").ID() }},
		{record.ReasonTapsTaken, func(b *record.CardCarried) { b.Taps = s.taps.ID() }},
		{record.ReasonTapsTaken, func(b *record.CardCarried) { b.Taps = s.issuer.ID() }},
	} {
		b := good
		row.change(&b)
		rejected := len(s.Rejections())
		s.tell(s.issuer.Say(recordtest.Body(b)))
		require.Len(t, s.Rejections(), rejected+1, row.reason)
		assert.Equal(t, row.reason, s.Rejections()[rejected].Reason)
	}
	s.tell(s.issuer.Say(recordtest.Body(good)))
	_, found, err := s.Card(card.ID())
	require.NoError(t, err)
	require.True(t, found)
	rejected := len(s.Rejections())
	good.Taps = recordtest.NewChain("third taps").ID()
	s.tell(s.issuer.Say(recordtest.Body(good)))
	assert.Equal(t, record.ReasonIDTaken, s.Rejections()[rejected].Reason)
	s.tell(s.issuer.Say(recordtest.Body(l.succession(1))))
	assert.Equal(t, record.ReasonOpenedTwice, s.Rejections()[rejected+1].Reason)

	plain := newStory(t)
	plain.tell(plain.issuer.Say(recordtest.Body(good)))
	assert.Equal(t, record.ReasonBadRegistration, plain.Rejections()[0].Reason, "an issuer that succeeded nobody")
}

func TestRecordsOfLostHistoriesAreReadStrictly(t *testing.T) {
	hash := channel.Hash{}.String()
	for _, bad := range []string{
		`{"kind":"card.carried","registration":"","taps":"` + hash + `"}`, `{"kind":"card.carried","registration":"=","taps":"` + hash + `","last":1}`,
		`{"kind":"card.reinstated","last":1,"state":"in_service"}`, `{"kind":"card.reinstated","last":1,"state":"lost","proof":{"counter":1,"nonce":"","signature":""}}`,
		`{"kind":"issuer.succeeded","name":"a","url":"","log":"l","next":"` + hash + `","previous":"` + hash + `","opening":"","reason":"bored","since":1}`,
		`{"kind":"issuer.succeeded","name":"a","url":"","log":"l","next":"` + hash + `","previous":"` + hash + `","opening":"","reason":"history_lost","since":0}`,
		`{"kind":"issuer.succeeded","name":"a","url":"","log":"l","next":"` + hash + `","previous":"` + hash + `","opening":"","reason":"history_lost","since":1.5}`,
		`{"kind":"issuer.succeeded","name":"a","url":"","next":"` + hash + `","previous":"` + hash + `","opening":"","reason":"history_lost","since":1}`,
	} {
		_, err := record.Parse([]byte(bad))
		assert.ErrorIs(t, err, record.ErrMalformed, bad)
	}
	l, c := newLine("issuer", 2), taptest.NewCard("card")
	for _, b := range []interface{ Encode() ([]byte, error) }{
		l.succession(1), record.CardCarried{Registration: record.Bytes{1}, Taps: channel.ID{2}, Last: 3}, reinstated(c, channel.ID{1}, channel.ID{2}),
	} {
		r, err := record.Parse(recordtest.Body(b))
		require.NoError(t, err)
		assert.Equal(t, b, r.Value)
	}
}
