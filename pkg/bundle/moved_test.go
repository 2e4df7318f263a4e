package bundle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

// movedTo is a world whose card moved to a ledger after a tap; where it goes on with further taps, the messages of both ledgers stand here.
func movedTo(t testing.TB, to string, further int) *world {
	w := tapped(t, 1)
	w.say(w.issuer, recordtest.Body(record.IssuerMoved{To: to}))
	w.say(w.taps, recordtest.Body(record.ChannelMoved{Last: 4, State: record.StateMoved, To: to, Was: record.StateInService}))
	if further == 0 {
		return w
	}
	w.say(w.taps, []byte(`{"kind":"card.dreamt","last":9,"state":"in_service"}`))
	w.say(w.issuer, recordtest.Body(record.IssuerContinued{From: "log.example.com", Evidence: channel.Hash{1}}))
	w.say(w.taps, recordtest.Body(record.ChannelContinued{Last: 4, State: record.StateInService, From: "log.example.com", Evidence: channel.Hash{2}}))
	for n := range further {
		w.tap(uint32(5 + n))
	}
	return w
}

// A bundle says of a card that it moved wherever it does not live, whatever was copied there since.
func TestABundleOfAMovedCardSaysWhereItLives(t *testing.T) {
	for name, row := range map[string]struct {
		w              *world
		state, movedTo string
		last           uint32
	}{
		"where it left":                {movedTo(t, "log.example.org", 0), record.StateMoved, "log.example.org", 4},
		"where it left, with a copy":   {movedTo(t, "log.example.org", 2), record.StateMoved, "log.example.org", 6},
		"where it went":                {movedTo(t, origin, 2), record.StateInService, "", 6},
		"where it goes, not yet there": {movedTo(t, origin, 0), record.StateMoved, origin, 4},
	} {
		r, err := row.w.verify(row.w.make(Options{}))
		require.NoError(t, err, name)
		assert.Equal(t, []any{row.state, row.movedTo, row.last}, []any{r.State, r.MovedTo, r.Last}, name)
	}
}
