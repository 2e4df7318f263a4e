package stardust_test

import (
	"errors"
	"testing"

	"github.com/productid/productid/pkg/stardust"
)

// FuzzParseBlock: what is accepted means the same to iota.go, which writes it again
// as the same bytes.
func FuzzParseBlock(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		block, err := stardust.ParseBlock(b)
		if err == nil {
			sameBlock(t, b, block)
			block.Transaction.SignedBy(stardust.AddressOf(author.Public))
		} else if !errors.Is(err, stardust.ErrMalformed) {
			t.Fatal(err)
		}
	})
}

// FuzzParseMilestone: what is accepted means the same to iota.go.
func FuzzParseMilestone(f *testing.F) {
	keys := public(coordinator)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := stardust.ParseMilestone(b)
		if err != nil {
			if !errors.Is(err, stardust.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		sameMilestone(t, b, m)
		if err := m.Verify(1, keys...); err != nil && !errors.Is(err, stardust.ErrNotSigned) {
			t.Fatal(err)
		}
	})
}

// FuzzPath: a path is refused or leads somewhere, and to the root of the leaf alone
// only where that is the whole tree.
func FuzzPath(f *testing.F) {
	f.Fuzz(func(t *testing.T, index, size uint32, hashes []byte) {
		p := stardust.Path{Index: index, Size: size}
		for ; len(hashes) >= 32; hashes = hashes[32:] {
			p.Hashes = append(p.Hashes, stardust.Hash(hashes))
		}
		root, err := p.Root(stardust.Hash{})
		if err != nil && !errors.Is(err, stardust.ErrMalformed) {
			t.Fatal(err)
		}
		again, errAgain := p.Normal().Root(stardust.Hash{})
		if root != again || (err == nil) != (errAgain == nil) || p.Normal().Size > size {
			t.Fatalf("%+v: %v, and %+v: %v", p, root, p.Normal(), again)
		}
		if err == nil && (root == stardust.MerkleRoot([]stardust.Hash{{}})) != (size == 1) {
			t.Fatalf("%+v: %v", p, root)
		}
	})
}
