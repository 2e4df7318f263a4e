package alarm

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// quiet is an outbox that nobody asks anything of.
type quiet struct{}

func (quiet) Publish(context.Context, notify.Event) error { return nil }

// BenchmarkObserve measures what a recorded tap costs here, with 1, 8 and 64 callers that each wait for their answer.
func BenchmarkObserve(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w, err := Open(b.Context(), filepath.Join(b.TempDir(), "alarm.db"), Options{Master: channel.Seed{1}, Publish: quiet{}, Now: time.Now})
			require.NoError(b, err)
			defer w.Close()
			var n atomic.Uint32
			done := make(chan error, callers)
			begin := time.Now()
			b.ResetTimer()
			for range callers {
				go func() {
					for range b.N/callers + 1 {
						i := n.Add(1)
						o := Observation{
							Card: record.Card{ID: tap.CardID{byte(i), byte(i >> 8)}, Issuer: acme}, Network: "192.0.2.0/24",
							Verdict: Verdict{Code: "recorded", Counter: i}, Time: time.Now(), Channel: "web", Place: &Place{45, 9, "Milano"},
						}
						if err := w.Observe(b.Context(), o); err != nil {
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
			b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "checks/s")
		})
	}
}
