package validation

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Layout of a write-ahead log, sqlite.org/fileformat2.html section 4.
const (
	walHeader      = 32
	walFrameHeader = 24
	walOffPageSize = 8
)

// TestLogCutAtEveryFrameReopensClean takes a power cut at its word: whatever prefix of the ledger's write-ahead log is left, the log
// opens, is sound, holds the first of the taps, and takes the next ones.
func TestLogCutAtEveryFrameReopensClean(t *testing.T) {
	dir, s := newFolder(t)
	before := s.card.Counter
	c := startChild(t, dir, nil)
	for range 4 {
		c.say(s.card.Tap())
		require.True(t, strings.HasPrefix(c.line(), "recorded "))
	}
	c.end() // without closing: the log stays as it was written
	wal, err := os.ReadFile(filepath.Join(dir, "ledger.db-wal"))
	require.NoError(t, err)
	frame := walFrameHeader + int(binary.BigEndian.Uint32(wal[walOffPageSize:]))

	most, cuts := 0, 0
	for end := walHeader; end <= len(wal); end += frame {
		cuts++
		copied := cutFolder(t, dir, wal[:end])
		reopen(t, copied, func(s *shop) {
			taps := s.recorded()
			assert.GreaterOrEqual(t, len(taps), most, "a longer log holds no less")
			most = len(taps)
			last := before
			for _, one := range taps {
				assert.Equal(t, last+1, uint32(one.Counter))
				last = uint32(one.Counter)
			}
			assert.Equal(t, Recorded, s.update(Request{URL: s.card.TapAt(last + 10)}).Code)
		})
	}
	assert.Equal(t, 4, most)
	t.Logf("cut at %d frames", cuts)
}

// cutFolder copies an installation with another write-ahead log for its ledger, and no registry: that is only a cache.
func cutFolder(t *testing.T, dir string, wal []byte) string {
	t.Helper()
	copied := t.TempDir()
	db, err := os.ReadFile(filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(copied, "ledger.db"), db, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(copied, "ledger.db-wal"), wal, 0o600))
	return copied
}
