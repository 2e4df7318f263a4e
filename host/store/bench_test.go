package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkWriter measures durable writes with 1, 8 and 64 callers that each
// wait for their answer; one operation is one acknowledged write.
func BenchmarkWriter(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := openNew(b)
			w := NewWriter(db, appendEntries)
			defer w.Close()
			begin := time.Now()
			done := make(chan error, callers)
			b.ResetTimer()
			for c := range callers {
				go func() {
					for n := range b.N/callers + 1 {
						if _, err := w.Do(b.Context(), entry{c, n}); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range callers {
				require.NoError(b, <-done)
			}
			b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "writes/s")
		})
	}
}
