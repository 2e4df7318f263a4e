package registry_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestFindReturnsAnIssuersCardsPageByPage(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		w := newWorld(t, fresh)
		issuer, lives := w.populate("a", "b", "c", "d", "e")
		unused := recordtest.Registered(taptest.NewCard("f"), issuer.ID(), recordtest.NewChain("f").ID())
		unused.Lot, unused.Serial = "L-1", "42"
		w.tell(issuer.Say(recordtest.Body(unused)))
		w.sync()

		find := func(s registry.Search, n int) (ids []tap.CardID) {
			s.Issuer = issuer.ID()
			cards, err := w.Find(t.Context(), s, n)
			require.NoError(t, err)
			for _, c := range cards {
				known, err := w.Card(t.Context(), c.ID)
				require.NoError(t, err)
				assert.Equal(t, known, c)
				ids = append(ids, c.ID)
			}
			return ids
		}
		all := find(registry.Search{}, 100)
		require.Len(t, all, 6)
		first := find(registry.Search{}, 4)
		assert.Equal(t, all, append(first, find(registry.Search{After: first[3]}, 4)...))
		assert.Equal(t, []tap.CardID{unused.ID}, find(registry.Search{State: registry.StateRegistered}, 9))
		assert.Len(t, find(registry.Search{State: record.StateInService}, 9), 5)
		assert.Empty(t, find(registry.Search{State: record.StateMoved}, 9))
		for _, s := range []registry.Search{{Any: "42"}, {Any: "L-1"}, {Any: unused.ID.String()}, {Lot: "L-1", Serial: "42"}, {GTIN: unused.GTIN, Serial: "42"}} {
			assert.Equal(t, []tap.CardID{unused.ID}, find(s, 9), "%+v", s)
		}
		assert.Len(t, find(registry.Search{Any: "09506000134352"}, 9), 6)
		assert.Len(t, find(registry.Search{Any: "9506000134352"}, 9), 6)
		assert.Len(t, find(registry.Search{GTIN: "9506000134352"}, 9), 6)
		assert.Len(t, find(registry.Search{GTIN: "9506000134352", Any: "42"}, 9), 1)
		assert.Empty(t, find(registry.Search{GTIN: "09506000134353"}, 9))
		assert.Empty(t, find(registry.Search{Any: "' OR 1=1 --"}, 9))
		none, err := w.Find(t.Context(), registry.Search{Issuer: channel.ID{1}}, 9)
		require.NoError(t, err)
		assert.Empty(t, none)
		assert.Equal(t, lives[0].card.ID(), find(registry.Search{Any: lives[0].card.ID().String()}, 9)[0])

		counts, err := w.Count(t.Context(), issuer.ID())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{record.StateInService: 5, registry.StateRegistered: 1}, counts)
	})
}

func TestFindReturnsWhatTheLedgerSaysOfARowThatWasAltered(t *testing.T) {
	w := newWorld(t, freshFile)
	issuer, lives := w.populate("a", "b")
	db, err := sql.Open("sqlite", w.path) // the driver of host/store
	require.NoError(t, err)
	defer db.Close()
	id := lives[0].card.ID()
	_, err = db.Exec("UPDATE cards SET lot = 'stolen' WHERE id = ?", id[:])
	require.NoError(t, err)
	cards, err := w.Find(t.Context(), registry.Search{Issuer: issuer.ID(), Lot: "stolen"}, 9)
	require.NoError(t, err)
	require.Len(t, cards, 1)
	assert.Empty(t, cards[0].Lot, "it was found by what somebody wrote there, and is shown as it is")
	assert.NotEmpty(t, w.named())
}

// TestSearchesUseIndexes: none walks through the cards of an issuer, or of all.
func TestSearchesUseIndexes(t *testing.T) {
	w := newWorld(t, freshFile)
	for name, c := range map[string]struct {
		registry.Search
		index []string
	}{
		"all":             {registry.Search{}, []string{"INDEX cards_issuer (issuer=? AND id>?)"}},
		"GTIN":            {registry.Search{GTIN: "09506000134352"}, []string{"INDEX cards_gtin (issuer=? AND gtin=? AND id>?)"}},
		"lot":             {registry.Search{Lot: "L-1"}, []string{"INDEX cards_lot (issuer=? AND lot=? AND id>?)"}},
		"serial":          {registry.Search{Serial: "42"}, []string{"INDEX cards_serial (issuer=? AND serial=? AND id>?)"}},
		"lot and state":   {registry.Search{Lot: "L-1", State: record.StateRevoked}, []string{"INDEX cards_lot (issuer=? AND lot=? AND id>?)"}},
		"id":              {registry.Search{Any: taptest.NewCard("a").ID().String()}, []string{"PRIMARY KEY (id=?"}},
		"GTIN or another": {registry.Search{Any: "42"}, []string{"INDEX cards_gtin (issuer=? AND gtin=?", "INDEX cards_lot (issuer=? AND lot=?", "INDEX cards_serial (issuer=? AND serial=?"}},
	} {
		plan, err := w.Plan(t.Context(), c.Search, 50)
		require.NoError(t, err)
		whole := strings.Join(plan, "\n")
		for _, index := range c.index {
			assert.Contains(t, whole, index, name)
		}
		assert.NotContains(t, whole, "SCAN c\n", name)
		assert.NotContains(t, whole, "SCAN h", name)
	}
}
