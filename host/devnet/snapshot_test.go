package devnet

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rewriting does with a delta snapshot as hornet does, again and again until the test has ended: renamed away, longer in place with the
// header last, renamed back. A whole file holds its own length in its header and in every word behind it.
func rewriting(t *testing.T, node string) {
	path := filepath.Join(node, deltaSnapshot)
	write := func(length int) {
		assert.NoError(t, os.Rename(path, path+"_tmp"))
		f, err := os.OpenFile(path+"_tmp", os.O_RDWR, 0)
		assert.NoError(t, err)
		word := binary.BigEndian.AppendUint64(nil, uint64(length))
		for at := 1; at < length; at++ {
			_, err := f.WriteAt(word, int64(8*at))
			assert.NoError(t, err)
		}
		_, err = f.WriteAt(word, 0)
		assert.NoError(t, err)
		assert.NoError(t, f.Close())
		assert.NoError(t, os.Rename(path+"_tmp", path))
	}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	write(1)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for length := 2; ; length++ {
			write(length)
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
}

func newNode(t *testing.T) string {
	node := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(node, "snapshots"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(node, fullSnapshot), []byte("genesis"), 0o600))
	return node
}

// TestSnapshotsAreCopiedWhole from a node that writes them: never half of the old and half of the new one, and never none.
func TestSnapshotsAreCopiedWhole(t *testing.T) {
	t.Parallel()
	from := newNode(t)
	rewriting(t, from)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		to := t.TempDir()
		require.NoError(t, copySnapshots(t.Context(), from, to))
		delta, err := os.ReadFile(filepath.Join(to, deltaSnapshot))
		require.NoError(t, err)
		word := binary.BigEndian.AppendUint64(nil, uint64(len(delta)/8))
		require.Equal(t, bytes.Repeat(word, len(delta)/8), delta)
	}
}

func TestSnapshotThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	from, to := newNode(t), t.TempDir()
	away := filepath.Join(from, deltaSnapshot+"_tmp")
	require.NoError(t, os.WriteFile(away, []byte("delta"), 0o600))
	back := time.AfterFunc(50*time.Millisecond, func() { assert.NoError(t, os.Rename(away, filepath.Join(from, deltaSnapshot))) })
	defer back.Stop()
	require.NoError(t, copySnapshots(t.Context(), from, to))
	delta, err := os.ReadFile(filepath.Join(to, deltaSnapshot))
	require.NoError(t, err)
	assert.Equal(t, "delta", string(delta))
}

func TestNodeWithoutDeltaHandsOnTheGenesis(t *testing.T) {
	t.Parallel()
	from, to := newNode(t), t.TempDir()
	require.NoError(t, copySnapshots(t.Context(), from, to))
	full, err := os.ReadFile(filepath.Join(to, fullSnapshot))
	require.NoError(t, err)
	assert.Equal(t, "genesis", string(full))
	assert.NoFileExists(t, filepath.Join(to, deltaSnapshot))
}
