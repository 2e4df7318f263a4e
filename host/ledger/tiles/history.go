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

// tree is a checkpoint whose signature was verified, and its text.
type tree struct {
	ledger.Checkpoint
	text []byte
}

// history is the newest checkpoint that was verified, in memory and in a file.
type history struct {
	path string // of the file; may be empty
	mu   sync.Mutex
	kept *tree
}

// readHistory takes up what an earlier run kept. A file that cannot be read is an
// error: to begin anew would forget what the log must be held to.
func readHistory(path, origin string, keys []note.Verifier) (*history, error) {
	h := &history{path: path}
	if path == "" {
		return h, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint last seen: %w", err)
	}
	if h.kept, err = parseTree(text, origin, keys); err != nil {
		return nil, fmt.Errorf("reading the checkpoint last seen, %s: %w", path, err)
	}
	return h, nil
}

func parseTree(text []byte, origin string, keys []note.Verifier) (*tree, error) {
	c, err := ledger.ParseCheckpoint(text, origin, keys...)
	if err != nil {
		return nil, err
	}
	if c.Size > maxSize {
		return nil, fmt.Errorf("checkpoint of log %q claims %d leaves: %w", origin, c.Size, ledger.ErrInvalidProof)
	}
	return &tree{c, text}, nil
}

// newest returns what is kept, or nil.
func (h *history) newest() *tree {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept
}

// replace keeps a tree in the place of an older one, and reports whether that was
// still the one kept. It is in the file before anybody acts on it.
func (h *history) replace(older, newer *tree) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept != older {
		return false, nil
	}
	if h.path != "" {
		if err := writeFile(h.path, newer.text); err != nil {
			return false, fmt.Errorf("keeping the checkpoint seen: %w", err)
		}
	}
	h.kept = newer
	return true, nil
}

// writeFile replaces a file as a whole or not at all, durably.
func writeFile(path string, content []byte) error {
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
func (c *Client) refresh(ctx context.Context) (*tree, error) {
	for try, pause := 1, c.fetch.pause; ; try, pause = try+1, 3*pause {
		text, err := c.fetch.get(ctx, pathCheckpoint, "", maxCheckpoint)
		if err != nil {
			return nil, c.absent(err)
		}
		got, err := parseTree(text, c.origin, c.keys)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
		}
		kept := c.history.newest()
		if kept == nil || got.Size >= kept.Size {
			return c.advance(ctx, got)
		}
		if try == tries {
			return nil, &Rewritten{kept.text, got.text, fmt.Sprintf("log %s has %d leaves and had %d before", c.origin, got.Size, kept.Size)}
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// advance makes a tree the newest that is known, when the one before is its
// beginning, and returns the newest.
func (c *Client) advance(ctx context.Context, t *tree) (*tree, error) {
	for {
		kept := c.history.newest()
		switch {
		case kept == nil:
		case bytes.Equal(kept.text, t.text):
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
func (c *Client) contains(ctx context.Context, kept, t *tree) error {
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
func (c *Client) root(ctx context.Context, t *tree, size uint64) (merkle.Hash, error) {
	root, err := merkle.TreeHash(int64(size), c.hashes(ctx, t))
	if err != nil {
		return root, c.badTiles(ctx, err)
	}
	return root, nil
}

func (c *Client) rewritten(kept, got *tree) error {
	return &Rewritten{kept.text, got.text, fmt.Sprintf("log %s signed a tree of %d leaves and one of %d, and neither is the beginning of the other",
		c.origin, kept.Size, got.Size)}
}

// badTiles says of an error of the tree's hashes whose it is.
func (c *Client) badTiles(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, ledger.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: tiles of log %s do not give its signed root: %w", ledger.ErrUnavailable, c.origin, err)
}
