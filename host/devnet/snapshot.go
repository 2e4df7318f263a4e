package devnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// snapshots are the files of a node's snapshots, as they are at a moment. There is no delta before the node has taken a snapshot.
type snapshots struct{ full, delta fs.FileInfo }

// errWriting says that a node is at its snapshots.
var errWriting = errors.New("the other node writes its snapshots")

// copySnapshots gives a node something to begin with: the genesis, or what another node has newer. A node that prunes could not hand on
// the milestones since the genesis.
//
// The other one runs. Hornet renames its delta snapshot away, changes it in place and renames it back; a copy that was made meanwhile has
// the old header before new bytes, which hornet reads as solid entry points, to end in a panic later. Or there is none, and the node
// begins with the genesis. So the files have to be the same before the copy and after it.
func copySnapshots(ctx context.Context, from, to string) error {
	if err := os.Mkdir(filepath.Join(to, filepath.Dir(fullSnapshot)), 0o700); err != nil {
		return err
	}
	for {
		err := copyOnce(from, to)
		if !errors.Is(err, errWriting) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func copyOnce(from, to string) error {
	before, err := snapshotsOf(from)
	if err != nil {
		return err
	}
	if err := copyFile(filepath.Join(from, fullSnapshot), filepath.Join(to, fullSnapshot)); err != nil {
		return err
	}
	if before.delta != nil {
		err := copyFile(filepath.Join(from, deltaSnapshot), filepath.Join(to, deltaSnapshot))
		if errors.Is(err, fs.ErrNotExist) {
			return errWriting
		}
		if err != nil {
			return err
		}
	}
	after, err := snapshotsOf(from)
	if err == nil && !(unchanged(before.full, after.full) && unchanged(before.delta, after.delta)) {
		err = errWriting
	}
	return err
}

// snapshotsOf looks at what a node has. The error is errWriting while the delta snapshot is away.
func snapshotsOf(node string) (s snapshots, err error) {
	if s.full, err = os.Stat(filepath.Join(node, fullSnapshot)); err != nil {
		return s, err
	}
	s.delta, err = os.Stat(filepath.Join(node, deltaSnapshot))
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if _, err := os.Stat(filepath.Join(node, deltaSnapshot+"_tmp")); err == nil {
		return s, errWriting
	}
	return s, nil
}

func unchanged(before, after fs.FileInfo) bool {
	if before == nil || after == nil {
		return before == nil && after == nil
	}
	return os.SameFile(before, after) && before.Size() == after.Size() && before.ModTime().Equal(after.ModTime())
}
