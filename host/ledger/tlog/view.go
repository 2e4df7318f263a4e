package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// A view is the log inside one transaction: nothing changes while it is looked
// at. It reads the tree's hashes as a merkle.HashReader.
type view struct {
	ctx    context.Context
	log    *Log
	tx     *sql.Tx
	stmts  *statements
	tree   *signedTree
	last   int64                 // leaf in the file
	hashes map[int64]merkle.Hash // those read or made already
	// committed says that the tree will not be taken back: it is not that of a
	// batch in hand.
	committed bool
}

// read runs fn on the log as it is now, when the file ends where its checkpoint
// does and the guard lets it pass.
func (l *Log) read(ctx context.Context, fn func(*view) error) error {
	if err := l.usable(); err != nil {
		return err
	}
	bar, err := l.guard.bar()
	if err != nil {
		return err
	}
	return l.snapshot(ctx, func(v *view) error {
		if err := v.checkEnd(); err != nil {
			return err
		}
		if err := l.guard.passes(v, bar); err != nil {
			return err
		}
		return fn(v)
	})
}

// writingView is the log under the write lock, when the guard lets it pass: what
// another process has answered is in it.
func (l *Log) writingView(ctx context.Context, tx *sql.Tx) (*view, error) {
	if reason := l.halted.Load(); reason != nil {
		return nil, *reason
	}
	bar, err := l.guard.bar()
	if err != nil {
		return nil, err
	}
	v, err := l.view(ctx, tx, l.writing)
	if err != nil {
		return nil, err
	}
	if err := l.guard.passes(v, bar); err != nil {
		return nil, err
	}
	return v, l.guard.mend(ctx, v.tree)
}

// checkEnd reports whether the file's last leaf is the checkpoint's.
func (v *view) checkEnd() error {
	if uint64(v.last+1) != v.tree.Size {
		return corrupt("last leaf is %d under a checkpoint of %d", v.last, v.tree.Size)
	}
	return nil
}

// snapshot runs fn on the file as it is now.
func (l *Log) snapshot(ctx context.Context, fn func(*view) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.usable(); err != nil {
		return err
	}
	tx, err := l.db.Read().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return unavailable(ctx, err)
	}
	defer tx.Rollback() // nothing to keep
	v, err := l.view(ctx, tx, l.reading)
	if err != nil {
		return err
	}
	v.committed = true
	return fn(v)
}

func (l *Log) view(ctx context.Context, tx *sql.Tx, stmts *statements) (*view, error) {
	v := &view{ctx: ctx, log: l, tx: tx, stmts: stmts, hashes: map[int64]merkle.Hash{}}
	var text []byte
	err := v.one(stmts.checkpoint, nil, &text, &v.last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoLog
	}
	if err != nil {
		return nil, err
	}
	if v.tree, err = l.open(text); err != nil {
		return nil, err
	}
	return v, nil
}

// unavailable says why a query had no answer.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err = store.Explain(err); errors.Is(err, store.ErrCorrupt) {
		return corrupt("%w", err)
	}
	return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
}

