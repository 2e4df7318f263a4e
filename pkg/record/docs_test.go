package record_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
)

// The worked example of docs/formats/records.md folds, as it stands there, to what the page says.
func TestTheWorkedExampleHolds(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/records.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllSubmatch(page, -1)
	require.Len(t, blocks, 4)
	channels := regexp.MustCompile("channel is `(.*?)`").FindAllSubmatch(page, -1)
	require.Len(t, channels, 2)
	issuer, taps := recordtest.NewChain("docs issuer"), recordtest.NewChain("docs taps")
	assert.Equal(t, string(channels[0][1]), issuer.ID().String())
	assert.Equal(t, string(channels[1][1]), taps.ID().String())

	states := record.NewMap()
	for i, chain := range []*recordtest.Chain{issuer, issuer, taps, taps} {
		require.NoError(t, record.Fold(states, entry(chain.Say(blocks[i][1]), uint64(i))))
	}
	assert.Empty(t, states.Rejections())
	id, err := tap.ParseCardID("QfT9ctjONUYl-oL8")
	require.NoError(t, err)
	card, found, err := states.Card(id)
	require.NoError(t, err)
	require.True(t, found)
	assert.Equal(t, record.StateInService, card.State)
	assert.Equal(t, uint32(6), card.Last)
	assert.Equal(t, uint64(1), card.Recorded)

	head, err := record.ParseTapHead(blocks[3][1])
	require.NoError(t, err)
	assert.Equal(t, record.TapHead{Kind: record.KindTap, Last: 6, State: record.StateInService}, head)

	shown, err := record.Parse(blocks[3][1])
	require.NoError(t, err)
	b := shown.Value.(record.Tap)
	assert.Equal(t, []byte(b.Signature), b.URL().CanonicalSignature(tap.P256), "the page shows the low s that it asks for")
	assert.Len(t, record.RegistrationContext(issuer.ID(), taps.ID()), len("PIDR")+1+2*len(channel.ID{}))
}
