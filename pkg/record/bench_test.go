package record_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

func BenchmarkParseTap(b *testing.B) {
	body := recordtest.Body(recordtest.Tapped(taptest.NewCard("card"), 4))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Parse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeTap(b *testing.B) {
	t := recordtest.Tapped(taptest.NewCard("card"), 4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFoldTap(b *testing.B) {
	card, issuer, taps := taptest.NewCard("card"), recordtest.NewChain("issuer"), recordtest.NewChain("taps")
	states := record.NewMap()
	require.NoError(b, record.Fold(states, entry(issuer.Say(recordtest.Body(recordtest.Opened("issuer"))), 0)))
	require.NoError(b, record.Fold(states, entry(issuer.Say(recordtest.Body(recordtest.Registered(card, issuer.ID(), taps.ID()))), 1)))
	require.NoError(b, record.Fold(states, entry(taps.Say(recordtest.Body(recordtest.InService(3))), 2)))
	for counter := uint32(4); b.Loop(); counter++ {
		b.StopTimer()
		e := entry(taps.Say(recordtest.Body(recordtest.Tapped(card, counter))), uint64(counter))
		b.StartTimer()
		if err := record.Fold(states, e); err != nil {
			b.Fatal(err)
		}
	}
	require.Empty(b, states.Rejections())
}
