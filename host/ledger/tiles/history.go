package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/ledger"
)

// maxSize bounds what a checkpoint may claim: arithmetic on larger trees overflows.
const maxSize = 1 << 50

// Rewritten is the error of a log that is not the one that was seen before: two
// checkpoints that one key signed and that no append-only log can have both. It is
// ErrRewritten.
type Rewritten struct {
	Kept []byte // checkpoint that was verified before
	Got  []byte // checkpoint that contradicts it
	Why  string
}

// Error says what contradicts what.
func (r *Rewritten) Error() string { return fmt.Sprintf("%v: %s", ErrRewritten, r.Why) }

// Unwrap returns ErrRewritten.
func (r *Rewritten) Unwrap() error { return ErrRewritten }

// Tree is a checkpoint whose signature was verified, and its text.
type Tree struct {
	ledger.Checkpoint
	Text []byte
}

// history is the newest checkpoint that was verified, in memory and in a file.
type history struct {
	path string // of the file; may be empty
	mu   sync.Mutex
	kept *Tree
}

// readHistory takes up what an earlier run kept. A file that cannot be read is an
// error: to begin anew would forget what the log must be held to.
func readHistory(o Options, origin string, keys []note.Verifier) (*history, error) {
	h, text := &history{path: o.State}, o.Known
	var err error
	if h.path != "" {
		text, err = os.ReadFile(h.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		text, err = o.Known, nil
	}
	if err == nil && text == nil {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint last seen: %w", err)
	}
	if h.kept, err = parseTree(text, origin, keys); err != nil {
		return nil, fmt.Errorf("reading the checkpoint last seen, %s: %w", h.path, err)
	}
	return h, nil
}

func parseTree(text []byte, origin string, keys []note.Verifier) (*Tree, error) {
	c, err := ledger.ParseCheckpoint(text, origin, keys...)
	if err != nil {
		return nil, err
	}
	if c.Size > maxSize {
		return nil, fmt.Errorf("checkpoint of log %q claims %d leaves: %w", origin, c.Size, ledger.ErrInvalidProof)
	}
	return &Tree{c, text}, nil
}

// newest returns what is kept, or nil.
func (h *history) newest() *Tree {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept
}

// replace keeps a tree in the place of an older one, and reports whether that was
// still the one kept. It is in the file before anybody acts on it.
func (h *history) replace(older, newer *Tree) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept != older {
		return false, nil
	}
	if h.path != "" {
		if err := WriteFile(h.path, newer.Text); err != nil {
			return false, fmt.Errorf("keeping the checkpoint seen: %w", err)
		}
	}
	h.kept = newer
	return true, nil
}

// WriteFile replaces a file as a whole or not at all, durably.
func WriteFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// refresh asks for the newest checkpoint and returns the newest tree that is known.
// A log that shows less than it showed before is asked again, for a cache on the way
// may be a moment behind, and then it is *Rewritten.
func (c *Client) refresh(ctx context.Context) (*Tree, error) {
	for try, pause := 1, c.fetch.pause; ; try, pause = try+1, 3*pause {
		kept := c.history.newest() // before it is asked: others of this process may go on meanwhile
		text, err := c.fetch.get(ctx, pathCheckpoint, "", maxCheckpoint)
		if err != nil {
			return nil, c.absent(err)
		}
		got, err := parseTree(text, c.origin, c.keys)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
		}
		if kept == nil || got.Size >= kept.Size {
			return c.advance(ctx, got)
		}
		if try == tries {
			return nil, &Rewritten{kept.Text, got.Text, fmt.Sprintf("log %s has %d leaves and had %d before", c.origin, got.Size, kept.Size)}
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// advance makes a tree the newest that is known, when the one before is its
// beginning, and returns the newest.
func (c *Client) advance(ctx context.Context, t *Tree) (*Tree, error) {
	for {
		kept := c.history.newest()
		switch {
		case kept == nil:
		case bytes.Equal(kept.Text, t.Text):
			return kept, nil
		case kept.Size >= t.Size:
			return kept, c.contains(ctx, kept, t)
		default:
			root, err := c.root(ctx, t, kept.Size)
			if err != nil {
				return nil, err
			}
			if root != kept.Root {
				return nil, c.rewritten(kept, t)
			}
		}
		if done, err := c.history.replace(kept, t); done || err != nil {
			return t, err
		}
	}
}

// contains reports whether a tree that is not larger is the beginning of the kept one.
func (c *Client) contains(ctx context.Context, kept, t *Tree) error {
	if p := c.proven.Load(); p != nil && p.Checkpoint == t.Checkpoint {
		return nil
	}
	root, err := kept.Root, error(nil)
	if t.Size < kept.Size {
		root, err = c.root(ctx, kept, t.Size)
	}
	if err != nil {
		return err
	}
	if root != t.Root {
		return c.rewritten(kept, t)
	}
	c.proven.Store(t)
	return nil
}

// root returns the root that a tree had when it had so many leaves.
func (c *Client) root(ctx context.Context, t *Tree, size uint64) (merkle.Hash, error) {
	root, err := merkle.TreeHash(int64(size), c.hashes(ctx, t))
	if err == nil {
		return root, nil
	}
	if err = c.badTiles(ctx, err); !errors.Is(err, errTiles) {
		return root, err
	}
	// Perhaps the tiles in memory, which are those of the history that was seen, do not
	// fit another one.
	c.tiles.forget()
	root, err = merkle.TreeHash(int64(size), c.hashes(ctx, t))
	if err != nil {
		return root, c.badTiles(ctx, err)
	}
	return root, nil
}

func (c *Client) rewritten(kept, got *Tree) error {
	return &Rewritten{kept.Text, got.Text, fmt.Sprintf("log %s signed a tree of %d leaves and one of %d, and neither is the beginning of the other",
		c.origin, kept.Size, got.Size)}
}

// errTiles comes with ledger.ErrUnavailable: whoever serves a log can serve anything.
var errTiles = errors.New("tiles do not give the signed root")

// badTiles says of an error of the tree's hashes whose it is.
func (c *Client) badTiles(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, ledger.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: log %s: %w: %w", ledger.ErrUnavailable, c.origin, errTiles, err)
}
