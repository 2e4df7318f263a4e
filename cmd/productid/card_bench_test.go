package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/cardbench"
	"github.com/productid/productid/host/console"
)

// The soft card of the scripts stands in for the applet; here is the applet, behind a plain reader and behind one of short answers.
func TestBenchOfTheApplet(t *testing.T) {
	inSourceTree(t)
	for _, algorithm := range []string{"p256", "rsa2048"} {
		for name, options := range map[string][]string{"plain": nil, "acr122u": {"--reader", "acr122u"}} {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				b := newBench(t, options...)
				code, talk := b.personalise(anOrder{flags: []string{"--template", "https://tap.example.com/t", "--alg", algorithm}})
				require.Equal(t, console.OK, code, talk)
				before := b.counter()
				code, out, talk := b.run("--json", "card", "bench", "--runs", "3", "--yes")
				require.Equal(t, console.OK, code, talk)
				assert.Contains(t, talk, "This uses up 6 of the 3999")
				assert.Contains(t, talk, "the times of a simulator")
				var report cardbench.Report
				require.NoError(t, json.Unmarshal([]byte(out), &report))
				assert.Equal(t, algorithm, report.Algorithm)
				assert.Equal(t, 3, report.Tap.N)
				assert.Equal(t, 3, report.Challenge.N)
				assert.LessOrEqual(t, report.SigningRead.MedianMS, report.Tap.P95MS)
				assert.Equal(t, before+6, b.counter(), "what was said beforehand")
				b.proves(anOrder{url: "https://tap.example.com/t?i=", signs: true})
			})
		}
	}
}

// counter is the last number that the card has used up.
func (b *bench) counter() uint32 {
	b.t.Helper()
	code, out, talk := b.run("--json", "card", "info")
	require.Equal(b.t, console.OK, code, talk)
	var info struct{ Counter uint32 }
	require.NoError(b.t, json.Unmarshal([]byte(out), &info))
	return info.Counter
}
