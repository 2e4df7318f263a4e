package record_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

const there = "log.example.org"

func moved(last uint32) record.ChannelMoved {
	return record.ChannelMoved{Last: last, State: record.StateMoved, To: there, Was: record.StateInService}
}

func continued(last uint32) record.ChannelContinued {
	return record.ChannelContinued{Last: last, State: record.StateInService, From: "log.example.com", Evidence: channel.Hash{7}}
}

func TestAMovedCardGoesOnAsItStoodBefore(t *testing.T) {
	s := inService(t)
	s.tell(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 5))))
	before := s.theCard()
	s.tell(s.taps.Say(recordtest.Body(moved(5))))
	assert.Equal(t, record.StateMoved, s.theCard().State)
	assert.Equal(t, there, s.theCard().Place)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 6))), record.ReasonMovedChannel)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Configured(5, channel.Hash{1}))), record.ReasonMovedChannel)
	s.refuses(s.taps.Say(recordtest.Body(moved(5))), record.ReasonMovedChannel)
	s.refuses(s.taps.Say([]byte(`{"kind":"card.dreamt","last":9,"state":"in_service"}`)), record.ReasonMovedChannel)
	s.tell(s.taps.Say(recordtest.Body(continued(5))))

	after := s.theCard()
	assert.Equal(t, record.StateMoved, after.On("log.example.com").State, "what was copied to where it moved from")
	assert.Equal(t, record.StateInService, after.On(there).State)
	after.Place, after.Head = "", before.Head
	assert.Equal(t, before, after)
	s.tell(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 6))))
	assert.Equal(t, uint64(2), s.theCard().Recorded)
	s.refuses(s.taps.Say(recordtest.Body(continued(6))), record.ReasonNotMoved)
}

func TestMovesThatDoNotFollowChangeNothing(t *testing.T) {
	settings := channel.Hash{9}.String()
	for reason, change := range map[record.Reason]func(*record.ChannelMoved){
		record.ReasonWrongLast:     func(b *record.ChannelMoved) { b.Last++ },
		record.ReasonWrongState:    func(b *record.ChannelMoved) { b.Was = record.StateCompleted },
		record.ReasonWrongSettings: func(b *record.ChannelMoved) { b.Settings = settings },
	} {
		s, b := inService(t), moved(3)
		change(&b)
		s.refuses(s.taps.Say(recordtest.Body(b)), reason)
	}
	for reason, change := range map[record.Reason]func(*record.ChannelContinued){
		record.ReasonWrongLast:     func(b *record.ChannelContinued) { b.Last-- },
		record.ReasonWrongState:    func(b *record.ChannelContinued) { b.State = record.StateCompleted },
		record.ReasonWrongSettings: func(b *record.ChannelContinued) { b.Settings = settings },
	} {
		s, b := inService(t), continued(3)
		s.tell(s.taps.Say(recordtest.Body(moved(3))))
		change(&b)
		s.refuses(s.taps.Say(recordtest.Body(b)), reason)
		s.tell(s.taps.Say(recordtest.Body(continued(3))))
		assert.Equal(t, record.StateInService, s.theCard().State)
	}
	s := newStory(t)
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))))
	s.refuses(s.taps.Say(recordtest.Body(moved(1))), record.ReasonNotInService)
	s.refuses(s.taps.Say(recordtest.Body(continued(1))), record.ReasonNotMoved)
	s.refuses(s.taps.Say(recordtest.Body(record.IssuerMoved{To: there})), record.ReasonWrongChannel)
}

// A card that something of a later version moved stays moved: nobody knows in which state it would go on.
func TestWhatMovedUnreadDoesNotGoOn(t *testing.T) {
	s := inService(t)
	s.tell(s.taps.Say(fmt.Appendf(nil, `{"kind":"card.gone","last":3,"state":"moved"}`)))
	s.refuses(s.taps.Say(recordtest.Body(continued(3))), record.ReasonMovedChannel)
}

func TestAnIssuerThatMovedRegistersNothing(t *testing.T) {
	s, other := newStory(t), taptest.NewCard("other")
	issuer := func() record.Issuer {
		i, found, err := s.Issuer(s.issuer.ID())
		require.NoError(t, err)
		require.True(t, found)
		return i
	}
	assert.True(t, issuer().IsOn("log.example.com"))
	s.refuses(s.issuer.Say(recordtest.Body(record.IssuerContinued{From: "log.example.com"})), record.ReasonNotMoved)
	s.tell(s.issuer.Say(recordtest.Body(record.IssuerMoved{To: there})))
	assert.False(t, issuer().IsOn(there), "not before it goes on there")
	s.refuses(s.issuer.Say(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))), record.ReasonMovedChannel)
	s.tell(s.issuer.Say(recordtest.Body(record.IssuerContinued{From: "log.example.com", Evidence: channel.Hash{1}})))
	assert.True(t, issuer().IsOn(there))
	assert.False(t, issuer().IsOn("log.example.com"))
	s.tell(s.issuer.Say(recordtest.Body(recordtest.Registered(other, s.issuer.ID(), recordtest.NewChain("others").ID()))))
	_, found, err := s.Card(other.ID())
	require.NoError(t, err)
	assert.True(t, found)
}

func TestMovesAreReadStrictly(t *testing.T) {
	hash := channel.Hash{}.String()
	for _, bad := range []string{
		`{"kind":"issuer.moved"}`, `{"kind":"issuer.moved","to":""}`, `{"kind":"issuer.continued","from":"a"}`,
		`{"kind":"channel.moved","last":1,"state":"in_service","to":"a","was":"in_service"}`,
		`{"kind":"channel.moved","last":1,"state":"moved","to":"a","was":"moved"}`,
		`{"kind":"channel.moved","last":1,"state":"moved","to":"a","was":""}`,
		`{"kind":"channel.moved","last":1,"state":"moved","to":"","was":"in_service"}`,
		`{"kind":"channel.continued","last":1,"state":"moved","from":"a","evidence":"` + hash + `"}`,
		`{"kind":"channel.continued","last":1,"state":"in_service","from":"","evidence":"` + hash + `"}`,
		`{"kind":"channel.continued","last":1,"state":"in_service","from":"a"}`,
	} {
		_, err := record.Parse([]byte(bad))
		assert.ErrorIs(t, err, record.ErrMalformed, bad)
	}
	for _, b := range []interface{ Encode() ([]byte, error) }{
		moved(3), continued(3), record.IssuerMoved{To: there}, record.IssuerContinued{From: there, Evidence: channel.Hash{3}},
	} {
		r, err := record.Parse(recordtest.Body(b))
		require.NoError(t, err)
		assert.Equal(t, b, r.Value)
	}
}
