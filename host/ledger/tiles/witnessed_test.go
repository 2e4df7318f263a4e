package tiles

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

// TestUnwitnessedMessagesAreAskedForAgain: a policy with a quorum takes nothing less,
// and waits a moment for it.
func TestUnwitnessedMessagesAreAskedForAgain(t *testing.T) {
	witness, err := ledger.NewWitnessSigner("witness.example/1", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	require.NoError(t, err)
	trusted := policy(t)
	trusted.Witnesses, trusted.Quorum = []string{witness.VerifierKey()}, 1
	l, err := tlog.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"), tlog.Options{
		Origin: origin, Signer: signer(t), Now: time.Now, Create: true, Witnesses: trusted.Witnesses, Quorum: 1,
	})
	require.NoError(t, err)
	defer l.Close()
	extend(t, l, author(1), 3, "body")
	server := serve(t, l)
	c, err := NewClient(Options{URL: server.URL, Policy: trusted})
	require.NoError(t, err)
	defer c.Close()
	c.fetch.pause = time.Millisecond
	info, err := c.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ledger.Witnessed, info.Highest)
	_, err = c.Head(t.Context(), author(1).Channel())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	assert.ErrorIs(t, err, errUnwitnessed)

	var asked atomic.Int64
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/checkpoint" && asked.Add(1) == tries {
			text, err := l.Checkpoint(r.Context())
			assert.NoError(t, err)
			line, err := witness.Cosign(text, time.Now())
			assert.NoError(t, err)
			assert.NoError(t, l.Cosign(r.Context(), append(text, line...)))
		}
		NewHandler(l).ServeHTTP(w, r)
	}))
	head, err := c.Head(t.Context(), author(1).Channel())
	require.NoError(t, err)
	r, err := c.Await(t.Context(), head.Receipt(origin, 0, ledger.Proof{}), ledger.Witnessed)
	require.NoError(t, err)
	assert.Equal(t, ledger.Witnessed, r.Phase)
	_, err = c.Await(t.Context(), r, ledger.Anchored)
	assert.ErrorIs(t, err, ledger.ErrNoPhase)
}
