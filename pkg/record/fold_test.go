package record_test

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// story folds messages one by one, as a ledger delivers them.
type story struct {
	t *testing.T
	*record.Map
	next   uint64
	issuer *recordtest.Chain
	taps   *recordtest.Chain
	card   *taptest.Card
}

// newStory is of an issuer and a card that is not registered.
func newStory(t *testing.T) *story {
	s := &story{t: t, Map: record.NewMap(), issuer: recordtest.NewChain("issuer"), taps: recordtest.NewChain("taps"), card: taptest.NewCard("card")}
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	return s
}

// registered is a story whose card has no message on its tap channel.
func registered(t *testing.T) *story {
	s := newStory(t)
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	return s
}

// inService is a story whose card is in service with the counters 1 (proof) to 3 used up.
func inService(t *testing.T) *story {
	s := registered(t)
	s.tell(s.taps.Say(recordtest.Body(recordtest.InService(3))))
	require.Empty(t, s.Rejections())
	return s
}

func entry(m channel.Message, index uint64) ledger.Entry {
	return ledger.Entry{Message: m, Index: index, Time: time.UnixMilli(int64(1_790_000_000_000 + index)).UTC()}
}

func (s *story) tell(m channel.Message) {
	s.t.Helper()
	require.NoError(s.t, record.Fold(s, entry(m, s.next)))
	s.next++
}

// refuses tells m and checks that it changes nothing but the head, for the given reason.
func (s *story) refuses(m channel.Message, reason record.Reason) {
	s.t.Helper()
	before := s.theCard()
	count := len(s.Rejections())
	s.tell(m)
	require.Len(s.t, s.Rejections(), count+1)
	last := s.Rejections()[count]
	assert.Equal(s.t, reason, last.Reason)
	assert.Equal(s.t, record.Rejection{Index: s.next - 1, Channel: m.Channel(), Number: m.Number(), Kind: last.Kind, Reason: reason}, last)
	if m.Channel() == s.taps.ID() && before.Taps == s.taps.ID() {
		assert.Equal(s.t, m.Hash(), s.theCard().Head.Hash)
		before.Head = s.theCard().Head
	}
	assert.Equal(s.t, before, s.theCard())
}

func (s *story) theCard() record.Card {
	c, _, err := s.Card(s.card.ID())
	require.NoError(s.t, err)
	return c
}

func TestACardsLife(t *testing.T) {
	s := inService(t)
	tapped := recordtest.Tapped(s.card, 4)
	tapped.Action = "update"
	s.tell(s.taps.Say(recordtest.Body(tapped)))
	tapped = recordtest.Tapped(s.card, 9)
	tapped.Skipped = &record.Range{5, 8}
	m := s.taps.Say(recordtest.Body(tapped))
	s.tell(m)

	c := s.theCard()
	assert.Empty(t, s.Rejections())
	assert.Equal(t, uint32(9), c.Last)
	assert.Equal(t, uint64(2), c.Recorded)
	assert.Equal(t, record.StateInService, c.State)
	assert.Equal(t, record.Ref{Channel: s.taps.ID(), Number: 2, Hash: m.Hash(), Index: 4, Time: time.UnixMilli(1_790_000_000_004).UTC()}, c.Head)
	assert.Equal(t, s.issuer.ID(), c.Issuer)
	assert.True(t, c.Key.Equal(s.card.Key()))
	issuer, found, err := s.Issuer(s.issuer.ID())
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, uint64(1), issuer.Head.Number)
}

