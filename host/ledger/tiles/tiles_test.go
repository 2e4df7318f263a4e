package tiles

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"
)

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]merkle.Tile{
		"tile/0/000":                                {H: 8, L: 0, N: 0, W: 256},
		"tile/0/x001/x234/067":                      {H: 8, L: 0, N: 1234067, W: 256}, // the specification's example
		"tile/1/x001/x234/067.p/8":                  {H: 8, L: 1, N: 1234067, W: 8},
		"tile/63/000.p/255":                         {H: 8, L: 63, N: 0, W: 255},
		"tile/entries/273.p/112":                    {H: 8, L: -1, N: 273, W: 112},
		"tile/entries/x036/x028/x797/x018/x963/967": {H: 8, L: -1, N: 1<<55 - 1, W: 256},
	} {
		got, err := parseTilePath(path)
		require.NoError(t, err, path)
		assert.Equal(t, want, got, path)
		assert.Equal(t, path, tilePath(want))
	}
}

func TestHostilePathsOfTiles(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile//000", "tile/-1/000", "tile/00/000", "tile/64/000", "tile/+1/000", "tile/data/000",
		"tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000", "tile/0/x000/000", "tile/0/1234", "tile/0/001/067", "tile/0/x001", "tile/0/-01", "tile/0/+01",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/-1", "tile/0/000.p/1/", "tile/0/000.p/1/2", "tile/0/.p/1",
		"tile/0/../000", "tile/0/000/", "/tile/0/000", "tile/0/000 ", "tile/0/٠٠٠", "tile/entries", "tile/entries/", "tile/entries/entries/000", "tile/8/0/000",
		"tile/0/x009/x223/x372/x036/x854/x775/808", "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/" + strings.Repeat("x001/", 1000) + "000",
	} {
		_, err := parseTilePath(path)
		assert.ErrorIs(t, err, errPath, path)
	}
}

// FuzzTilePath: what the parser takes has one spelling, and everything else is refused.
func FuzzTilePath(f *testing.F) {
	for _, seed := range []string{"tile/0/x001/x234/067.p/8", "tile/entries/000", "tile/63/x999/999.p/255", "tile/0/x009/x223/x372/x036/x854/x775/808", "tile/x/000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := parseTilePath(path)
		if err != nil {
			require.ErrorIs(t, err, errPath)
			return
		}
		require.Equal(t, path, tilePath(tile))
		require.True(t, tile.N >= 0 && tile.L >= -1 && tile.L <= maxLevel && tile.W >= 1 && tile.W <= width, "%+v", tile)
	})
}

// FuzzBundle gives bundles of any content to the reader: it ends, within bounds.
func FuzzBundle(f *testing.F) {
	f.Add([]byte{0, 1, 7, 0, 0, 0, 1, 7})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		rest, total := b, 0
		for {
			leaf, ok := cutLeaf(&rest)
			if !ok {
				break
			}
			total += 2 + len(leaf)
			require.Equal(t, len(b)-total, len(rest))
		}
		rest, total = b, 0
		for {
			payload, _, ok := cutPayload(&rest)
			if !ok {
				break
			}
			total += 4 + len(payload)
			require.Equal(t, len(b)-total, len(rest))
		}
	})
}
