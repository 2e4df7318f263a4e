package tlog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// published is all that a log says in public, by what was asked.
func published(t *testing.T, l *Log, h history) (answers map[string]any, errs map[string]error) {
	answers, errs = map[string]any{}, map[string]error{}
	note := func(what string, answer any, err error) {
		answers[what], errs[what] = answer, err
	}
	for w := 1; w <= len(h.all); w++ {
		tile := merkle.Tile{H: TileHeight, W: w}
		data, err := l.Tile(t.Context(), tile)
		note(tile.Path(), string(data), err)
		entries, err := l.Leaves(t.Context(), uint64(w-1), 1)
		note(fmt.Sprintf("leaf %d", w-1), entries, err)
		payload := h.all[w-1].Message.Payload()
		answer, err := l.Payload(t.Context(), sha256.Sum256(payload))
		note(fmt.Sprintf("payload %d", w-1), string(answer), err)
	}
	for _, id := range h.channels {
		evidence, err := l.Evidence(t.Context(), id, 0, 100)
		note("evidence "+id.String(), evidence, err)
	}
	return answers, errs
}

func TestAlteredRowsAreNotPublished(t *testing.T) {
	sound := newPath(t)
	h := written(t, sound)
	file, err := os.ReadFile(sound)
	require.NoError(t, err)
	want, errs := published(t, openAt(t, sound), h)
	for what, err := range errs {
		require.NoError(t, err, what)
	}
	refused := 0
	for _, statement := range alterations() {
		path := newPath(t)
		require.NoError(t, os.WriteFile(path, file, 0o600))
		l := openAt(t, path)
		alter(t, path, statement)
		got, errs := published(t, l, h)
		for what, err := range errs {
			if err == nil {
				require.Equal(t, want[what], got[what], "%s, then %s", statement, what)
				continue
			}
			refused++
			// a payload is found by the hash in its stub, and not when that is altered
			require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ledger.ErrNoMessage), "%s, then %s: %v", statement, what, err)
		}
	}
	require.NotZero(t, refused)
}

func TestTilesOfATree(t *testing.T) {
	l := openAt(t, newPath(t))
	write(t, l, author(1), 3)
	for _, tile := range []merkle.Tile{
		{}, {H: 7, W: 1}, {H: 8}, {H: 8, W: -1}, {H: 8, W: 4}, {H: 8, W: 256}, {H: 8, W: 257}, {H: 8, N: -1, W: 1}, {H: 8, N: 1, W: 1}, {H: 8, L: -1, W: 1},
		{H: 8, L: 1, W: 1}, {H: 8, L: 7, W: 1}, {H: 8, L: 8, W: 1}, {H: 8, L: 63, W: 1}, {H: 8, N: 1<<63 - 1, W: 1}, {H: 8, N: 1 << 55, W: 256},
	} {
		_, err := l.Tile(t.Context(), tile)
		assert.ErrorIs(t, err, ledger.ErrNoPosition, "%+v", tile)
	}
	for _, leaves := range []struct {
		from uint64
		n    int
	}{{0, 4}, {4, 0}, {3, 1}, {0, -1}, {1<<64 - 1, 1}, {1 << 63, 1 << 62}} {
		_, err := l.Leaves(t.Context(), leaves.from, leaves.n)
		assert.ErrorIs(t, err, ledger.ErrNoPosition, "%+v", leaves)
	}
	_, err := l.Payload(t.Context(), [32]byte{})
	assert.ErrorIs(t, err, ledger.ErrNoMessage)
	_, err = l.Evidence(t.Context(), channel.ID{1}, 0, 1)
	assert.ErrorIs(t, err, ledger.ErrNoChannel)
}
