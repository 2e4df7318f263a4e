package devnet

import (
	"crypto/ed25519"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzRecord: what is read of network.json can be relied on.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord(text)
		if err != nil {
			assert.ErrorIs(t, err, ErrForeign)
			return
		}
		assert.Contains(t, []int{1, 3}, r.Nodes)
		assert.Len(t, r.Ports, r.Nodes)
		assert.NotEmpty(t, r.Coordinator)
		for _, k := range r.Coordinator {
			assert.Len(t, k, ed25519.PublicKeySize)
		}
		assert.Positive(t, time.Duration(r.MilestoneMS)*time.Millisecond)
	})
}

// TestPeerIDIsLibp2ps compares with what hornet's own tool says of the key with the seed 00 01 … 1f.
func TestPeerIDIsLibp2ps(t *testing.T) {
	seed, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	require.NoError(t, err)
	key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	assert.Equal(t, "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB", peerID(key))
	assert.Equal(t, "11z", base58([]byte{0, 0, 57}), "zeros in front stay")
}

// TestBuildScriptNamesTheSameFolder: it and Programs must agree, or nothing is found.
func TestBuildScriptNamesTheSameFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/cache")
	const module = "../../scripts/devnet"
	out, err := exec.Command(module+"/build.sh", "where").Output()
	require.NoError(t, err)
	folder, err := Programs(module)
	require.ErrorIs(t, err, ErrNotBuilt)
	assert.Equal(t, strings.TrimSpace(string(out)), folder)
}
