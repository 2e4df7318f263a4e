package tlog

import (
	"bytes"
	"fmt"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/ledger"
)

// signedTree is a checkpoint whose signature is known to hold, and its text.
type signedTree struct {
	text []byte
	ledger.Checkpoint
}

func (t *signedTree) is(text []byte) bool { return t != nil && bytes.Equal(t.text, text) }

// open verifies a checkpoint's text, unless that was done.
func (l *Log) open(text []byte) (*signedTree, error) {
	if t := l.verified.Load(); t.is(text) {
		return t, nil
	}
	if t := l.signed.Load(); t.is(text) {
		return t, nil
	}
	if l.mirror && len(text) == 0 {
		return emptyTree(l.o.Origin)
	}
	c, err := ledger.ParseCheckpoint(text, l.o.Origin, l.verifier)
	if err != nil {
		return nil, corrupt("%w", err)
	}
	t := &signedTree{text, c}
	l.verified.Store(t)
	return t, nil
}

// extends reports whether the log in this view begins with a tree that it signed.
func (v *view) extends(t *signedTree) error {
	switch {
	case t == nil || t.is(v.tree.text):
		return nil
	case v.tree.Size < t.Size:
		return &unlike{fmt.Errorf("%w: it holds %d messages and held %d", ErrRolledBack, v.tree.Size, t.Size)}
	case t.Size == 0 || v.tree.Size == t.Size && v.tree.Root == t.Root:
		return nil
	case v.tree.Size == t.Size:
		return forked(t)
	}
	older, newer := int64(t.Size), int64(v.tree.Size)
	proof, err := merkle.ProveTree(newer, older, v)
	if err != nil {
		return err
	}
	if merkle.CheckTree(proof, newer, v.tree.Root, older, t.Root) == nil {
		return nil
	}
	if _, err := v.consistency(older, newer); err != nil {
		return err // the file is not even what it says itself
	}
	return forked(t)
}

func forked(t *signedTree) error {
	return &unlike{fmt.Errorf("%w: its first %d messages are others", ErrForked, t.Size)}
}

// unlike is a log that is not what it was: it is unavailable, and there is more to say
// than that.
type unlike struct{ err error }

func (u *unlike) Error() string { return u.err.Error() }

func (u *unlike) Unwrap() []error { return []error{u.err, ledger.ErrUnavailable} }