func TestNobodyInventsATap(t *testing.T) {
	for reason, change := range map[record.Reason]func(s *story, b *record.Tap){
		record.ReasonBadSignature:  func(_ *story, b *record.Tap) { b.Signature[3] ^= 1 },
		record.ReasonCounterUsed:   func(s *story, b *record.Tap) { *b = recordtest.Tapped(s.card, 3) },
		record.ReasonWrongLast:     func(_ *story, b *record.Tap) { b.Last = 9 },
		record.ReasonWrongState:    func(_ *story, b *record.Tap) { b.State = record.StateCompleted },
		record.ReasonWrongSettings: func(_ *story, b *record.Tap) { b.Settings = channel.Hash{1}.String() },
		record.ReasonWrongSkipped:  func(_ *story, b *record.Tap) { b.Skipped = &record.Range{4, 5} },
		record.ReasonWrongCard:     func(_ *story, b *record.Tap) { *b = recordtest.Tapped(taptest.NewCard("other"), 8) },
	} {
		t.Run(string(reason), func(t *testing.T) {
			s := inService(t)
			b := recordtest.Tapped(s.card, 8)
			change(s, &b)
			s.refuses(s.taps.Say(recordtest.Body(b)), reason)
			s.tell(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))))
			assert.Equal(t, uint32(8), s.theCard().Last, "the channel goes on")
		})
	}
}

func TestARehearsalIsNoTap(t *testing.T) {
	s := inService(t)
	b := recordtest.Tapped(s.card, 8)
	b.Signature = s.card.Sign(b.URL().RehearsalBytes(tap.P256))
	b.Signature = b.URL().CanonicalSignature(tap.P256)
	s.refuses(s.taps.Say(recordtest.Body(b)), record.ReasonBadSignature)
}

// TestOnlyTheLowFormOfASignatureIsBelieved: both verify, but readers that believed different records would come to different states.
func TestOnlyTheLowFormOfASignatureIsBelieved(t *testing.T) {
	s := inService(t)
	b := recordtest.Tapped(s.card, 8)
	n := elliptic.P256().Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(b.Signature[32:])).FillBytes(b.Signature[32:])
	require.NoError(t, b.URL().Verify(s.card.Key()))
	s.refuses(s.taps.Say(recordtest.Body(b)), record.ReasonBadSignature)
}

func TestSkippedCountersAreNeverClaimedWhereThereAreNone(t *testing.T) {
	s := inService(t)
	b := recordtest.Tapped(s.card, 4)
	b.Skipped = &record.Range{4, 3}
	s.refuses(s.taps.Say(recordtest.Body(b)), record.ReasonWrongSkipped)
}

func TestTapsBeforeServiceDoNotCount(t *testing.T) {
	s := newStory(t)
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 4))), record.ReasonNotInService)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.InService(3))), record.ReasonNotFirst)
}

func TestServiceBeginsAboveTheProofsCounter(t *testing.T) {
	s := newStory(t)
	s.card.Counter = 5
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	s.refuses(s.taps.Say(recordtest.Body(recordtest.InService(5))), record.ReasonWrongLast)
}

func TestARegistrationHasToBeTheCardsOwnWish(t *testing.T) {
	other := recordtest.NewChain("other")
	for reason, change := range map[record.Reason]func(s *story, b *record.CardRegistered){
		record.ReasonBadProof:    func(s *story, b *record.CardRegistered) { *b = recordtest.Registered(s.card, other.ID(), s.taps.ID()) },
		record.ReasonWrongKey:    func(_ *story, b *record.CardRegistered) { b.Key = taptest.NewCard("swapped").Key().Bytes() },
		record.ReasonBadKey:      func(_ *story, b *record.CardRegistered) { b.Key = b.Key[1:] },
		record.ReasonBadTemplate: func(_ *story, b *record.CardRegistered) { b.Prefix = "http://x.example.com/?i=" },
		record.ReasonTapsTaken: func(s *story, b *record.CardRegistered) {
			*b = recordtest.Registered(s.card, s.issuer.ID(), s.issuer.ID())
		},
	} {
		t.Run(string(reason), func(t *testing.T) {
			s := newStory(t)
			b := recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID())
			change(s, &b)
			s.refuses(s.issuer.Say(recordtest.Body(b)), reason)
		})
	}
	t.Run("for this tap channel", func(t *testing.T) {
		s := newStory(t)
		b := recordtest.Registered(s.card, s.issuer.ID(), other.ID())
		b.Taps = s.taps.ID()
		s.refuses(s.issuer.Say(recordtest.Body(b)), record.ReasonBadProof)
	})
}

