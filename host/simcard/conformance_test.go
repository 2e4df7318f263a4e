package simcard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/t4t/t4ttest"
	"github.com/productid/productid/pkg/tap"
)

// made makes a key on the applet, with a template and this profile, and locks the card.
func made(t *testing.T, c *simcard.Card, a tap.Algorithm, p card.Profile) tap.Key {
	t.Helper()
	client, id := keyedWith(t, c, a)
	require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
	require.NoError(t, client.PutProfile(p))
	require.NoError(t, client.Lock(id))
	key, err := client.Key()
	require.NoError(t, err)
	return key
}

func TestAppletKeepsEveryRuleOfAType4Tag(t *testing.T) {
	plain := card.Profile{MaxRead: card.DefaultMaxRead}
	for name, start := range map[string]func(*testing.T) (*simcard.Card, t4ttest.Tag){
		"installed": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			return applet(t), t4ttest.Tag{Serves: t4ttest.Nothing, MaxRead: 0xF6, FileSize: 0xE8}
		},
		"keyed": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			c := applet(t)
			client, _ := keyed(t, c)
			require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
			key, err := client.Key()
			require.NoError(t, err)
			return c, t4ttest.Tag{Serves: t4ttest.Rehearsals, MaxRead: 0xF6, FileSize: 0xE8, Key: key}
		},
		"P-256": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			c := applet(t)
			return c, t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: 0xE8, Key: made(t, c, tap.P256, plain)}
		},
		"RSA-2048": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			c := applet(t)
			return c, t4ttest.Tag{Serves: t4ttest.Taps, MaxRead: 0xF6, FileSize: 0x1EB, Key: made(t, c, tap.RSA2048, plain)}
		},
		"challenge only": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			c := applet(t)
			made(t, c, tap.P256, card.Profile{ChallengeOnly: true, MaxRead: card.OldReaderMaxRead})
			return c, t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0x3B, FileSize: 0xE8, Reason: tap.ChallengeOnly}
		},
		"exhausted": func(t *testing.T) (*simcard.Card, t4ttest.Tag) {
			c := applet(t, "--install", "010000000001")
			made(t, c, tap.P256, plain)
			_, err := t4t.Read(c)
			require.NoError(t, err)
			return c, t4ttest.Tag{Serves: t4ttest.Notice, MaxRead: 0xF6, FileSize: 0xE8, Reason: tap.Exhausted}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, tag := start(t)
			for _, result := range t4ttest.Run(c, tag) {
				assert.NoError(t, result.Err, "%s: %s (%s)", result.Name, result.Text, result.Source)
			}
		})
	}
}
