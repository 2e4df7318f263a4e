package bundle

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// BenchmarkVerify checks a bundle of 1,000 taps, and beside it the 1,000 taps' signatures alone; what is printed is how many
// times as long the bundle takes, and its bytes a tap.
func BenchmarkVerify(b *testing.B) {
	b.Run("dense", func(b *testing.B) { // a log of little else
		w := tapped(b, taps)
		verifyBeside(b, w.make(w.options()), w.policy, w.card.Key(), w.now)
	})
	b.Run("sparse", func(b *testing.B) { // one leaf in 64
		w := inService(b)
		for i := range taps {
			w.noise(60)
			w.tap(uint32(4 + i))
		}
		verifyBeside(b, w.make(w.options()), w.policy, w.card.Key(), w.now)
	})
	b.Run("stardust", func(b *testing.B) { // two taps a milestone
		w := newTangle(b, taps)
		verifyBeside(b, w.make(), w.policy(), w.card.Key(), w.now())
	})
}

const taps = 1000

func verifyBeside(b *testing.B, data []byte, policy ledger.Policy, key tap.Key, now time.Time) {
	urls := urlsOf(b, data)
	var whole, alone time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := Verify(data, policy, now); err != nil {
			b.Fatal(err)
		}
		whole += time.Since(start)
		start = time.Now()
		for _, u := range urls {
			if err := u.Verify(key); err != nil {
				b.Fatal(err)
			}
		}
		alone += time.Since(start)
	}
	b.ReportMetric(float64(whole)/float64(alone), "x-signatures")
	b.ReportMetric(float64(alone.Microseconds())/float64(b.N)/taps, "µs/signature")
	b.ReportMetric(float64(len(data))/taps, "B/tap")
}

// urlsOf are the taps of a bundle.
func urlsOf(b *testing.B, data []byte) (urls []tap.URL) {
	f, err := parse(data)
	require.NoError(b, err)
	v := &verifier{file: f}
	require.NoError(b, v.messages())
	for _, e := range f.taps[1:] {
		body, err := e.message.Body()
		require.NoError(b, err)
		var t record.Tap
		require.NoError(b, json.Unmarshal(body, &t))
		urls = append(urls, t.URL())
	}
	return urls
}

// BenchmarkMake makes the same bundle out of a log in memory.
func BenchmarkMake(b *testing.B) {
	w := tapped(b, taps)
	for b.Loop() {
		w.make(w.options())
	}
}