// one reads the one row that a statement selects, or returns sql.ErrNoRows. A
// value of another type than this log writes is damage.
func (v *view) one(stmt *sql.Stmt, args []any, into ...any) error {
	rows, err := v.tx.StmtContext(v.ctx, stmt).QueryContext(v.ctx, args...)
	if err != nil {
		return unavailable(v.ctx, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return unavailable(v.ctx, err)
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(into...); err != nil {
		return corrupt("%w", err)
	}
	return nil
}

func (v *view) exec(stmt *sql.Stmt, args ...any) error {
	if _, err := v.tx.StmtContext(v.ctx, stmt).ExecContext(v.ctx, args...); err != nil {
		return unavailable(v.ctx, err)
	}
	return nil
}

// rows runs a statement that selects rowColumns.
func (v *view) rows(stmt *sql.Stmt, args ...any) ([]row, error) {
	found, err := v.tx.StmtContext(v.ctx, stmt).QueryContext(v.ctx, args...)
	if err != nil {
		return nil, unavailable(v.ctx, err)
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var r row
		if err := r.scan(found); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, unavailable(v.ctx, err)
	}
	return rows, nil
}

// chain is a listed channel.
type chain struct {
	id   channel.ID
	next uint64       // how many messages it has
	head ledger.Entry // zero where next is 0
}

// key returns the number that stands for a channel in the file: the beginning of
// the author's key, without its last bit to be positive.
func key(id channel.ID) int64 { return int64(binary.BigEndian.Uint64(id[:8]) >> 1) }

// chain returns a listed channel with its verified head. Channel and entry each
// say which message is the newest, and must agree.
func (v *view) chain(id channel.ID) (*chain, error) {
	c := &chain{id: id}
	var author []byte
	var head, newest int64
	if err := v.one(v.stmts.head, []any{key(id)}, &author, &head, &newest); err != nil {
		return nil, err
	}
	switch {
	case author == nil && newest < 0:
		return nil, fmt.Errorf("channel %s: %w", id, ledger.ErrNotListed)
	case !bytes.Equal(author, id[:]):
		return nil, corrupt("channel row %d is not that of channel %s", key(id), id)
	case head < 0 && newest < 0:
		return c, nil
	}
	var err error
	if c.head, err = v.message(c, newest); err != nil {
		return nil, err
	}
	if int64(c.head.Index) != head {
		return nil, corrupt("newest message of channel %s is leaf %d, not %d", id, c.head.Index, head)
	}
	c.next = c.head.Message.Number() + 1
	return c, nil
}

// message returns a message that the channel must have.
func (v *view) message(c *chain, number int64) (ledger.Entry, error) {
	entries, err := v.messages(c, number, 1)
	if err == nil && len(entries) == 0 {
		err = corrupt("message %d of channel %s is missing", number, c.id)
	}
	if err != nil {
		return ledger.Entry{}, err
	}
	return entries[0], nil
}

// messages returns up to n messages of a channel, in order and without gap.
func (v *view) messages(c *chain, from int64, n int) ([]ledger.Entry, error) {
	rows, err := v.rows(v.stmts.numbers, key(c.id), from, n)
	if err != nil {
		return nil, err
	}
	var entries []ledger.Entry
	for i, r := range rows {
		e, err := v.entry(r)
		if err != nil {
			return nil, err
		}
		if m := e.Message; m.Channel() != c.id || m.Number() != uint64(from)+uint64(i) {
			return nil, corrupt("leaf %d is message %d of channel %s, not %d of %s", r.leaf, m.Number(), m.Channel(), from+int64(i), c.id)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// entry verifies a row: the author's signature, the payload, and that the
// checkpoint covers it with this index and time.
func (v *view) entry(r row) (ledger.Entry, error) {
	if e, ok := v.log.seen.get(uint64(r.leaf)); ok && r.equal(e) {
		return e, nil
	}
	m, err := r.message(v.log)
	if err != nil {
		return ledger.Entry{}, err
	}
	e := ledger.Entry{Message: m, Time: time.UnixMilli(r.time).UTC(), Index: uint64(r.leaf)}
	if err := v.checkLeaf(e); err != nil {
		return ledger.Entry{}, err
	}
	v.log.seen.put(e.Index, e)
	return e, nil
}

// checkLeaf walks from an entry's leaf to the checkpoint's root, and returns
// ErrCorrupt when it does not get there.
func (v *view) checkLeaf(e ledger.Entry) error { return v.checkUnder(v.tree, e) }

// checkUnder is checkLeaf for a checkpoint of this log that may be older.
func (v *view) checkUnder(t *signedTree, e ledger.Entry) error {
	if e.Index >= t.Size {
		return corrupt("leaf %d is outside the tree of %d", e.Index, t.Size)
	}
	var nodes []int64
	path, err := merkle.ProveRecord(int64(t.Size), int64(e.Index), merkle.HashReaderFunc(func(indexes []int64) ([]merkle.Hash, error) {
		nodes = indexes
		return v.ReadHashes(indexes)
	}))
	if err != nil {
		return err
	}
	leaf := ledger.Leaf{Time: e.Time, Stub: e.Message.Stub()}
	if err := merkle.CheckRecord(path, int64(t.Size), t.Root, int64(e.Index), leaf.Hash()); err != nil {
		return corrupt("leaf %d is not under the checkpoint of %d: %w", e.Index, t.Size, err)
	}
	if v.committed {
		for _, index := range nodes {
			v.log.nodes.put(index, v.hashes[index])
		}
	}
	return nil
}

// receipt returns the receipt of a verified entry, with its proof.
func (v *view) receipt(e ledger.Entry) (ledger.Receipt, error) {
	return v.receiptUnder(v.tree, e, ledger.Final)
}

// receiptUnder returns the receipt with a proof under this checkpoint of the log.
func (v *view) receiptUnder(t *signedTree, e ledger.Entry, phase ledger.Phase) (ledger.Receipt, error) {
	if err := v.checkUnder(t, e); err != nil {
		return ledger.Receipt{}, err
	}
	leaf := ledger.Leaf{Time: e.Time, Stub: e.Message.Stub()}
	proof, err := ledger.NewLogProof(leaf, e.Index, t.Size, t.text, v)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return e.Receipt(v.log.o.Origin, phase, proof), nil
}

// errNoLog is of a file whose log was taken away.
var errNoLog = corrupt("row of the log is missing")

// checkRoot reports whether the file's hashes give the checkpoint's root.
func (v *view) checkRoot() error {
	root, err := merkle.TreeHash(int64(v.tree.Size), v)
	if err != nil {
		return err
	}
	if root != v.tree.Root {
		return corrupt("hashes of %d leaves do not give the checkpoint's root", v.tree.Size)
	}
	return nil
}

// ReadHashes returns the tree's hashes at the indexes of merkle.StoredHashIndex.
func (v *view) ReadHashes(indexes []int64) ([]merkle.Hash, error) {
	hashes := make([]merkle.Hash, len(indexes))
	for i, index := range indexes {
		h, ok := v.hashes[index]
		if !ok && v.committed {
			if h, ok = v.log.nodes.get(index); ok {
				v.hashes[index] = h
			}
		}
		if !ok {
			level, n := merkle.SplitStoredHashIndex(index)
			if err := v.readHashesOf((n+1)<<level - 1); err != nil {
				return nil, err
			}
			h = v.hashes[index]
		}
		hashes[i] = h
	}
	return hashes, nil
}

// readHashesOf reads the hashes that stand in the row of a leaf.
func (v *view) readHashesOf(leaf int64) error {
	var b []byte
	err := v.one(v.stmts.hashes, []any{leaf}, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return corrupt("leaf %d is missing", leaf)
	}
	if err != nil {
		return err
	}
	if len(b) != hashesOf(leaf)*merkle.HashSize {
		return corrupt("leaf %d has %d bytes of hashes", leaf, len(b))
	}
	v.keepHashes(leaf, b)
	return nil
}

// keepHashes takes the hashes of a leaf's row, which stand side by side in
// merkle's order too.
func (v *view) keepHashes(leaf int64, b []byte) {
	index := merkle.StoredHashIndex(0, leaf)
	for level := range len(b) / merkle.HashSize {
		v.hashes[index+int64(level)] = merkle.Hash(b[level*merkle.HashSize:])
	}
}
