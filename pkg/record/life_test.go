package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

func revoked(last uint32) record.CardRevoked {
	return record.CardRevoked{Last: last, State: record.StateRevoked, Reason: "stolen", By: "anna"}
}

func TestARevokedCardTakesNoMoreTaps(t *testing.T) {
	s := inService(t)
	last := s.theCard().Last
	s.tell(s.taps.Say(recordtest.Body(revoked(last))))
	assert.Empty(t, s.Rejections())
	c := s.theCard()
	assert.Equal(t, record.StateRevoked, c.State)
	assert.Equal(t, "stolen", c.Reason)
	assert.Equal(t, c.Head.Time, c.Revoked)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, last+1))), record.ReasonNotInService)
	s.refuses(s.taps.Say(recordtest.Body(revoked(last))), record.ReasonNotInService)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.InService(last))), record.ReasonNotFirst)
	s.refuses(s.taps.Say(recordtest.Body(recordtest.Configured(last, channel.Hash{1}))), record.ReasonWrongState)
	assert.Equal(t, c.Reason, s.theCard().Reason)
	assert.Equal(t, c.Revoked, s.theCard().Revoked)
}

func TestRevocationsThatDoNotHold(t *testing.T) {
	s := registered(t)
	s.refuses(s.taps.Say(recordtest.Body(revoked(9))), record.ReasonNotInService)
	s = inService(t)
	s.refuses(s.taps.Say(recordtest.Body(revoked(s.theCard().Last-1))), record.ReasonWrongLast)
	s.refuses(s.taps.Say([]byte(`{"kind":"card.revoked","last":9,"state":"in_service"}`)), record.ReasonMalformed)
	assert.Empty(t, s.theCard().Reason)
	assert.Equal(t, record.StateInService, s.theCard().State)
}

// A reader of the first version skips the kind and keeps its head: both have to come to the same state, also where the writer uses counters
// up with it.
func TestARevocationHoldsWhereverItsHeadIsTakenOver(t *testing.T) {
	known, unknown := inService(t), inService(t)
	last := known.theCard().Last
	known.tell(known.taps.Say(recordtest.Body(record.CardRevoked{Last: last + 5, State: record.StateRevoked, Settings: channel.Hash{3}.String()})))
	unknown.tell(unknown.taps.Say([]byte(`{"kind":"card.later","last":` + fmt.Sprint(last+5) + `,"state":"revoked","settings":"` + channel.Hash{3}.String() + `"}`)))
	a, b := known.theCard(), unknown.theCard()
	assert.Equal(t, []any{b.State, b.Last, b.Settings}, []any{a.State, a.Last, a.Settings})
}

func TestARevokedCardMovesAndStaysRevoked(t *testing.T) {
	s := inService(t)
	last := s.theCard().Last
	s.tell(s.taps.Say(recordtest.Body(revoked(last))))
	s.tell(s.taps.Say(recordtest.Body(record.ChannelMoved{Last: last, State: record.StateMoved, To: "log.example.org", Was: record.StateRevoked})))
	s.tell(s.taps.Say(recordtest.Body(record.ChannelContinued{Last: last, State: record.StateRevoked, From: "log.example.com", Evidence: channel.Hash{1}})))
	assert.Empty(t, s.Rejections())
	assert.Equal(t, record.StateRevoked, s.theCard().State)
	assert.Equal(t, "stolen", s.theCard().Reason)
}

// A later version may know how to take a revocation back; then its reason is gone too.
func TestALaterVersionMayPutACardBack(t *testing.T) {
	s := inService(t)
	s.tell(s.taps.Say(recordtest.Body(revoked(s.theCard().Last))))
	s.tell(s.taps.Say([]byte(`{"kind":"card.later","last":` + fmt.Sprint(s.theCard().Last) + `,"state":"in_service"}`)))
	assert.Equal(t, record.StateInService, s.theCard().State)
	assert.Zero(t, s.theCard().Reason)
	assert.Equal(t, time.Time{}, s.theCard().Revoked)
}

func TestTheDeviceOfACard(t *testing.T) {
	s := inService(t)
	last := s.theCard().Last
	b := record.CardAssociated{Last: last, State: record.StateInService, Device: "lock 7", By: "anna"}
	s.tell(s.taps.Say(recordtest.Body(b)))
	assert.Equal(t, "lock 7", s.theCard().Device)
	assert.Equal(t, s.theCard().Head.Time, s.theCard().Associated)
	for reason, change := range map[record.Reason]func(*record.CardAssociated){
		record.ReasonWrongLast:     func(b *record.CardAssociated) { b.Last++ },
		record.ReasonWrongState:    func(b *record.CardAssociated) { b.State = record.StateCompleted },
		record.ReasonWrongSettings: func(b *record.CardAssociated) { b.Settings = channel.Hash{1}.String() },
	} {
		bad := b
		bad.Device = "another"
		change(&bad)
		s.refuses(s.taps.Say(recordtest.Body(bad)), reason)
	}
	b.Device = ""
	s.tell(s.taps.Say(recordtest.Body(b)))
	assert.Empty(t, s.theCard().Device)
	s.refuses(s.taps.Say([]byte(`{"kind":"card.associated","last":`+fmt.Sprint(last)+`,"state":"in_service"}`)), record.ReasonMalformed)

	early := registered(t)
	early.refuses(early.taps.Say(recordtest.Body(b)), record.ReasonNotInService)
	lost, _ := carried(t, 7)
	lost.refuses(lost.taps.Say(recordtest.Body(record.CardAssociated{Last: 7, State: record.StateInService, Device: "x"})), record.ReasonHistoryLost)
	assert.Equal(t, record.StateLost, lost.theCard().State)
}
