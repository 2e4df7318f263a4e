package bundle

import (
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// A tree over n leaves is split as RFC 6962 §2.1 does it: the left part has as many
// leaves as the greatest power of two below n. The proof of many leaves at once is
// the list of the hashes of those parts that hold none of them, as one comes upon them
// from left to right: each is stated once, and none that could be worked out.

// part is the run of a tree's leaves from lo to hi-1 that one hash stands for.
type part struct{ lo, hi uint64 }

func (p part) split() (left, right part) {
	middle := p.lo + 1<<(bits.Len64(p.hi-p.lo-1)-1)
	return part{p.lo, middle}, part{middle, p.hi}
}

// leafHash is a leaf at its place.
type leafHash struct {
	index uint64
	hash  tlog.Hash
}

var errTree = errors.New("hashes are not those of this tree")

// proof is the leaves and hashes that have not been used yet.
type proof struct {
	leaves []leafHash
	hashes []tlog.Hash
}

// root returns the root of the tree of this size that has these leaves, in strictly
// rising order, and outside of them these hashes.
func root(size uint64, leaves []leafHash, hashes []tlog.Hash) (tlog.Hash, error) {
	if len(leaves) == 0 || leaves[len(leaves)-1].index >= size {
		return tlog.Hash{}, errTree
	}
	p := proof{leaves, hashes}
	h, err := p.hash(part{0, size})
	if err == nil && len(p.hashes)+len(p.leaves) > 0 {
		err = errTree
	}
	return h, err
}

func (p *proof) hash(at part) (tlog.Hash, error) {
	if len(p.leaves) == 0 || p.leaves[0].index >= at.hi {
		return p.next()
	}
	if at.hi-at.lo == 1 {
		leaf := p.leaves[0]
		p.leaves = p.leaves[1:]
		return leaf.hash, nil
	}
	l, r := at.split()
	left, err := p.hash(l)
	if err != nil {
		return tlog.Hash{}, err
	}
	right, err := p.hash(r)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.NodeHash(left, right), nil
}

func (p *proof) next() (tlog.Hash, error) {
	if len(p.hashes) == 0 {
		return tlog.Hash{}, errTree
	}
	h := p.hashes[0]
	p.hashes = p.hashes[1:]
	return h, nil
}

// parts collects hashes of parts of a growing log's tree, out of inclusion proofs.
//
// Proofs under several checkpoints go together: what a tree of size n needs to prove
// leaves up to the greatest, g, beside the path of g itself, are parts that end at g or
// before, and those are the same in every tree that has g.
type parts map[part]tlog.Hash

// add takes the hashes of the inclusion proof of a leaf in a tree of this size.
func (known parts) add(index, size uint64, hashes []tlog.Hash) error {
	at := part{0, size}
	if index >= size {
		return errTree
	}
	for at.hi-at.lo > 1 {
		if len(hashes) == 0 {
			return errTree
		}
		left, right := at.split()
		sibling := right
		if at = left; index >= right.lo {
			at, sibling = right, left
		}
		known[sibling] = hashes[len(hashes)-1] // a proof lists them from the leaf up
		hashes = hashes[:len(hashes)-1]
	}
	if len(hashes) > 0 {
		return errTree
	}
	return nil
}

// prove returns the hashes that root wants for the leaves with these indexes, in rising order.
func (known parts) prove(size uint64, indexes []uint64) (hashes []tlog.Hash, err error) {
	var walk func(at part) error
	walk = func(at part) error {
		if len(indexes) == 0 || indexes[0] >= at.hi {
			h, found := known[at]
			if !found {
				return errTree
			}
			hashes = append(hashes, h)
			return nil
		}
		if at.hi-at.lo == 1 {
			indexes = indexes[1:]
			return nil
		}
		left, right := at.split()
		return errors.Join(walk(left), walk(right))
	}
	err = walk(part{0, size})
	return hashes, err
}
