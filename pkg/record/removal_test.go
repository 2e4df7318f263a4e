package record_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

const salted = `{"kind":"measured","celsius":4,"salt":"MDEyMzQ1Njc4OWFiY2RlZg"}`

// What has no payload any more counts as removed, continues its channel, and changes nothing else.
func TestARemovedMessageOnlyContinuesItsChannel(t *testing.T) {
	s := inService(t)
	s.refuses(channel.Tombstone(s.taps.Say([]byte(salted)).Stub()), record.ReasonRemoved)
	s.refuses(channel.Tombstone(s.issuer.Say([]byte(salted)).Stub()), record.ReasonRemoved)
	s.tell(s.taps.Say(recordtest.Body(recordtest.Tapped(s.card, 4))))
	assert.EqualValues(t, 4, s.theCard().Last, "the tap after it counts")
}

func TestOnlyWhatDecidesNothingIsRemovable(t *testing.T) {
	s := inService(t)
	for name, body := range map[string]string{
		"opening":      string(recordtest.Body(recordtest.Opened("issuer"))),
		"registration": string(recordtest.Body(recordtest.Registered(s.card, s.issuer.ID(), s.taps.ID()))),
		"in service":   string(recordtest.Body(recordtest.InService(3))),
		"tap":          string(recordtest.Body(recordtest.Tapped(s.card, 4))),
		"must":         strings.Replace(salted, `"celsius":4`, `"must":true`, 1),
		"last":         strings.Replace(salted, `"celsius"`, `"last"`, 1),
		"state":        strings.Replace(salted, `"celsius":4`, `"state":"revoked"`, 1),
		"no salt":      `{"kind":"measured","celsius":4}`,
		"short salt":   `{"kind":"measured","celsius":4,"salt":"MDEyMzQ1Njc4OWFiY2Rl"}`,
		"odd salt":     `{"kind":"measured","celsius":4,"salt":7}`,
		"no record":    "hello",
	} {
		assert.ErrorIs(t, record.Removable(recordtest.NewChain("any").Say([]byte(body))), ledger.ErrKept, name)
	}
	m := recordtest.NewChain("any").Say([]byte(salted))
	assert.NoError(t, record.Removable(m))
	assert.NoError(t, record.Removable(channel.Tombstone(m.Stub())))
}

// Whoever folds a ledger from which everything removable was removed comes to the same issuers and cards.
func TestRemovalChangesNoState(t *testing.T) {
	removed := 0
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.History{Choose: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }}
		whole, less := record.NewMap(), record.NewMap()
		other, index := recordtest.NewChain("somebody's data"), uint64(0)
		fold := func(m channel.Message) {
			require.NoError(t, record.Fold(whole, entry(m, index)))
			if record.Removable(m) == nil {
				m = channel.Tombstone(m.Stub())
				removed++
			}
			require.NoError(t, record.Fold(less, entry(m, index)))
			index++
		}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			fold(h.Next())
			if rapid.Bool().Draw(t, "data") {
				chain := other
				if lives := h.Cards(); len(lives) > 0 && rapid.Bool().Draw(t, "on a tap channel") {
					chain = lives[0].Chain
				}
				fold(chain.Say(fmt.Appendf(nil, `{"kind":"measured","n":%d,"salt":"MDEyMzQ1Njc4OWFiY2RlZg"}`, index)))
			}
		}
		require.Equal(t, states(t, whole), states(t, less))
	})
	assert.NotZero(t, removed)
}

// states are the lines of a dump without those that say why a record was not believed.
func states(t *rapid.T, m *record.Map) (lines []string) {
	dump, err := m.Dump()
	require.NoError(t, err)
	for line := range strings.Lines(string(dump)) {
		if !strings.HasPrefix(line, `{"rejected"`) {
			lines = append(lines, line)
		}
	}
	return lines
}
