package t4ttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/t4t/t4ttest"
	"github.com/productid/productid/pkg/tap"
)

// onReader gives the software card the shape of a reader's.
type onReader struct{ *cardtest.Card }

func (r onReader) Reset() error { r.Card.Reset(); return nil }

// sample is a card in software and what it should be.
type sample struct {
	reader t4ttest.Reader
	tag    t4ttest.Tag
}

func profiled(t testing.TB, p card.Profile) *cardtest.Card {
	t.Helper()
	c := cardtest.NewLocked("card")
	c.State = cardtest.Keyed
	client, err := card.Open(c)
	require.NoError(t, err)
	require.NoError(t, client.PutProfile(p))
	require.NoError(t, client.Lock(c.Soft.ID()))
	return c
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	const size = 0xE8
	keyed, exhausted := cardtest.NewLocked("card"), cardtest.NewLocked("card")
	keyed.State = cardtest.Keyed
	exhausted.CounterMax = exhausted.Soft.Counter
	locked := cardtest.NewLocked("card")
	return map[string]sample{
		"installed":      {onReader{cardtest.New("card")}, t4ttest.Tag{Serves: t4ttest.Nothing, MaxRead: 246, FileSize: size}},
		"keyed":          {onReader{keyed}, t4ttest.Tag{Serves: t4ttest.Rehearsals, MaxRead: 246, FileSize: size, Key: keyed.Soft.Key()}},
		"locked":         {onReader{locked}, t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 246, FileSize: size, Key: locked.Soft.Key()}},
		"exhausted":      {onReader{exhausted}, t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 246, FileSize: size, Reason: tap.Exhausted}},
		"challenge only": {onReader{profiled(t, card.Profile{ChallengeOnly: true, MaxRead: 246})}, t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 246, FileSize: size, Reason: tap.ChallengeOnly}},
		"MLe 3B":         {onReader{profiled(t, card.Profile{MaxRead: 0x3B})}, t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0x3B, FileSize: size, Key: locked.Soft.Key()}},
	}
}

func TestSoftwareCardKeepsEveryRule(t *testing.T) {
	for name, s := range samples(t) {
		for _, result := range t4ttest.Run(s.reader, s.tag) {
			assert.NoError(t, result.Err, "%s: %s: %s (%s)", name, result.Name, result.Text, result.Source)
		}
	}
}
