package stardust_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

// TestPathsLeadToTheRootOfTheProtocol makes every path of every tree of up to 40
// blocks, and refuses each for every other block, and with a hash changed, added
// and left out.
func TestPathsLeadToTheRootOfTheProtocol(t *testing.T) {
	for size := range 41 {
		blocks := stardusttest.Blocks(nil, 0, size)
		want := stardust.Hash(stardusttest.Root(blocks))
		require.Equal(t, want, stardust.MerkleRoot(blocks))
		for i := range blocks {
			path, err := stardust.NewPath(blocks, i)
			require.NoError(t, err)
			root, err := path.Root(blocks[i])
			require.NoError(t, err)
			require.Equal(t, want, root, "leaf %d of %d", i, size)
			refuseOtherPaths(t, path, blocks, want)
		}
	}
}

func refuseOtherPaths(t *testing.T, path stardust.Path, blocks []stardust.Hash, root stardust.Hash) {
	for j, other := range blocks {
		got, err := path.Root(other)
		require.NoError(t, err)
		require.Equal(t, j == int(path.Index), got == root)
	}
	block := blocks[path.Index]
	for i := range path.Hashes {
		changed := path
		changed.Hashes = append([]stardust.Hash{}, path.Hashes...)
		changed.Hashes[i][31] ^= 1
		got, err := changed.Root(block)
		require.NoError(t, err)
		require.NotEqual(t, root, got)
	}
	longer, shorter := path, path
	longer.Hashes = append(path.Hashes[:len(path.Hashes):len(path.Hashes)], stardust.Hash{})
	_, err := longer.Root(block)
	require.ErrorIs(t, err, stardust.ErrMalformed)
	if len(path.Hashes) > 0 {
		shorter.Hashes = path.Hashes[:len(path.Hashes)-1]
		_, err = shorter.Root(block)
		require.ErrorIs(t, err, stardust.ErrMalformed)
	}
}

// TestPathLeavesIndexAndSizeOpenOnTheRightEdge states what a path does not prove:
// leaf 2 of 3 and leaf 1 of 2 have the same turns.
func TestPathLeavesIndexAndSizeOpenOnTheRightEdge(t *testing.T) {
	blocks := stardusttest.Blocks(nil, 0, 3)
	path, err := stardust.NewPath(blocks, 2)
	require.NoError(t, err)
	path.Index, path.Size = 1, 2
	root, err := path.Root(blocks[2])
	require.NoError(t, err)
	assert.Equal(t, stardust.MerkleRoot(blocks), root)
}

// TestNormalPathCannotBeChangedInOneNumber: the least size leads to the same root, no
// smaller one does, and no other index does with it.
func TestNormalPathCannotBeChangedInOneNumber(t *testing.T) {
	for size := 1; size <= 40; size++ {
		blocks := stardusttest.Blocks(nil, 0, size)
		root := stardust.MerkleRoot(blocks)
		for i := range blocks {
			path, err := stardust.NewPath(blocks, i)
			require.NoError(t, err)
			normal := path.Normal()
			require.Equal(t, normal, normal.Normal())
			require.True(t, leadsTo(normal, blocks[i], root), "leaf %d of %d", i, size)
			for n := range uint32(2 * size) {
				other := stardust.Path{Index: path.Index, Size: n, Hashes: path.Hashes}
				if leadsTo(other, blocks[i], root) {
					require.Equal(t, normal, other.Normal(), "size %d", n)
					require.GreaterOrEqual(t, n, normal.Size)
				}
				other = stardust.Path{Index: n, Size: normal.Size, Hashes: path.Hashes}
				require.Equal(t, n == path.Index, leadsTo(other, blocks[i], root), "index %d", n)
			}
		}
	}
}

func leadsTo(p stardust.Path, block, root stardust.Hash) bool {
	got, err := p.Root(block)
	return err == nil && got == root
}

func TestPathsOutsideTheTreeAreRefused(t *testing.T) {
	for _, p := range []stardust.Path{{}, {Index: 1, Size: 1}, {Index: 1<<32 - 1, Size: 1<<32 - 1}, {Size: 2}, {Size: 1<<32 - 1}} {
		_, err := p.Root(stardust.Hash{})
		assert.ErrorIs(t, err, stardust.ErrMalformed, "%+v", p)
		if p.Index >= p.Size {
			assert.Equal(t, p, p.Normal())
		}
	}
	for _, i := range []int{-1, 2, 3} {
		_, err := stardust.NewPath(make([]stardust.Hash, 2), i)
		assert.ErrorIs(t, err, stardust.ErrMalformed)
	}
}
