package tlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/productid/productid/pkg/ledger"
)

// What a log can be, seen from a checkpoint that it signed earlier. Both come with
// ledger.ErrUnavailable: nothing was written, and nothing is answered.
var (
	// ErrRolledBack says that the log is shorter than the checkpoint: an old copy
	// was put back, or its end was cut off.
	ErrRolledBack = errors.New("log is shorter than it was")
	// ErrForked says that the log has other leaves than those of the checkpoint: two
	// histories were signed with one key.
	ErrForked = errors.New("log is not the one that was seen before")
	// ErrNoGuard says that the guard's file is missing and the log is not new. With
	// Options.AdoptGuard the log as it is becomes what is guarded.
	ErrNoGuard = errors.New("log's guard is missing")
)

// Points beside those of package store that Options.Hook is called with, by the
// goroutine that writes the guard.
const (
	// PointGuarding is after the commit and before the guard is written.
	PointGuarding = "guard to be written"
	// PointGuarded is after the guard was synced and before any answer.
	PointGuarded = "guard written"
)

// guard keeps the newest checkpoint also outside the database. The file is written
// after the commit, so it is never ahead of the log, and before the answers, so it
// is never behind what somebody was told: a log that is behind its guard has lost
// what was answered. A nil guard guards nothing.
//
// It is written beside the next batch's transaction and not inside it, once for all
// that wait: the two syncs overlap.
type guard struct {
	log  *Log
	file guardFile
	turn chan struct{} // holds one when somebody writes

	mu     sync.Mutex
	newest *signedTree // what this process knows of
	passed *signedTree // was in the file, and is the beginning of newest
	kept   *signedTree // it, or a later one, is synced in the file; nil after a failure
}

// openGuard opens the guard's file, compares the log with it and brings it up to the
// log. A log without leaves gets one.
func (l *Log) openGuard(ctx context.Context) error {
	f, err := os.OpenFile(l.o.Guard, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.adoptGuard(ctx); err == nil {
			f, err = os.OpenFile(l.o.Guard, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return fmt.Errorf("opening the log's guard: %w", err)
	}
	l.guard = &guard{log: l, file: guardFile{f}, turn: make(chan struct{}, 1)}
	var now *signedTree
	err = l.read(ctx, func(v *view) error {
		now = v.tree
		return nil
	})
	if err != nil {
		return err
	}
	return l.guard.keep(ctx, now)
}

// adoptGuard makes a guard of the log as it is.
func (l *Log) adoptGuard(ctx context.Context) error {
	return l.read(ctx, func(v *view) error {
		if v.tree.Size > 0 && !l.o.AdoptGuard {
			return fmt.Errorf("%s: %w", l.o.Guard, ErrNoGuard)
		}
		err := createGuard(l.o.Guard, v.tree.text)
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return nil
		}
		return err
	})
}

// bar is what a log must begin with: the newest tree that this process knows of, and
// the one in the file unless that is known to be the beginning of it.
type bar struct{ newest, written *signedTree }

// bar reads the file. Whoever asks before his transaction begins knows that it sees
// both trees in a log that is whole.
func (g *guard) bar() (bar, error) {
	if g == nil {
		return bar{}, nil
	}
	g.mu.Lock()
	b, passed := bar{newest: g.newest}, g.passed
	g.mu.Unlock()
	s, err := g.file.read()
	if err != nil {
		return bar{}, unreadable(err)
	}
	text, err := s.newest()
	if err != nil {
		return bar{}, unreadable(err)
	}
	if passed.is(text) {
		return b, nil
	}
	c, err := ledger.ParseCheckpoint(text, g.log.o.Origin, g.log.verifier)
	if err != nil {
		return bar{}, unreadable(fmt.Errorf("%w: %w", err, ErrBadGuard))
	}
	b.written = &signedTree{text, c}
	return b, nil
}

func unreadable(err error) error { return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err) }

// passes reports whether the log in this view begins with what it must.
func (g *guard) passes(v *view, b bar) error {
	if g == nil {
		return nil
	}
	for _, t := range []*signedTree{b.newest, b.written} {
		if err := v.extends(t); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.learn(v.tree)
	if b.written != nil {
		g.passed = b.written
	}
	return nil
}

// learn makes a committed tree the newest, if it is. The caller holds mu.
func (g *guard) learn(t *signedTree) {
	if g.newest == nil || t.Size > g.newest.Size {
		g.newest = t
	}
}

// keep returns when the file holds this committed tree, or a later one, and is
// synced. Errors: ctx's, and those of the file; then the next batch tries again.
func (g *guard) keep(ctx context.Context, t *signedTree) error {
	if g == nil {
		return nil
	}
	if _, done := g.want(t); done {
		return nil
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	newest, done := g.want(t) // perhaps whoever had the turn has done it
	if done {
		return nil
	}
	g.log.hook(PointGuarding)
	if err := g.write(ctx, newest); err != nil {
		return fmt.Errorf("keeping checkpoint %d: %w", newest.Size, err)
	}
	g.log.hook(PointGuarded)
	return nil
}

// want says what is to be in the file, and whether that, or enough, is.
func (g *guard) want(t *signedTree) (newest *signedTree, done bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.learn(t)
	return g.newest, g.kept != nil && g.kept.Size >= t.Size
}

// write brings the file up to a tree, unless another process has done more. It is
// for whoever has the turn.
func (g *guard) write(ctx context.Context, t *signedTree) (err error) {
	if err := g.file.lock(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(g.file.File)) }()
	s, err := g.file.read()
	if err != nil {
		return err
	}
	text, err := s.newest()
	if err != nil {
		return err
	}
	size, err := sizeOf(text)
	if err != nil {
		return err
	}
	switch {
	case size < t.Size:
		err = g.file.write(&s, t.text)
	case g.kept == nil: // perhaps not on the disk, and a sync that failed once says nothing of it the next time
		err = g.file.write(&s, text)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.kept = nil
		return err
	}
	g.kept = t
	if size < t.Size {
		g.passed = t
	}
	return nil
}

// mend brings the file up to a committed tree where the last writing failed: until
// that succeeds nothing more is written.
func (g *guard) mend(ctx context.Context, t *signedTree) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	whole := g.kept != nil
	g.mu.Unlock()
	if whole {
		return nil
	}
	if err := g.keep(ctx, t); err != nil {
		return unreadable(err)
	}
	return nil
}

// close brings the file up to what this process has read, and closes it.
func (g *guard) close() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	newest := g.newest
	g.mu.Unlock()
	var err error
	if newest != nil {
		err = g.keep(context.Background(), newest)
	}
	return errors.Join(err, g.release())
}

// release closes the file as it is.
func (g *guard) release() error {
	if g == nil {
		return nil
	}
	return g.file.Close()
}
