package registry_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
)

// The same on the embedded log, with both databases closed and opened in between.
func TestTheRegistryOfAnEmbeddedLog(t *testing.T) { onBoth(t, theRegistryOfAnEmbeddedLog) }

func theRegistryOfAnEmbeddedLog(t *testing.T, fresh func(testing.TB) string) {
	ctx, place := context.Background(), fresh(t)
	beside := place // another schema of the same database
	if !strings.HasPrefix(place, "postgres:") {
		beside += ".ledger"
	}
	all, err := secrets.New(origin, "Issuer", "https://issuer.example.com", rand.NewChaCha8([32]byte{9}), made)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(string(all.Log))
	require.NoError(t, err)
	choices := rand.New(rand.NewPCG(3, 4))
	h := recordtest.History{Choose: choices.IntN}
	report := func(found registry.Tampered) { t.Error(found) }
	for range 3 {
		l, err := tlog.Open(ctx, beside, tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true})
		require.NoError(t, err)
		r := open(t, l, place, report)
		receipt, err := registry.OpenIssuer(ctx, l, l, all.Issuers[0])
		require.NoError(t, err)
		for range 60 {
			m := h.Next()
			require.NoError(t, l.List(ctx, m.Channel()))
			_, err := l.Submit(ctx, m)
			require.NoError(t, err)
			switch choices.IntN(6) {
			case 0:
				require.NoError(t, r.Sync(ctx))
			case 1:
				require.NoError(t, r.SyncChannel(ctx, m.Channel()))
			}
		}
		require.NoError(t, r.Sync(ctx))
		issuer, err := r.Issuer(ctx, receipt.Channel)
		require.NoError(t, err)
		assert.Equal(t, receipt.Hash, issuer.Opened.Hash)
		want, _ := folded(t, l)
		assert.Equal(t, want, dump(t, r))
		require.NoError(t, r.Rebuild(ctx))
		assert.Equal(t, want, dump(t, r))
		require.NoError(t, r.Close())
		require.NoError(t, l.Close())
	}
}
