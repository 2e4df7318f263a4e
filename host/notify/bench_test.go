package notify

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkPublish measures what an event costs whoever has it published: where nobody asks for it, and where two do.
func BenchmarkPublish(b *testing.B) {
	for _, endpoints := range []int{0, 2} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("endpoints=%d/callers=%d", endpoints, callers), func(b *testing.B) {
				w := memory(b)
				for range endpoints {
					w.endpoint("https://shop.example/")
				}
				var n atomic.Int64
				done := make(chan error, callers)
				b.ResetTimer()
				for range callers {
					go func() {
						for range b.N/callers + 1 {
							if err := w.Publish(b.Context(), w.event(fmt.Sprint(n.Add(1)), TapRecorded)); err != nil {
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
			})
		}
	}
}
