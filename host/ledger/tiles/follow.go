package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Follow delivers the log from a position on as ledger.Ledger says, every leaf under
// the newest checkpoint. It looks for more each Options.Poll, and ends with an error
// when the log does not answer several tries: one goes on from the last position.
func (c *Client) Follow(ctx context.Context, from ledger.Position, fn func([]ledger.Entry, ledger.Position) error) (err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	t, err := c.refresh(ctx)
	if err != nil {
		return err
	}
	if from.Index > t.Size {
		return fmt.Errorf("position %s of %d: %w", from, t.Size, ledger.ErrNoPosition)
	}
	for quiet := false; ; {
		entries, err := c.after(ctx, t, from.Index)
		if err != nil {
			return err
		}
		if len(entries) > 0 || !quiet {
			from.Index += uint64(len(entries))
			if err := fn(entries, from); errors.Is(err, ledger.ErrStop) {
				return nil
			} else if err != nil {
				return err
			}
			quiet = len(entries) == 0
			continue
		}
		if err := sleep(ctx, c.o.Poll); err != nil {
			return err
		}
		if t, err = c.refresh(ctx); err != nil {
			return err
		}
	}
}

// Newest returns the newest tree of the log, which continues all that were seen.
func (c *Client) Newest(ctx context.Context) (t *Tree, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	return c.refresh(ctx)
}

// Checkpoint returns the signed text of Newest, so that a log that was put back learns
// from whoever serves a copy how far it had come.
func (c *Client) Checkpoint(ctx context.Context) (text []byte, err error) {
	t, err := c.Newest(ctx)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(t.Text), nil
}

// Entries returns the entries of a tree from an index on, to the end of their bundle:
// one at least, where the tree has one. A leaf that is no message is ErrNoMessage.
func (c *Client) Entries(ctx context.Context, t *Tree, from uint64) (entries []ledger.Entry, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	return c.after(ctx, t, from)
}

func (c *Client) after(ctx context.Context, t *Tree, from uint64) ([]ledger.Entry, error) {
	if from >= t.Size {
		return nil, ctx.Err()
	}
	bundle := merkle.Tile{H: height, L: levelEntries, N: int64(from >> height)}
	begin := uint64(bundle.N) << height
	bundle.W = int(min(width, t.Size-begin))

	var hashes []merkle.Hash
	var leaves, payloads []byte
	var failed [3]error
	var wait sync.WaitGroup
	wait.Go(func() { hashes, failed[0] = c.leafHashes(ctx, t, begin, bundle.W) })
	wait.Go(func() { leaves, failed[1] = c.tile(ctx, tilePath(bundle), bundle, maxBundle) })
	wait.Go(func() {
		path := pathPayloads + tilePath(bundle)[len(pathEntries):]
		payloads, failed[2] = c.tile(ctx, path, bundle, maxPayloads)
	})
	wait.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		return nil, err
	}
	return c.entries(begin, hashes, leaves, payloads, int(from-begin))
}

// entries puts a bundle's messages together, but for the first few.
func (c *Client) entries(begin uint64, hashes []merkle.Hash, leaves, payloads []byte, skip int) ([]ledger.Entry, error) {
	var entries []ledger.Entry
	for i, hash := range hashes {
		index := begin + uint64(i)
		leaf, ok := cutLeaf(&leaves)
		payload, gone, whole := cutPayload(&payloads)
		switch {
		case !ok || !whole:
			return nil, c.confused("has a bundle that is cut off at leaf %d", index)
		case i < skip:
			continue
		case merkle.RecordHash(leaf) != hash:
			return nil, c.confused("has another leaf %d than its tree", index)
		}
		read, err := ledger.ParseLeaf(leaf)
		if err != nil { // the tree has it: the log's key signed for it
			return nil, fmt.Errorf("leaf %d of log %s: %w: %w", index, c.origin, ErrNoMessage, err)
		}
		m := channel.Tombstone(read.Stub)
		if !gone {
			if m, err = channel.FromStub(read.Stub, payload); err != nil {
				return nil, c.confused("has another payload than leaf %d: %w", index, err)
			}
		}
		entries = append(entries, ledger.Entry{Message: m, Time: read.Time, Index: index})
	}
	return entries, nil
}