func TestTheFirstRegistrationStands(t *testing.T) {
	s := inService(t)
	rival, elsewhere := recordtest.NewChain("rival"), recordtest.NewChain("elsewhere")
	s.tell(rival.Say(recordtest.Body(recordtest.Opened("rival"))))
	s.refuses(rival.Say(recordtest.Body(recordtest.Registered(s.card, rival.ID(), elsewhere.ID()))), record.ReasonIDTaken)
	s.refuses(rival.Say(recordtest.Body(recordtest.Registered(taptest.NewCard("other"), rival.ID(), s.taps.ID()))), record.ReasonTapsTaken)
}

func TestRecordsOnChannelsWhereTheyDoNotBelong(t *testing.T) {
	s := inService(t)
	s.refuses(s.issuer.Say(recordtest.Body(recordtest.Opened("issuer"))), record.ReasonOpenedTwice)
	s.refuses(s.issuer.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), record.ReasonWrongChannel)
	s.refuses(s.issuer.Say([]byte(`{"kind":"tap"}`)), record.ReasonMalformed)
	s.refuses(s.issuer.Say([]byte(`{"kind":"weather"}`)), record.ReasonUnknownKind)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Opened("taps"))), record.ReasonWrongChannel)
	s.refuses(s.taps.Say([]byte(`{"kind":"weather"}`)), record.ReasonUnknownKind)
	s.refuses(s.taps.Say([]byte(`{"kind":"card.later","last":1,"state":"revoked"}`)), record.ReasonUnknownKind)
}

func TestChannelsThatNobodyRegisteredAreIgnored(t *testing.T) {
	s := inService(t)
	before, err := s.Dump()
	require.NoError(t, err)
	stranger := recordtest.NewChain("stranger")
	s.tell(stranger.Say([]byte(`{"kind":"weather","must":true}`)))
	s.tell(stranger.Say(recordtest.Body(recordtest.Opened("late"))))
	s.tell(stranger.Say(recordtest.Body(recordtest.Tapped(s.card, 8))))
	after, err := s.Dump()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
	assert.Equal(t, uint64(3), s.Ignored())
}

func TestAReaderThatIsTooOldStops(t *testing.T) {
	s := inService(t)
	before, err := s.Dump()
	require.NoError(t, err)
	for _, chain := range []*recordtest.Chain{s.issuer, s.taps} {
		err = record.Fold(s, entry(chain.Say([]byte(`{"kind":"weather","must":true}`)), s.next))
		assert.ErrorIs(t, err, record.ErrMust)
	}
	after, err := s.Dump()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestAHeadOfAnUnknownKindIsRespected(t *testing.T) {
	for _, state := range []string{record.StateRevoked, record.StateMoved} {
		t.Run(state, func(t *testing.T) {
			s := inService(t)
			s.tell(s.taps.Say(fmt.Appendf(nil, `{"kind":"card.later","last":7,"state":%q}`, state)))
			assert.Equal(t, state, s.theCard().State)
			assert.Equal(t, uint32(7), s.theCard().Last)
			assert.Equal(t, record.ReasonUnknownKind, s.Rejections()[0].Reason)
			reason := record.ReasonNotInService
			if state == record.StateMoved {
				reason = record.ReasonMovedChannel
			}
			s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), reason)
		})
	}
}

func TestTapsOfACompletedCardCount(t *testing.T) {
	s := inService(t)
	s.tell(s.taps.Say([]byte(`{"kind":"card.completed","last":3,"state":"completed"}`)))
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), record.ReasonWrongState)
	b := recordtest.Tapped(s.card, 8)
	b.State = record.StateCompleted
	s.tell(s.taps.Say(recordtest.Body(b)))
	assert.Equal(t, uint32(8), s.theCard().Last)
	assert.Equal(t, record.StateCompleted, s.theCard().State)
}

