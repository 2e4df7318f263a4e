package registry

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

// TestAVersionThatKnowsMoreReadsOn: where an older one stopped, everything is folded again.
func TestAVersionThatKnowsMoreReadsOn(t *testing.T) {
	ctx := context.Background()
	key, _, err := note.GenerateKey(rand.NewChaCha8([32]byte{1}), "log.example.com")
	require.NoError(t, err)
	signer, err := ledger.NewSigner(key)
	require.NoError(t, err)
	l := ledger.NewMemory("log.example.com", signer, time.Now)
	issuer := recordtest.NewChain("issuer")
	require.NoError(t, l.List(ctx, issuer.ID()))
	_, err = l.Submit(ctx, issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	require.NoError(t, err)
	r, err := Open(ctx, filepath.Join(t.TempDir(), "registry.db"), Options{Ledger: l})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Sync(ctx))
	e, err := l.Head(ctx, issuer.ID())
	require.NoError(t, err)
	for _, kind := range []string{record.KindTap, record.KindSettings, record.KindIssuerOpened} { // which an older version may not have known
		require.NoError(t, r.write(ctx, func(s *states) error { return s.stop(e, kind) }))
		require.ErrorIs(t, r.TooOld(issuer.ID()), record.ErrMust)
		require.NoError(t, r.Sync(ctx))
		require.NoError(t, r.TooOld(issuer.ID()))
	}
	require.NoError(t, r.write(ctx, func(s *states) error { return s.stop(e, "later") }))
	require.NoError(t, r.Sync(ctx))
	assert.ErrorIs(t, r.TooOld(issuer.ID()), record.ErrMust)
}
