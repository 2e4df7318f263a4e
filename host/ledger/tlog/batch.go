package tlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// frontier is what the next batch needs of a tree: the roots of its complete
// subtrees and the time of its last leaf. It is good for the tree of this
// checkpoint and no other, so a batch that was not committed does no harm.
type frontier struct {
	tree   *signedTree
	hashes map[int64]merkle.Hash
	time   int64
}

// batch is a view that appends.
type batch struct {
	*view
	size   int64 // with the leaves of this batch
	time   int64 // of the last leaf, Unix milliseconds
	chains map[channel.ID]*chain
	fresh  map[channel.Hash]ledger.Entry // appended by this batch
	appended
}

// settled is a receipt with the committed tree that it is good under.
type settled struct {
	receipt ledger.Receipt
	tree    *signedTree
}

// A decision is what became of one message, before there is a checkpoint.
type decision struct {
	entry ledger.Entry
	err   error
}

// apply decides on messages in the order they came and signs one checkpoint for
// all that it appends. It runs in the store's transaction.
func (l *Log) apply(ctx context.Context, tx *sql.Tx, messages []channel.Message) ([]store.Result[settled], error) {
	b, err := l.batch(ctx, tx)
	if err != nil {
		return nil, err
	}
	if err := b.prefetch(messages); err != nil {
		return nil, err
	}
	decisions := make([]decision, len(messages))
	for i, m := range messages {
		if decisions[i], err = b.decide(m); err != nil {
			return nil, err
		}
	}
	if err := b.seal(); err != nil {
		return nil, err
	}
	results := make([]store.Result[settled], len(messages))
	for i, d := range decisions {
		results[i].Value.tree = b.tree
		if results[i].Err = d.err; d.err == nil {
			results[i].Value.receipt, results[i].Err = b.receipt(d.entry)
		}
	}
	return results, nil
}

// batch begins at the tree as it is under the write lock: other processes may
// have appended since this one did.
func (l *Log) batch(ctx context.Context, tx *sql.Tx) (*batch, error) {
	v, err := l.writingView(ctx, tx)
	if err != nil {
		return nil, err
	}
	if err := v.checkEnd(); err != nil {
		return nil, err
	}
	b := &batch{view: v, size: int64(v.tree.Size), chains: map[channel.ID]*chain{}, fresh: map[channel.Hash]ledger.Entry{}}
	b.heads = map[int64]int64{}
	if l.frontier.tree.is(v.tree.text) {
		v.hashes, b.time = maps.Clone(l.frontier.hashes), l.frontier.time
		return b, nil
	}
	if err := v.checkRoot(); err != nil || b.size == 0 {
		return b, err
	}
	last, err := v.leaves(v.tree.Size-1, 1)
	if err != nil {
		return nil, err
	}
	b.time = last[0].Time.UnixMilli()
	return b, nil
}

// decide finds the entry that a message is or becomes, or why it does not. Its
// second error fails the whole batch.
func (b *batch) decide(m channel.Message) (decision, error) {
	c, err := b.known(m.Channel())
	if err == nil && m.Number() < c.next {
		e, err := b.taken(m, c)
		return decision{e, err}, serious(err)
	}
	if err == nil {
		err = c.continues(m)
	}
	if err != nil {
		return decision{err: err}, serious(err)
	}
	e, err := b.append(m, c)
	return decision{entry: e}, err
}

// serious returns an error that is not about one message or one channel.
func serious(err error) error {
	if errors.Is(err, ledger.ErrUnavailable) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	return nil
}

// known returns a listed channel as this batch has it.
func (b *batch) known(id channel.ID) (*chain, error) {
	if c := b.chains[id]; c != nil {
		return c, nil
	}
	c, err := b.chain(id)
	if err == nil {
		b.chains[id] = c
	}
	return c, err
}

