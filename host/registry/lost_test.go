package registry_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// heirs opens an issuer that succeeded another, and carries cards over to it; the first of them is reinstated.
func (w *world) heirs(names ...string) (*recordtest.Chain, []life) {
	old, heir := recordtest.NewChain("old"), recordtest.NewChain("heir")
	id := heir.ID()
	opened := recordtest.Opened("old")
	opened.Next = sha256.Sum256(id[:])
	opening := old.Say(recordtest.Body(opened))
	w.tell(heir.Say(recordtest.Body(record.IssuerSucceeded{
		Name: "heir", Log: "log.example.org", Next: channel.Hash{1}, Previous: old.ID(), Opening: opening.Bytes(),
		Reason: record.HistoryLost, Since: 1_790_000_000_000,
	})))
	var lives []life
	for _, name := range names {
		l := life{taptest.NewCard(name), recordtest.NewChain(name)}
		registration := old.Say(recordtest.Body(recordtest.Registered(l.card, old.ID(), channel.ID{1})))
		w.tell(heir.Say(recordtest.Body(record.CardCarried{Registration: registration.Bytes(), Taps: l.taps.ID(), Last: 9})))
		lives = append(lives, l)
	}
	first := lives[0]
	first.card.Counter = 20
	proof := recordtest.Registered(first.card, heir.ID(), first.taps.ID()).Proof
	w.tell(first.taps.Say(recordtest.Body(record.CardReinstated{Last: proof.Counter, State: record.StateInService, Proof: proof})))
	w.tell(first.taps.Say(recordtest.Body(recordtest.Tapped(first.card, 40))))
	w.sync()
	return heir, lives
}

func TestCarriedCardsAreKeptAsTheyAreFolded(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		w := newWorld(t, fresh)
		_, lives := w.heirs("a", "b")
		w.populate("c")
		want, _ := folded(t, w.ledger)
		assert.Equal(t, want, w.dump())
		require.NoError(t, w.Rebuild(t.Context()))
		assert.Equal(t, want, w.dump())
		states := map[tap.CardID]string{lives[0].card.ID(): record.StateInService, lives[1].card.ID(): record.StateLost}
		for id, state := range states {
			c, err := w.Card(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, state, c.State)
			assert.Equal(t, record.Milliseconds(1_790_000_000_000).Time(), c.Since)
		}
		require.Empty(t, w.named())

		// what is altered is folded again, also where only the ledger tells that the card was carried over
		a, b := lives[0].card.ID(), lives[1].card.ID()
		for _, alter := range []string{
			"UPDATE cards SET since = 0, previous = ''", "UPDATE cards SET since = since + 1", "UPDATE cards SET proof = 0",
			"UPDATE heads SET state = 'in_service', last = 1", "UPDATE heads SET mac = x'00'", "DELETE FROM heads",
			"UPDATE issuers SET since = 0, previous = ''", "UPDATE issuers SET since = since + 1",
		} {
			w.alter(alter)
			for _, id := range []tap.CardID{b, a} {
				c, err := w.Card(t.Context(), id)
				require.NoError(t, err)
				assert.Equal(t, states[id], c.State, alter)
			}
			assert.Equal(t, want, w.dump(), alter)
			assert.NotEmpty(t, w.named(), alter)
		}
	})
}
