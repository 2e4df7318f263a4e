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

// keyed returns a card with its key and the template of taptest, not locked yet.
func keyed(c *cardtest.Card) *cardtest.Card {
	c.State = cardtest.Keyed
	return c
}

func exhausted(c *cardtest.Card) *cardtest.Card {
	c.CounterMax = c.Soft.Counter
	return c
}

func profiled(t testing.TB, c *cardtest.Card, p card.Profile) *cardtest.Card {
	t.Helper()
	client, err := card.Open(keyed(c))
	require.NoError(t, err)
	require.NoError(t, client.PutProfile(p))
	require.NoError(t, client.Lock(c.Soft.ID()))
	return c
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	const short, long = 0xE8, 0x1EB // file sizes of a P-256 card and of an RSA card
	p256, rsa := func() *cardtest.Card { return cardtest.NewLocked("card") }, func() *cardtest.Card { return cardtest.NewLockedRSA("card") }
	challengeOnly, oldReader := card.Profile{ChallengeOnly: true, MaxRead: 0xF6}, card.Profile{MaxRead: 0x3B}
	all := map[string]sample{}
	put := func(name string, c *cardtest.Card, tag t4ttest.Tag) {
		tag.Key = c.Soft.Key()
		all[name] = sample{onReader{c}, tag}
	}
	put("installed", cardtest.New("card"), t4ttest.Tag{Serves: t4ttest.Nothing, MaxRead: 0xF6, FileSize: short})
	put("keyed", keyed(p256()), t4ttest.Tag{Serves: t4ttest.Rehearsals, MaxRead: 0xF6, FileSize: short})
	put("locked", p256(), t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: short})
	put("exhausted", exhausted(p256()), t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: short, Reason: tap.Exhausted})
	put("challenge only", profiled(t, p256(), challengeOnly), t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: short, Reason: tap.ChallengeOnly})
	put("MLe 3B", profiled(t, p256(), oldReader), t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0x3B, FileSize: short})
	put("RSA keyed", keyed(rsa()), t4ttest.Tag{Serves: t4ttest.Rehearsals, MaxRead: 0xF6, FileSize: long})
	put("RSA locked", rsa(), t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: long})
	put("RSA exhausted", exhausted(rsa()), t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: long, Reason: tap.Exhausted})
	put("RSA challenge only", profiled(t, rsa(), challengeOnly), t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: long, Reason: tap.ChallengeOnly})
	put("RSA MLe 3B", profiled(t, rsa(), oldReader), t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0x3B, FileSize: long})
	return all
}

func TestSoftwareCardKeepsEveryRule(t *testing.T) {
	for name, s := range samples(t) {
		for _, result := range t4ttest.Run(s.reader, s.tag) {
			assert.NoError(t, result.Err, "%s: %s: %s (%s)", name, result.Name, result.Text, result.Source)
		}
	}
}