// continues reports whether m is the channel's next message.
func (c *chain) continues(m channel.Message) error {
	if c.next == 0 {
		return m.Check(m.Channel(), m.Mode(), 0, channel.Hash{})
	}
	head := c.head.Message
	return m.Check(head.Channel(), head.Mode(), c.next, head.Hash())
}

// taken returns the entry that holds m's number: m itself, or its winner as a
// *Conflict.
func (b *batch) taken(m channel.Message, c *chain) (ledger.Entry, error) {
	if e, ok := b.fresh[m.Hash()]; ok {
		return e, nil
	}
	e := c.head
	if m.Number() != c.next-1 {
		var err error
		if e, err = b.before(m, c); err != nil {
			return ledger.Entry{}, err
		}
	}
	if e.Message.Hash() != m.Hash() {
		return ledger.Entry{}, &ledger.Conflict{Winner: e}
	}
	return e, nil
}

// before returns the holder of m's number, which is not the head: of this batch
// or from the file.
func (b *batch) before(m channel.Message, c *chain) (ledger.Entry, error) {
	for _, e := range b.fresh {
		if e.Message.Channel() == m.Channel() && e.Message.Number() == m.Number() {
			return e, nil
		}
	}
	return b.message(c, int64(m.Number()))
}

// append adds the leaf of m, which is its channel's next message.
func (b *batch) append(m channel.Message, c *chain) (ledger.Entry, error) {
	now := max(b.log.o.Now().UnixMilli(), b.time)
	if now > channel.MaxUnixMilli {
		return ledger.Entry{}, fmt.Errorf("%w: clock says %d ms", ledger.ErrUnavailable, now)
	}
	e := ledger.Entry{Message: m, Time: time.UnixMilli(now).UTC(), Index: uint64(b.size)}
	return e, b.add(e, c)
}

// add adds the leaf of an entry, which is its channel's next one.
func (b *batch) add(e ledger.Entry, c *chain) error {
	m, ms := e.Message, e.Time.UnixMilli()
	leaf := ledger.Leaf{Time: e.Time, Stub: m.Stub()}
	hashes, err := merkle.StoredHashesForRecordHash(b.size, leaf.Hash(), b)
	if err != nil {
		return err
	}
	var joined []byte
	for _, h := range hashes {
		joined = append(joined, h[:]...)
	}
	payload := append([]byte{}, m.Payload()...) // never NULL
	b.entries = append(b.entries, []any{b.size, key(c.id), int64(m.Number()), ms, joined, m.Stub().Bytes(), payload})
	b.heads[key(c.id)] = b.size
	if m.Removed() {
		b.removed = append(b.removed, e)
	}
	b.keepHashes(b.size, joined)
	b.size, b.time = b.size+1, ms
	c.next, c.head = m.Number()+1, e
	b.fresh[m.Hash()] = e
	return nil
}

// seal signs the checkpoint of what was appended, and from then on proofs are
// made under it.
func (b *batch) seal() error {
	if uint64(b.size) == b.tree.Size {
		return nil
	}
	root, err := merkle.TreeHash(b.size, b)
	if err != nil {
		return err
	}
	c := ledger.Checkpoint{Origin: b.log.o.Origin, Size: uint64(b.size), Root: root}
	text, err := ledger.SignCheckpoint(c, b.log.o.Signer)
	if err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	if err := b.exec(b.stmts.setCheckpoint, text); err != nil {
		return err
	}
	b.tree = &signedTree{text, c}
	b.log.signed.Store(b.tree)
	b.log.frontier = frontier{b.tree, b.frontierHashes(), b.time}
	return nil
}

// frontierHashes returns the roots of the tree's complete subtrees.
func (b *batch) frontierHashes() map[int64]merkle.Hash {
	hashes := map[int64]merkle.Hash{}
	for level, size := 0, b.size; size > 0; level, size = level+1, size/2 {
		if size%2 == 1 {
			index := merkle.StoredHashIndex(level, size-1)
			hashes[index] = b.hashes[index]
		}
	}
	return hashes
}