func TestSettingsAreInForceFromTheirRecordOn(t *testing.T) {
	s := inService(t)
	settings := channel.Hash{5}
	s.tell(s.taps.Say(recordtest.Body(recordtest.Configured(3, settings))))
	assert.Equal(t, settings.String(), s.theCard().Settings)
	assert.Equal(t, uint32(3), s.theCard().Last)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), record.ReasonWrongSettings)
	b := recordtest.Tapped(s.card, 8)
	b.Settings = settings.String()
	s.tell(s.taps.Say(recordtest.Body(b)))
	assert.Equal(t, uint32(8), s.theCard().Last)
}

func TestSettingsChangeNothingElse(t *testing.T) {
	for reason, b := range map[record.Reason]record.CardConfigured{
		record.ReasonWrongLast:  recordtest.Configured(4, channel.Hash{5}),
		record.ReasonWrongState: {Last: 3, State: record.StateRevoked, Settings: channel.Hash{5}},
	} {
		s := inService(t)
		s.refuses(s.taps.Say(recordtest.Body(b)), reason)
	}
	s := newStory(t)
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Configured(1, channel.Hash{5}))), record.ReasonNotInService)
}

func TestMessagesFromBeforeTheRegistrationAreNotTheCards(t *testing.T) {
	s := newStory(t)
	early := s.taps.Say(recordtest.Body(recordtest.InService(3)))
	s.tell(early)
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	require.NoError(t, record.Fold(s, entry(early, 1)), "somebody reads the tap channel again from its beginning")
	assert.Empty(t, s.theCard().State)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), record.ReasonNotInService)
}

func TestAMessageThatDoesNotContinueItsChannel(t *testing.T) {
	s := inService(t)
	before, err := s.Dump()
	require.NoError(t, err)
	s.taps.Say([]byte(`{}`)) // nobody delivers this one
	require.NoError(t, record.Fold(s, entry(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 8))), s.next)))
	assert.Equal(t, record.ReasonBrokenChain, s.Rejections()[0].Reason)
	after, err := s.Dump()
	require.NoError(t, err)
	assert.Contains(t, string(after), string(before))
}

var errDisk = errors.New("disk")

// failing fails at its n-th call.
type failing struct {
	*record.Map
	left int
}

func (f *failing) call() error {
	f.left--
	if f.left == 0 {
		return errDisk
	}
	return nil
}

func (f *failing) PutIssuer(i record.Issuer) error { return errors.Join(f.call(), f.Map.PutIssuer(i)) }
func (f *failing) PutCard(c record.Card, r record.Record) error {
	return errors.Join(f.call(), f.Map.PutCard(c, r))
}
func (f *failing) Reject(r record.Rejection) error { return errors.Join(f.call(), f.Map.Reject(r)) }

func TestErrorsOfTheStoreComeThrough(t *testing.T) {
	s := newStory(t)
	messages := []channel.Message{
		recordtest.NewChain("issuer").Say(recordtest.Body(recordtest.Opened("issuer"))),
		s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))),
		s.taps.Say(recordtest.Body(recordtest.InService(3))),
		s.taps.Say([]byte(`{}`)),
		s.issuer.Say([]byte(`{}`)),
	}
	const calls = 1 + 2 + 1 + 2 + 2
	for n := 1; n <= calls+1; n++ {
		states := &failing{Map: record.NewMap(), left: n}
		var err error
		for i, m := range messages {
			err = errors.Join(err, record.Fold(states, entry(m, uint64(i))))
			if err != nil {
				break
			}
		}
		assert.Equal(t, n <= calls, errors.Is(err, errDisk), "call %d", n)
	}
}

// A history folded once, folded twice, and folded with each tap channel read ahead again and again comes out the same.
func TestFoldingAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.History{Choose: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }}
		once, again := record.NewMap(), record.NewMap()
		var entries []ledger.Entry
		for i := range rapid.IntRange(1, 60).Draw(t, "messages") {
			e := entry(h.Next(), uint64(i))
			entries = append(entries, e)
			require.NoError(t, record.Fold(once, e))
			require.NoError(t, record.Fold(again, e))
			for _, old := range entries {
				if old.Message.Channel() == e.Message.Channel() {
					require.NoError(t, record.Fold(again, old))
				}
			}
		}
		want, err := once.Dump()
		require.NoError(t, err)
		got, err := again.Dump()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}
