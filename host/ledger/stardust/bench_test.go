package stardust

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/ledger"
)

// BenchmarkSubmitAndAwait lets many channels write at once, each message after the
// last one is final: how many become final a second, how long a submission takes and
// how long until it is final.
func BenchmarkSubmitAndAwait(b *testing.B) {
	for _, writers := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			n := newNetwork(b, devnet.Options{})
			l := openLedger(b, n.options(newArchive(b), n.issuer(b, uint64(writers)+10)))
			chains := make([]*testChain, writers)
			var wg sync.WaitGroup
			for i := range chains {
				chains[i] = n.newChain(b, l, fmt.Sprint(i))
				wg.Go(func() { chains[i].write(b, l, "first") })
			}
			wg.Wait()
			var mu sync.Mutex
			var submits, finals []time.Duration
			next := make(chan int, b.N)
			for i := range b.N {
				next <- i
			}
			close(next)
			b.ResetTimer()
			for _, c := range chains {
				wg.Go(func() {
					for i := range next {
						m := c.sign(b, fmt.Sprintf("message %d", i))
						begun := time.Now()
						r, err := l.Submit(b.Context(), m)
						submitted := time.Since(begun)
						if err == nil {
							_, err = l.Await(b.Context(), r, ledger.Final)
						}
						if err != nil {
							b.Error(err)
							return
						}
						c.follows(m)
						mu.Lock()
						submits, finals = append(submits, submitted), append(finals, time.Since(begun))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			require.Len(b, finals, b.N)
			report(b, "submit", submits)
			report(b, "final", finals)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "final/s")
		})
	}
}

func report(b *testing.B, name string, all []time.Duration) {
	slices.Sort(all)
	for _, p := range []int{50, 95} {
		b.ReportMetric(float64(all[(len(all)-1)*p/100].Microseconds())/1000, fmt.Sprintf("ms-%s-p%d", name, p))
	}
}
