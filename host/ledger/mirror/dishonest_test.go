package mirror

import (
	"context"
	"fmt"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

// dishonest is a log that adds a leaf which no log may have, in a tree that its key
// signs all the same.
type dishonest struct {
	*tlog.Log
	bad ledger.Entry
}

func (d *dishonest) Leaves(ctx context.Context, from uint64, n int) ([]ledger.Entry, error) {
	if from+uint64(n) <= d.bad.Index {
		return d.Log.Leaves(ctx, from, n)
	}
	entries, err := d.Log.Leaves(ctx, from, n-1)
	return append(entries, d.bad), err
}

// tree returns the hashes of the whole tree.
func (d *dishonest) tree(ctx context.Context) (trees, error) {
	var s trees
	for index := uint64(0); index <= d.bad.Index; index++ {
		entries, err := d.Leaves(ctx, index, 1)
		if err != nil {
			return nil, err
		}
		hashes, err := merkle.StoredHashesForRecordHash(int64(index), ledger.Leaf{Time: entries[0].Time, Stub: entries[0].Message.Stub()}.Hash(), s)
		if err != nil {
			return nil, err
		}
		s = append(s, hashes...)
	}
	return s, nil
}

func (d *dishonest) Checkpoint(ctx context.Context) ([]byte, error) {
	s, err := d.tree(ctx)
	if err != nil {
		return nil, err
	}
	return s.checkpoint(d.bad.Index + 1), nil
}

func (d *dishonest) Tile(ctx context.Context, t merkle.Tile) ([]byte, error) {
	s, err := d.tree(ctx)
	if err != nil {
		return nil, err
	}
	if uint64(t.N<<8+int64(t.W))<<(8*t.L) > d.bad.Index+1 {
		return nil, fmt.Errorf("%s: %w", t.Path(), ledger.ErrNoPosition)
	}
	return merkle.ReadTileData(t, s)
}
