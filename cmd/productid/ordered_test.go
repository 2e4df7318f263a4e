package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
)

// anOrder is a card as it can be ordered.
type anOrder struct {
	flags []string
	url   string // what a phone reads begins so
	signs bool   // taps
}

var orders = map[string]anOrder{
	"rsa2048":        {[]string{"--template", "https://tap.example.com/t", "--alg", "rsa2048"}, "https://tap.example.com/t?i=", true},
	"gs1":            {[]string{"--template", "https://tap.example.com", "--gs1", "09520123456788", "--lot", "L1"}, "https://tap.example.com/01/09520123456788/10/L1/21/", true},
	"challenge-only": {[]string{"--template", "https://tap.example.com/t", "--profile", "challenge-only"}, "https://tap.example.com/t?i=", false},
}

// bench is an installation with the applet, in its simulator, on the reader.
type bench struct {
	t      *testing.T
	data   string
	reader string
}

// newBench starts a card with options of the simulator's. Without the virtual card the test is skipped.
func newBench(t *testing.T, options ...string) *bench {
	t.Helper()
	b := &bench{t: t, data: t.TempDir()}
	a := &app{streams: streams{strings.NewReader(""), nil, nil, b.env}}
	card, err := a.startTCP(t.Context(), options...)
	require.NoError(t, err)
	t.Cleanup(card.close)
	b.reader = card.reader
	return b
}

func (b *bench) env(name string) string {
	return map[string]string{"PRODUCTID_SCRIPTS": "scripts", "XDG_STATE_HOME": b.data + "/state"}[name]
}

// run runs one command and returns what it answers.
func (b *bench) run(args ...string) (console.Exit, string, string) {
	var out, talk bytes.Buffer
	all := append([]string{"--data", b.data, "--reader", b.reader}, args...)
	code := run(b.t.Context(), all, streams{strings.NewReader(""), &out, &talk, b.env})
	return code, strings.TrimSpace(out.String()), talk.String()
}

func (b *bench) personalise(o anOrder) (console.Exit, string) {
	code, _, talk := b.run(append([]string{"card", "personalise", "--yes"}, o.flags...)...)
	return code, talk
}

// proves taps the card, records the tap, and wants its URL refused after; a card that signs no taps has to prove itself otherwise.
func (b *bench) proves(o anOrder) {
	b.t.Helper()
	code, said, talk := b.run("card", "verify")
	require.Equal(b.t, console.OK, code, said+talk)
	code, url, talk := b.run("card", "read")
	require.Equal(b.t, console.OK, code, talk)
	require.True(b.t, strings.HasPrefix(url, o.url), url)
	code, said, _ = b.run("tap", "update", url)
	if !o.signs {
		assert.True(b.t, strings.HasSuffix(url, "00000000&x=challenge"), url)
		assert.Equal(b.t, console.No, code)
		assert.Contains(b.t, said, "no sign of a counterfeit")
		return
	}
	require.Equal(b.t, console.OK, code, said)
	require.Contains(b.t, said, "recorded: ")
	code, said, _ = b.run("tap", "update", url)
	assert.Equal(b.t, console.No, code)
	assert.Contains(b.t, said, "already_used: ")
}

func TestEachOrderIsMadeOnTheApplet(t *testing.T) {
	inSourceTree(t)
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			code, talk := b.personalise(o)
			require.Equal(t, console.OK, code, talk)
			b.proves(o)
			code, talk = b.personalise(o)
			require.Equal(t, console.OK, code, "a second run has nothing to do: %s", talk)
		})
	}
}

// TestSecondRunMendsEachOrderOnTheApplet: the power goes in a persistent write of the card, or with one of its answers.
func TestSecondRunMendsEachOrderOnTheApplet(t *testing.T) {
	inSourceTree(t)
	begin, mended := time.Now(), 0
	for name, cuts := range map[string]map[string][]int{
		"rsa2048":        {"--tear": {6}, "--drop-response": {14}},
		"gs1":            {"--tear": {1, 5, 9}, "--drop-response": {9, 21}},
		"challenge-only": {"--tear": {2, 6, 10}, "--drop-response": {6, 18, 30}},
	} {
		for option, counts := range cuts {
			for _, n := range counts {
				t.Run(name+" "+option+" "+strconv.Itoa(n), func(t *testing.T) {
					b := newBench(t, option, strconv.Itoa(n))
					code, talk := b.personalise(orders[name])
					require.Equal(t, console.Reader, code, "it cuts the first run: %s", talk)
					code, talk = b.personalise(orders[name])
					require.Equal(t, console.OK, code, talk)
					b.proves(orders[name])
				})
				mended++
			}
		}
	}
	seen(t, strconv.Itoa(mended)+" cuts of first runs, each mended by one second run, in "+time.Since(begin).Round(time.Second).String())
}
