package tlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// chains signs count messages for each of several channels beforehand.
func chains(b *testing.B, l *Log, channels, count int) [][]channel.Message {
	all := make([][]channel.Message, channels)
	for c := range all {
		a := author(c)
		require.NoError(b, l.List(b.Context(), a.Channel()))
		var prev channel.Hash
		for n := range count {
			m := sign(b, a, uint64(n), prev, fmt.Sprintf("%0300d", n)) // as long as a tap's record
			all[c], prev = append(all[c], m), m.Hash()
		}
	}
	return all
}

// BenchmarkSubmit measures recorded messages with 1, 8 and 64 callers that each
// submit the next message of their channel and wait for the receipt, on SQLite and
// on a PostgreSQL server that shares disk and processors with them.
func BenchmarkSubmit(b *testing.B) {
	for name, fresh := range map[string]func(testing.TB) string{
		"SQLite":     newPath,
		"PostgreSQL": func(t testing.TB) string { return storetest.PostgresWith(t) },
	} {
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) { submit(b, openAt(b, fresh(b)), callers) })
		}
	}
}

// BenchmarkSubmitGuarded measures the same on SQLite with a guard: one more sync for
// each batch.
func BenchmarkSubmitGuarded(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { submit(b, openWith(b, newPath(b), guarded(b)), callers) })
	}
}

func submit(b *testing.B, l *Log, callers int) {
	all := chains(b, l, callers, b.N/callers+1)
	done := make(chan error, callers)
	b.ReportAllocs()
	b.ResetTimer()
	begin := time.Now()
	for _, messages := range all {
		go func() { done <- submitAll(b, l, messages) }()
	}
	for range callers {
		require.NoError(b, <-done)
	}
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "messages/s")
}

func submitAll(b *testing.B, l *Log, messages []channel.Message) error {
	for _, m := range messages {
		if _, err := l.Submit(b.Context(), m); err != nil {
			return err
		}
	}
	return nil
}

// grown returns a log of 20,000 leaves in 100 channels.
func grown(b *testing.B, o Options) *Log {
	l := openWith(b, newPath(b), o)
	done := make(chan error)
	all := chains(b, l, 100, 200)
	for _, messages := range all {
		go func() { done <- submitAll(b, l, messages) }()
	}
	for range all {
		require.NoError(b, <-done)
	}
	return l
}

// BenchmarkRead measures the readers on a log of 20,000 leaves: with what was
// verified in memory (warm) and without (cold).
func BenchmarkRead(b *testing.B) {
	l := grown(b, options(b))
	watched := grown(b, guarded(b))
	read := map[string]func(n int) error{
		"Head":         func(n int) error { _, err := l.Head(b.Context(), author(n%100).Channel()); return err },
		"Head/guarded": func(n int) error { _, err := watched.Head(b.Context(), author(n%100).Channel()); return err },
		"Prove":        func(n int) error { _, err := l.Prove(b.Context(), author(n%100).Channel(), uint64(n%200)); return err },
	}
	for _, name := range []string{"Head", "Head/guarded", "Prove"} {
		b.Run(name+"/warm", func(b *testing.B) {
			for n := range b.N {
				require.NoError(b, read[name](n))
			}
		})
		b.Run(name+"/cold", func(b *testing.B) {
			for n := range b.N {
				l.seen = newRecent[uint64, ledger.Entry](seenEntries)
				l.nodes = newRecent[int64, merkle.Hash](seenNodes)
				require.NoError(b, read[name](n))
			}
		})
	}
	b.Run("Check", func(b *testing.B) {
		for range b.N {
			requireClean(b, l)
		}
		b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	})
}
