package registry_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// benchLedger holds an issuer and cards in service, each with so many taps, every one with a retry key.
func benchLedger(b *testing.B, cards, taps int) (*ledger.Memory, []life) {
	l := newLedger(b)
	issuer := recordtest.NewChain("issuer")
	tell(b, l, issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	lives := make([]life, cards)
	for i := range lives {
		name := fmt.Sprint(i)
		lives[i] = life{taptest.NewCard(name), recordtest.NewChain(name)}
		tell(b, l, issuer.Say(recordtest.Body(recordtest.Registered(lives[i].card, issuer.ID(), lives[i].taps.ID()))))
		tell(b, l, lives[i].taps.Say(recordtest.Body(recordtest.InService(1))))
		for n := range taps {
			tell(b, l, lives[i].tapped(uint32(n+2)))
		}
	}
	return l, lives
}

func benchRegistry(b *testing.B, l ledger.Ledger) *registry.Registry {
	r := open(b, l, filepath.Join(b.TempDir(), "registry.db"), func(found registry.Tampered) { b.Error(found) })
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	require.NoError(b, r.Sync(context.Background()))
	return r
}

func BenchmarkRebuild(b *testing.B) {
	l, _ := benchLedger(b, 50, 40)
	r := benchRegistry(b, l)
	for b.Loop() {
		require.NoError(b, r.Rebuild(context.Background()))
	}
	info, err := l.Info(context.Background())
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkCard(b *testing.B) {
	l, lives := benchLedger(b, 100, 1)
	r := benchRegistry(b, l)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := r.Card(context.Background(), lives[i%len(lives)].card.ID()); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkUnknownCard(b *testing.B) {
	l, _ := benchLedger(b, 1000, 0)
	r := benchRegistry(b, l)
	id := taptest.NewCard("unknown").ID()
	for b.Loop() {
		if _, err := r.Card(context.Background(), id); !errors.Is(err, registry.ErrUnknownCard) {
			b.Fatal(err)
		}
	}
}

func BenchmarkSyncChannel(b *testing.B) {
	l, lives := benchLedger(b, 1, 1)
	r := benchRegistry(b, l)
	for counter := uint32(10); b.Loop(); counter++ {
		b.StopTimer()
		tell(b, l, lives[0].tapped(counter))
		b.StartTimer()
		require.NoError(b, r.SyncChannel(context.Background(), lives[0].taps.ID()))
	}
}

func BenchmarkRetry(b *testing.B) {
	for _, keys := range []int{10, 1000} {
		b.Run(fmt.Sprint(keys, " keys"), func(b *testing.B) {
			l, lives := benchLedger(b, 1, keys)
			r := benchRegistry(b, l)
			for b.Loop() {
				_, found, err := r.Retry(context.Background(), lives[0].taps.ID(), "another")
				if found || err != nil {
					b.Fatal(found, err)
				}
			}
		})
	}
}
