package validation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// BenchmarkValidate is a look at a good tap: registry, signature, newest message.
func BenchmarkValidate(b *testing.B) {
	s := newShop(b)
	url := s.card.Tap()
	for b.Loop() {
		require.Equal(b, Valid, s.validate(url).Code)
	}
}

// BenchmarkUpdate is a whole update, synced to the disk.
func BenchmarkUpdate(b *testing.B) { benchmarkUpdate(b, newShop(b)) }

// BenchmarkUpdateInMemory is the same without a disk: what validation costs beside it.
func BenchmarkUpdateInMemory(b *testing.B) {
	signer, _ := logKeys(b)
	benchmarkUpdate(b, newShopOn(b, ledger.NewMemory(origin, signer, time.Now), b.TempDir()))
}

func benchmarkUpdate(b *testing.B, s *shop) {
	for b.Loop() {
		b.StopTimer()
		url := s.card.Tap()
		b.StartTimer()
		require.Equal(b, Recorded, s.update(Request{URL: url}).Code)
	}
}

// BenchmarkSignature is the part of both that cannot be had cheaper: one ECDSA check.
func BenchmarkSignature(b *testing.B) {
	s := newShop(b)
	t, err := tap.Parse(s.card.Tap())
	require.NoError(b, err)
	for b.Loop() {
		require.NoError(b, t.Verify(s.card.Key()))
	}
}
