package tlog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// TileHeight is the height of a C2SP tlog-tiles tile: 256 hashes.
const TileHeight = 8

// seenTiles is how many tiles the memory keeps at least, 8 KiB each.
const seenTiles = 128

// Tile returns the hashes of a tile, as C2SP tlog-tiles serves it: those that give
// the signed root. A tile that the tree has not got is ledger.ErrNoPosition.
func (l *Log) Tile(ctx context.Context, t merkle.Tile) (data []byte, err error) {
	err = l.read(ctx, func(v *view) error {
		if !hasTile(v.tree.Size, t) {
			return fmt.Errorf("%s of a log of %d: %w", t.Path(), v.tree.Size, ledger.ErrNoPosition)
		}
		data, err = v.tile(t)
		return err
	})
	return data, err
}

// hasTile reports whether a tree of this size has so much of a tile.
func hasTile(size uint64, t merkle.Tile) bool {
	if t.H != TileHeight || t.L < 0 || t.L*TileHeight > 63 || t.N < 0 || t.W < 1 || t.W > 1<<TileHeight || size > math.MaxInt64 {
		return false
	}
	width := int64(size) >> (t.L * TileHeight) // of the whole level
	return t.N <= width>>TileHeight && t.N<<TileHeight+int64(t.W) <= width
}

// tile reads a tile and the tiles from it up to the root, which must fit.
func (v *view) tile(t merkle.Tile) ([]byte, error) {
	whole := t
	whole.W = 1 << TileHeight
	if data, ok := v.log.tiles.get(whole); ok {
		return data[:t.W*merkle.HashSize], nil
	}
	tiles := &tileReader{view: v}
	last := merkle.StoredHashIndex(t.L*TileHeight, t.N<<TileHeight+int64(t.W)-1)
	tree := merkle.TileHashReader(merkle.Tree{N: int64(v.tree.Size), Hash: v.tree.Root}, tiles)
	if _, err := tree.ReadHashes([]int64{last}); errors.Is(err, ledger.ErrUnavailable) {
		return nil, err
	} else if err != nil {
		return nil, corrupt("tiles do not give the root of the checkpoint of %d: %w", v.tree.Size, err)
	}
	for found, data := range tiles.good {
		if found.L == t.L && found.N == t.N && found.W >= t.W {
			return data[:t.W*merkle.HashSize], nil
		}
	}
	return nil, corrupt("%s is not among the tiles of a tree of %d", t.Path(), v.tree.Size)
}

// tileReader reads tiles from the file, and keeps those that give the root.
type tileReader struct {
	view *view
	good map[merkle.Tile][]byte
}

// Height is that of every tile here.
func (r *tileReader) Height() int { return TileHeight }

// ReadTiles reads tiles as they stand in the file.
func (r *tileReader) ReadTiles(tiles []merkle.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		data, ok := r.view.log.tiles.get(t)
		if !ok {
			if t.L == 0 {
				if err := r.view.readHashesFrom(t.N<<TileHeight, t.W); err != nil {
					return nil, err
				}
			}
			var err error
			if data, err = merkle.ReadTileData(t, r.view); err != nil {
				return nil, err
			}
		}
		all[i] = data
	}
	return all, nil
}

// SaveTiles is told which tiles are good.
func (r *tileReader) SaveTiles(tiles []merkle.Tile, data [][]byte) {
	r.good = map[merkle.Tile][]byte{}
	for i, t := range tiles {
		r.good[t] = data[i]
		r.view.log.tiles.put(t, data[i])
	}
}

// readHashesFrom reads the hashes in the rows of several leaves at once. A row that
// is missing is missed by who asks for its hashes.
func (v *view) readHashesFrom(leaf int64, n int) error {
	rows, err := v.tx.StmtContext(v.ctx, v.stmts.hashesFrom).QueryContext(v.ctx, leaf, n)
	if err != nil {
		return unavailable(v.ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&leaf, &b); err != nil {
			return corrupt("%w", err)
		}
		if leaf >= 0 && len(b) == hashesOf(leaf)*merkle.HashSize {
			v.keepHashes(leaf, b)
		}
	}
	if err := rows.Err(); err != nil {
		return unavailable(v.ctx, err)
	}
	return nil
}

// Leaves returns n entries from an index on, which the tree must have: else it is
// ledger.ErrNoPosition.
func (l *Log) Leaves(ctx context.Context, from uint64, n int) (entries []ledger.Entry, err error) {
	err = l.read(ctx, func(v *view) error {
		if n < 0 || from > v.tree.Size || uint64(n) > v.tree.Size-from {
			return fmt.Errorf("leaves %d to %d of a log of %d: %w", from, from+uint64(max(n, 0)), v.tree.Size, ledger.ErrNoPosition)
		}
		entries, err = v.leaves(from, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Payload returns a payload by its SHA-256, channel.ErrRemoved where it was removed, or
// ledger.ErrNoMessage: none of this log's leaves has it, as far as their stubs were not
// altered.
func (l *Log) Payload(ctx context.Context, digest [sha256.Size]byte) (payload []byte, err error) {
	err = l.read(ctx, func(v *view) error {
		var removed bool
		err := v.one(v.stmts.payload, []any{digest[:]}, &payload, &removed)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("payload %x: %w", digest, ledger.ErrNoMessage)
		}
		if removed {
			return fmt.Errorf("payload %x: %w", digest, channel.ErrRemoved)
		}
		if err == nil && sha256.Sum256(payload) != digest {
			return corrupt("payload %x is not what its hash says", digest)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return payload, nil
}

// Evidence returns messages of a channel as Range does, each with its proof as Prove
// makes it.
func (l *Log) Evidence(ctx context.Context, id channel.ID, from uint64, n int) (evidence []ledger.Evidence, err error) {
	err = l.read(ctx, func(v *view) error {
		c, err := v.begun(id)
		if err != nil || from >= c.next || n <= 0 {
			return err
		}
		entries, err := v.messages(c, int64(from), int(min(uint64(n), c.next-from)))
		if err != nil {
			return err
		}
		for _, e := range entries {
			r, err := v.best(e)
			if err != nil {
				return err
			}
			evidence = append(evidence, ledger.Evidence{Message: e.Message, Proof: r.Proof})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return evidence, nil
}
