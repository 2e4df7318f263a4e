package simcard_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/host/simcard/simcardtest"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/apduscript"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// applet starts the applet in its simulator and connects to it. Without Java, or before make build, the test is skipped.
func applet(t *testing.T, options ...string) *simcard.Card {
	t.Helper()
	addresses, _ := simcardtest.Start(t, 1, options...)
	return dial(t, addresses[0])
}

// both are the algorithms that the applet makes keys of.
var both = []tap.Algorithm{tap.P256, tap.RSA2048}

// keyed lets the applet make a P-256 key.
func keyed(t *testing.T, c *simcard.Card) (*card.Client, tap.CardID) {
	t.Helper()
	return keyedWith(t, c, tap.P256)
}

func keyedWith(t *testing.T, c *simcard.Card, a tap.Algorithm) (*card.Client, tap.CardID) {
	t.Helper()
	client, err := card.Open(c)
	require.NoError(t, err)
	id, err := client.Generate(a)
	require.NoError(t, err)
	key, err := client.Key()
	require.NoError(t, err)
	require.Equal(t, id, key.ID())
	return client, id
}

func TestEveryReaderGetsItsMessageFromTheApplet(t *testing.T) {
	for _, algorithm := range both {
		t.Run(algorithm.String(), func(t *testing.T) { everyReaderGetsItsMessage(t, algorithm) })
	}
}

func everyReaderGetsItsMessage(t *testing.T, algorithm tap.Algorithm) {
	c := applet(t)
	client, id := keyedWith(t, c, algorithm)
	require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
	require.NoError(t, client.Lock(id))
	files, err := filepath.Glob("../../testdata/apdu/*.apdu")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		script, err := os.Open(file)
		require.NoError(t, err)
		assert.NoError(t, apduscript.Run(c, script), file)
		require.NoError(t, script.Close())
	}
}

func TestAppletAnswersAChallenge(t *testing.T) {
	for _, algorithm := range both {
		c := applet(t)
		client, _ := keyedWith(t, c, algorithm)
		key, err := client.Key()
		require.NoError(t, err)
		assert.Equal(t, algorithm, key.Algorithm())
		for counter := uint32(1); counter <= 2; counter++ {
			answer, err := client.Challenge([]byte("0123456789abcdef"), []byte("context"))
			require.NoError(t, err)
			assert.NoError(t, answer.Verify(key))
			assert.Equal(t, counter, answer.Counter)
		}
	}
}

// The ACR122U is the cheapest reader that many people have. A card is made, tapped and challenged through it, for no more counts than
// through another.
func TestCardIsMadeThroughAReaderOfShortAnswers(t *testing.T) {
	for _, algorithm := range both {
		c := applet(t, "--reader", "acr122u")
		client, id := keyedWith(t, c, algorithm)
		key, err := client.Key()
		require.NoError(t, err)
		template := tap.Template{Prefix: "https://tap.example.com/" + strings.Repeat("t", 60) + "?i=", Middle: "&c="}
		require.NoError(t, client.PutTemplate(template))
		read, err := client.Template()
		require.NoError(t, err)
		assert.Equal(t, template, read)
		answer, err := client.Challenge([]byte("0123456789abcdef"), make([]byte, tap.MaxContext))
		require.NoError(t, err)
		require.NoError(t, answer.Verify(key))
		require.NoError(t, client.Lock(id))

		message, err := t4t.Read(c)
		require.NoError(t, err)
		text, err := ndef.ParseURI(message.NDEF)
		require.NoError(t, err)
		u, err := tap.Parse(text)
		require.NoError(t, err)
		assert.NoError(t, u.Verify(key))
		assert.Equal(t, uint32(2), u.Counter)
	}
}

// A lock cannot be undone: the card must accept what the station does, and the station only refuses more where a host is no host name.
func TestAppletAndTemplateCheckAgree(t *testing.T) {
	c := applet(t)
	keyed(t, c)
	const putData, prefix, middle = 0x20, 1, 2
	put := func(item byte, value string) bool {
		_, err := apdu.Send(c, apdu.Command{CLA: 0x80, INS: putData, P2: item, Data: []byte(value)})
		return err == nil
	}
	accepts := func(t tap.Template) bool {
		fits := strings.HasSuffix(t.Prefix, "=") == strings.HasPrefix(t.Middle, "&") // the card's look at both, at LOCK
		return put(prefix, t.Prefix) && put(middle, t.Middle) && fits
	}
	for _, good := range []tap.Template{
		{Prefix: "https://h?i=", Middle: "&c="},
		{Prefix: "https://h:8443/t%20u?q=1&i=", Middle: "&r=2&c="},
		{Prefix: "https://h/01/09520123456788/21/", Middle: "?c="},
	} {
		require.NoError(t, good.Check())
		require.True(t, accepts(good), "%+v", good)
	}
	pieces := rapid.SampledFrom([]string{
		"i=", "c=", "?", "&", "/21/", "/", "h", "s=1", "q=1", "v=1", "x", "%41", "%6", "%69=", "@", "#", "[", ":8080", ":", ".", "é", " ", "=",
		"//", "n", "k=", "a@b", "~", "'", "\\", "21/", "-",
	})
	build := func(t *rapid.T, head, tail []string, most int, label string) string {
		middle := strings.Join(rapid.SliceOfN(pieces, 0, most).Draw(t, label), "")
		return rapid.SampledFrom(head).Draw(t, label+" head") + middle + rapid.SampledFrom(tail).Draw(t, label+" tail")
	}
	rapid.Check(t, func(t *rapid.T) {
		template := tap.Template{
			Prefix: build(t, []string{"https://h", "https://h/", "https://", "http://h/"}, []string{"?i=", "&i=", "/21/", ""}, 5, "prefix"),
			Middle: build(t, []string{"&", "?", ""}, []string{"c=", "&c=", ""}, 2, "middle"),
		}
		onCard, atStation := accepts(template), template.Check() == nil
		if atStation || strings.HasPrefix(template.Prefix, "https://h/") {
			assert.Equal(t, atStation, onCard, "%+v: %v", template, template.Check())
		}
	})
}