// cutLeaf takes the next leaf from a bundle of entries.
func cutLeaf(bundle *[]byte) (leaf []byte, ok bool) {
	b := *bundle
	if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
		return nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	*bundle = b[n:]
	return b[2:n], true
}

// cutPayload takes the next payload from a bundle of payloads.
func cutPayload(bundle *[]byte) (payload []byte, gone, ok bool) {
	b := *bundle
	if len(b) < 4 {
		return nil, false, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; n == removed {
		*bundle = b
		return nil, true, true
	}
	if uint64(len(b)) < uint64(n) {
		return nil, false, false
	}
	*bundle = b[n:]
	return b[:n], false, true
}

// tile reads a tile, and where a log has let go of a part of it the whole.
func (c *Client) tile(ctx context.Context, path string, t merkle.Tile, limit int) ([]byte, error) {
	data, err := c.fetch.get(ctx, path, "", int64(limit))
	if errors.Is(err, errAbsent) && t.W < width {
		whole := path[:len(path)-len(fmt.Sprintf(".p/%d", t.W))]
		data, err = c.fetch.get(ctx, whole, "", int64(limit))
	}
	return data, c.absent(err)
}

// leafHashes returns hashes of leaves, which give the tree's root.
func (c *Client) leafHashes(ctx context.Context, t *Tree, begin uint64, n int) ([]merkle.Hash, error) {
	indexes := make([]int64, n)
	for i := range indexes {
		indexes[i] = merkle.StoredHashIndex(0, int64(begin)+int64(i))
	}
	hashes, err := c.hashes(ctx, t).ReadHashes(indexes)
	if err != nil {
		return nil, c.badTiles(ctx, err)
	}
	return hashes, nil
}

// hashes returns a reader of a tree's hashes, all of which give its root.
func (c *Client) hashes(ctx context.Context, t *Tree) merkle.HashReader {
	return merkle.TileHashReader(merkle.Tree{N: int64(t.Size), Hash: t.Root}, &tileReader{ctx, c})
}

// tileReader reads tiles from the log, and keeps those that give a signed root.
type tileReader struct {
	ctx    context.Context
	client *Client
}

// Height is that of every tile here.
func (r *tileReader) Height() int { return height }

// ReadTiles reads tiles that nobody has verified yet.
func (r *tileReader) ReadTiles(tiles []merkle.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	failed := make([]error, len(tiles))
	var wait sync.WaitGroup
	for i, t := range tiles { // a few: those from a leaf up to the root, and the right edge
		if data, ok := r.client.tiles.get(t); ok {
			all[i] = data
			continue
		}
		wait.Go(func() {
			data, err := r.client.tile(r.ctx, tilePath(t), t, width*merkle.HashSize)
			if err == nil && len(data) > t.W*merkle.HashSize {
				data = data[:t.W*merkle.HashSize]
			}
			all[i], failed[i] = data, err
		})
	}
	wait.Wait()
	return all, errors.Join(failed...)
}

// SaveTiles keeps tiles that were verified.
func (r *tileReader) SaveTiles(tiles []merkle.Tile, data [][]byte) {
	for i, t := range tiles {
		r.client.tiles.put(t, data[i])
	}
}

// Payload returns a payload by its SHA-256: channel.ErrRemoved, or ledger.ErrNoMessage.
func (c *Client) Payload(ctx context.Context, digest [sha256.Size]byte) (payload []byte, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	payload, err = c.fetch.get(ctx, pathPayload+channel.Hash(digest).String(), "", channel.MaxMessage)
	if errors.Is(err, errAbsent) {
		return nil, fmt.Errorf("payload %x: %w", digest, ledger.ErrNoMessage)
	}
	if err == nil && sha256.Sum256(payload) != digest {
		return nil, c.confused("has another payload than %x", digest)
	}
	return payload, err
}
