//go:build cgo && linux

package pcsc_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/t4t/t4ttest"
	"github.com/productid/productid/pkg/tap"
)

func TestCardOnAReaderKeepsEveryRuleOfAType4Tag(t *testing.T) {
	for name, row := range map[string]struct {
		install []string
		made    tap.Algorithm // the card made once for all tests
		profile card.Profile  // of one that is made for this test; zero: it stays without a key
		tag     t4ttest.Tag
	}{
		"installed": {tag: t4ttest.Tag{Serves: t4ttest.Nothing, MaxRead: 0xF6, FileSize: 0xE8}},
		"P-256":     {made: tap.P256, tag: t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: 0xE8}},
		"RSA-2048":  {made: tap.RSA2048, tag: t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: 0x1EB}},
		"MLe 3B": {profile: card.Profile{MaxRead: card.OldReaderMaxRead},
			tag: t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0x3B, FileSize: 0xE8}},
		"challenge only": {profile: card.Profile{ChallengeOnly: true, MaxRead: card.DefaultMaxRead},
			tag: t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: 0xE8, Reason: tap.ChallengeOnly}},
		"exhausted": {install: []string{"--install", "010000000001"}, profile: card.Profile{MaxRead: card.DefaultMaxRead},
			tag: t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: 0xE8, Reason: tap.Exhausted}},
	} {
		t.Run(name, func(t *testing.T) {
			if row.made != 0 {
				row.tag.Key = insertMade(t, row.made)
			} else {
				insert(t, row.install...)
			}
			c := open(t)
			if row.profile != (card.Profile{}) {
				row.tag.Key = makeCard(t, c, tap.P256, row.profile)
			}
			if row.tag.Reason == tap.Exhausted {
				_, err := t4t.Read(c)
				require.NoError(t, err)
			}
			for _, result := range t4ttest.Run(c, row.tag) {
				assert.NoError(t, result.Err, "%s: %s (%s)", result.Name, result.Text, result.Source)
			}
		})
	}
}
