package stardust

import (
	"fmt"
	"math/bits"

	"golang.org/x/crypto/blake2b"
)

// Path leads from a block's id to the root of a milestone's Merkle tree (TIP-4):
// it is an inclusion proof of RFC 6962 with BLAKE2b-256.
type Path struct {
	Index  uint32 // of the block among those of the tree, in white-flag order
	Size   uint32 // number of blocks of the tree
	Hashes []Hash // from the leaf's sibling up
}

// Root returns the root that the path gives a block, or ErrMalformed when index,
// size and number of hashes do not belong together.
//
// A root commits to the leaf and to the turns of the path, and only through them to
// index and size: several pairs of these can have the same turns. See Normal.
func (p Path) Root(block Hash) (Hash, error) {
	if p.Index >= p.Size {
		return Hash{}, fmt.Errorf("path of leaf %d of %d: %w", p.Index, p.Size, ErrMalformed)
	}
	root, rest := leafHash(block), p.Hashes
	for i, last := p.Index, p.Size-1; last > 0; i, last = i>>1, last>>1 {
		if i == last && i&1 == 0 {
			continue // the last of an odd number moves up as it is
		}
		if len(rest) == 0 {
			return Hash{}, p.wrongLength()
		}
		if i&1 == 1 {
			root = nodeHash(rest[0], root)
		} else {
			root = nodeHash(root, rest[0])
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return Hash{}, p.wrongLength()
	}
	return root, nil
}

func (p Path) wrongLength() error {
	return fmt.Errorf("path of leaf %d of %d with %d hashes: %w", p.Index, p.Size, len(p.Hashes), ErrMalformed)
}

// Normal returns the path with the least size that gives its index the same turns.
// With that, neither index nor size can be changed alone.
func (p Path) Normal() Path {
	if p.Index >= p.Size {
		return p
	}
	last := p.Index // to the left of which nothing turns
	level := 0
	for i, end := p.Index, p.Size-1; i < end; i, end = i>>1, end>>1 {
		if i&1 == 0 {
			last = (i | 1) << level // the first leaf of the sibling on the right
		}
		level++
	}
	p.Size = last + 1
	return p
}

// NewPath returns the path of the block with this index among those of a tree.
func NewPath(blocks []Hash, index int) (Path, error) {
	if index < 0 || index >= len(blocks) || uint64(len(blocks)) > 1<<32-1 {
		return Path{}, fmt.Errorf("path of leaf %d of %d: %w", index, len(blocks), ErrMalformed)
	}
	p := Path{Index: uint32(index), Size: uint32(len(blocks))}
	p.climb(blocks, index)
	return p, nil
}

// climb appends the hashes from the leaf up to the root of these blocks.
func (p *Path) climb(blocks []Hash, index int) {
	if len(blocks) == 1 {
		return
	}
	k := split(len(blocks))
	if index < k {
		p.climb(blocks[:k], index)
		p.Hashes = append(p.Hashes, MerkleRoot(blocks[k:]))
	} else {
		p.climb(blocks[k:], index-k)
		p.Hashes = append(p.Hashes, MerkleRoot(blocks[:k]))
	}
}

// MerkleRoot returns the root of the tree of these blocks.
func MerkleRoot(blocks []Hash) Hash {
	switch len(blocks) {
	case 0:
		return blake2b.Sum256(nil)
	case 1:
		return leafHash(blocks[0])
	}
	k := split(len(blocks))
	return nodeHash(MerkleRoot(blocks[:k]), MerkleRoot(blocks[k:]))
}

// split is the size of the left of two subtrees: the greatest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func leafHash(block Hash) Hash {
	var b [1 + 32]byte
	copy(b[1:], block[:])
	return blake2b.Sum256(b[:])
}

func nodeHash(left, right Hash) Hash {
	b := [1 + 32 + 32]byte{1}
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return blake2b.Sum256(b[:])
}
