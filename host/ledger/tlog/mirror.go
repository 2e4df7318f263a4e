package tlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// ErrBreach says that a log recorded what no log of messages may: a number out of
// turn, another history of a channel, time that goes back.
var ErrBreach = errors.New("log recorded what it must not")

// ErrNoCheckpoint says that a copy has nothing of its log yet. It comes with
// ledger.ErrUnavailable.
var ErrNoCheckpoint = errors.New("copy has no checkpoint yet")

// Mirror is a copy of a log that another key signs: leaves and checkpoints as they
// are. It is read like the log itself, and takes no messages of its own (ErrReadOnly).
type Mirror struct {
	*Log
	appending sync.Mutex
}

// MirrorOptions say whose log is copied.
type MirrorOptions struct {
	Key ledger.LogKey
	// Witnesses and Quorum are as in Options.
	Witnesses []string
	Quorum    int
	// Hook, when set, observes the goroutine that writes: see store.Options.
	Hook func(point string)
}

// OpenMirror opens the copy in a database, which is named as for store.Open, or makes
// it. Errors: as those of Open.
func OpenMirror(ctx context.Context, name string, o MirrorOptions) (*Mirror, error) {
	l, err := newLog(Options{Origin: o.Key.Origin, Witnesses: o.Witnesses, Quorum: o.Quorum, Hook: o.Hook}, o.Key.Key)
	if err != nil {
		return nil, err
	}
	if l.db, err = store.Open(ctx, name, store.Options{Migrations: migrations, Schema: schema, Hook: o.Hook}); err != nil {
		return nil, fmt.Errorf("opening mirror of log %q: %w", l.o.Origin, err)
	}
	l.mirror = true
	err = l.db.Update(ctx, l.foundMirror(ctx))
	if err == nil {
		err = l.beginReading(ctx)
	}
	if err == nil {
		err = l.prepareWriting(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening mirror of log %q in %s: %w", l.o.Origin, store.Name(name), err), l.db.Close())
	}
	return &Mirror{Log: l}, nil
}

// foundMirror gives a new copy its one row. It has no checkpoint yet: the empty tree's
// is the log's to sign.
func (l *Log) foundMirror(ctx context.Context) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO log SELECT 1, $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM log) AND NOT EXISTS (SELECT 1 FROM entry)",
			l.o.Origin, l.key, []byte{})
		return err
	}
}

// emptyTree is what a copy begins with.
func emptyTree(origin string) (*signedTree, error) {
	root, err := merkle.TreeHash(0, nil)
	return &signedTree{Checkpoint: ledger.Checkpoint{Origin: origin, Root: root}}, err
}

// Append makes the copy what the log is under a checkpoint: in one transaction, durable
// on return, or not at all. next is asked for the entries behind those that are there,
// batch by batch, until the checkpoint's size is reached.
//
// Errors: ErrBreach when an entry has no place in its channel or in time; ErrForked
// when what was there and what came do not give the checkpoint's root; ErrRolledBack
// for a checkpoint of less than is there; ledger.ErrInvalidProof for one that the log
// did not sign; next's own.
func (m *Mirror) Append(ctx context.Context, checkpoint []byte, next func() ([]ledger.Entry, error)) error {
	if err := m.usable(); err != nil {
		return err
	}
	c, err := ledger.ParseCheckpoint(checkpoint, m.o.Origin, m.verifier)
	if err != nil {
		return err
	}
	m.appending.Lock()
	defer m.appending.Unlock()
	var refused error
	err = m.db.Update(ctx, func(tx *sql.Tx) error {
		b, err := m.batch(ctx, tx)
		if err == nil {
			err = (&copier{b, map[channel.ID]tail{}}).run(&signedTree{checkpoint, c}, next)
		}
		refused = err
		return err
	})
	if refused == nil {
		refused = outcome(err)
	}
	if refused != nil {
		return fmt.Errorf("copying log %q up to %d: %w", m.o.Origin, c.Size, refused)
	}
	m.wake()
	return nil
}

// copier is a batch that takes another's leaves.
type copier struct {
	*batch
	tails map[channel.ID]tail
}

// tail is the end of a channel: what its next message must fit. A large copy has very
// many.
type tail struct {
	next uint64
	prev channel.Hash
	mode channel.Mode
}

// run appends entries until the tree is as large as the signed one, which it must be
// then.
func (b *copier) run(t *signedTree, next func() ([]ledger.Entry, error)) error {
	if t.Size < b.tree.Size {
		return fmt.Errorf("%w: %w: it shows %d messages of %d", ledger.ErrUnavailable, ErrRolledBack, t.Size, b.tree.Size)
	}
	for uint64(b.size) < t.Size {
		entries, err := next()
		if err != nil {
			return err
		}
		if len(entries) == 0 || uint64(len(entries)) > t.Size-uint64(b.size) {
			return fmt.Errorf("%d entries behind %d of %d: %w", len(entries), b.size, t.Size, ledger.ErrNoPosition)
		}
		for _, e := range entries {
			if err := b.copy(e); err != nil {
				return err
			}
		}
		if err := b.flush(); err != nil {
			return err
		}
		b.hashes = b.frontierHashes() // all that what comes needs
		clear(b.fresh)
	}
	root, err := merkle.TreeHash(b.size, b)
	if err != nil {
		return err
	}
	if root != t.Root {
		return forked(b.tree)
	}
	if err := b.exec(b.stmts.setCheckpoint, t.text); err != nil {
		return err
	}
	b.log.frontier = frontier{t, b.frontierHashes(), b.time}
	return nil
}

// copy adds an entry as the log has it, when it is what a log may record there.
func (b *copier) copy(e ledger.Entry) error {
	m, ms := e.Message, e.Time.UnixMilli()
	if e.Index != uint64(b.size) || m.IsZero() || ms < 0 || ms > channel.MaxUnixMilli {
		return fmt.Errorf("entry %d where %d must stand: %w", e.Index, b.size, ledger.ErrNoPosition)
	}
	if ms < b.time {
		return fmt.Errorf("leaf %d: %w: it is of an earlier time than the leaf before it", e.Index, ErrBreach)
	}
	t, err := b.tail(m)
	if err != nil {
		return err
	}
	if err := m.Check(m.Channel(), t.mode, t.next, t.prev); err != nil {
		return fmt.Errorf("leaf %d: %w: %w", e.Index, ErrBreach, err)
	}
	b.tails[m.Channel()] = tail{m.Number() + 1, m.Hash(), m.Mode()}
	return b.add(e, &chain{id: m.Channel()})
}

// tail returns the end of a message's channel. Whom a log lists is its own affair.
func (b *copier) tail(m channel.Message) (tail, error) {
	id := m.Channel()
	if t, ok := b.tails[id]; ok {
		return t, nil
	}
	c, err := b.chain(id)
	if errors.Is(err, ledger.ErrNotListed) {
		return tail{mode: m.Mode()}, b.exec(b.stmts.list, key(id), id[:])
	}
	if err != nil {
		return tail{}, err
	}
	if c.next == 0 {
		return tail{mode: m.Mode()}, nil
	}
	return tail{c.next, c.head.Message.Hash(), c.head.Message.Mode()}, nil
}
