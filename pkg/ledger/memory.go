package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
)

// followBatch is the number of entries that Memory's Follow delivers at once at most.
const followBatch = 256

// Memory is a transparency log without a disk: a true tree, true checkpoints and
// proofs, gone with the process. It implements Ledger.
type Memory struct {
	origin string
	signer Signer
	now    func() time.Time

	mu       sync.RWMutex
	closed   bool
	entries  []Entry
	hashes   storedHashes
	channels map[channel.ID][]uint64 // indexes of each listed channel's entries
	grown    chan struct{}           // closed, and made anew, when entries grow or all ends
}

var _ Ledger = (*Memory)(nil)

// storedHashes are a tree's hashes in the order of tlog.StoredHashIndex.
type storedHashes []tlog.Hash

// ReadHashes returns the hashes at the indexes.
func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = s[index]
	}
	return hashes, nil
}

// NewMemory returns an empty log of this origin, which takes its time from now.
func NewMemory(origin string, signer Signer, now func() time.Time) *Memory {
	return &Memory{
		origin:   origin,
		signer:   signer,
		now:      now,
		channels: map[channel.ID][]uint64{},
		grown:    make(chan struct{}),
	}
}

// List admits channels to the log. To list one again changes nothing.
func (l *Memory) List(ctx context.Context, ids ...channel.ID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		if _, listed := l.channels[id]; !listed {
			l.channels[id] = nil
		}
	}
	return nil
}

// Info describes the log.
func (l *Memory) Info(ctx context.Context) (Info, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return Info{}, err
	}
	return Info{
		Kind:        "memory",
		Origin:      l.origin,
		VerifierKey: l.signer.VerifierKey(),
		Size:        uint64(len(l.entries)),
		MaxMessage:  channel.MaxMessage,
		Highest:     Final,
		Uniqueness:  "this process, under one lock",
		Retention:   "until this process ends",
		Finality:    "on return of Submit",
	}, nil
}

// Submit records m as Ledger says; the receipt is Final.
func (l *Memory) Submit(ctx context.Context, m channel.Message) (Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Receipt{}, err
	}
	if err := Whole(m); err != nil {
		return Receipt{}, err
	}
	indexes, listed := l.channels[m.Channel()]
	if !listed {
		return Receipt{}, fmt.Errorf("channel %s: %w", m.Channel(), ErrNotListed)
	}
	if m.Number() >= uint64(len(indexes)) {
		if err := l.checkNext(m, indexes); err != nil {
			return Receipt{}, err
		}
		if err := l.record(m); err != nil {
			return Receipt{}, err
		}
	}
	return l.receipt(m.Channel(), m.Number(), m.Hash())
}

// checkNext refuses a message that does not continue its channel.
func (l *Memory) checkNext(m channel.Message, indexes []uint64) error {
	if len(indexes) == 0 {
		return m.Check(m.Channel(), m.Mode(), 0, channel.Hash{})
	}
	head := l.entries[indexes[len(indexes)-1]].Message
	return m.Check(head.Channel(), head.Mode(), head.Number()+1, head.Hash())
}

// record adds the entry of m at the end of the log.
func (l *Memory) record(m channel.Message) error {
	entry := Entry{Message: m, Time: l.logTime(), Index: uint64(len(l.entries))}
	leaf := Leaf{entry.Time, m.Stub()}
	hashes, err := tlog.StoredHashesForRecordHash(int64(entry.Index), leaf.Hash(), l.hashes)
	if err != nil {
		return fmt.Errorf("adding leaf %d: %w", entry.Index, err)
	}
	l.hashes = append(l.hashes, hashes...)
	l.entries = append(l.entries, entry)
	l.channels[m.Channel()] = append(l.channels[m.Channel()], entry.Index)
	l.wake()
	return nil
}

// logTime returns the time of the next entry, which is never before the last one's.
func (l *Memory) logTime() time.Time {
	t := l.now().Truncate(time.Millisecond).UTC()
	if n := len(l.entries); n > 0 && t.Before(l.entries[n-1].Time) {
		return l.entries[n-1].Time
	}
	return t
}

// receipt returns the receipt of message n of a channel, or *Conflict when that is
// not the message with this hash.
func (l *Memory) receipt(id channel.ID, n uint64, hash channel.Hash) (Receipt, error) {
	entry, err := l.entry(id, n)
	if err != nil {
		return Receipt{}, err
	}
	if entry.Message.Hash() != hash {
		return Receipt{}, &Conflict{Winner: entry}
	}
	proof, err := l.prove(entry)
	if err != nil {
		return Receipt{}, err
	}
	return entry.Receipt(l.origin, Final, proof), nil
}

// Await returns the receipt of a recorded message; nothing here takes time.
func (l *Memory) Await(ctx context.Context, r Receipt, phase Phase) (Receipt, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return Receipt{}, err
	}
	if phase > Final {
		return Receipt{}, fmt.Errorf("awaiting %s in memory: %w", phase, ErrNoPhase)
	}
	return l.receipt(r.Channel, r.Number, r.Hash)
}

// Head returns the newest message of a channel.
func (l *Memory) Head(ctx context.Context, id channel.ID) (Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return Entry{}, err
	}
	n := len(l.channels[id])
	if n == 0 {
		return Entry{}, fmt.Errorf("channel %s: %w", id, ErrNoChannel)
	}
	return l.entry(id, uint64(n-1))
}

// Range returns messages of a channel in order.
func (l *Memory) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	indexes := l.channels[id]
	if len(indexes) == 0 {
		return nil, fmt.Errorf("channel %s: %w", id, ErrNoChannel)
	}
	indexes = indexes[min(from, uint64(len(indexes))):]
	var entries []Entry
	for _, index := range indexes[:min(max(n, 0), len(indexes))] {
		entries = append(entries, l.entries[index])
	}
	return entries, nil
}

// Remove takes the payload of message n of a channel away for good, unless the
// message is the channel's newest: ErrKept. The message stays in its place, and every proof of
// it holds. It returns ErrNoChannel or ErrNoMessage; to remove again changes nothing.
func (l *Memory) Remove(ctx context.Context, id channel.ID, n uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	entry, err := l.entry(id, n)
	if err != nil {
		return err
	}
	if n == uint64(len(l.channels[id])-1) {
		return fmt.Errorf("newest message of channel %s: %w", id, ErrKept)
	}
	l.entries[entry.Index].Message = channel.Tombstone(entry.Message.Stub())
	return nil
}

// Prove returns a proof of message n of a channel.
func (l *Memory) Prove(ctx context.Context, id channel.ID, n uint64) (Proof, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return Proof{}, err
	}
	entry, err := l.entry(id, n)
	if err != nil {
		return Proof{}, err
	}
	return l.prove(entry)
}

// entry returns message n of a channel.
func (l *Memory) entry(id channel.ID, n uint64) (Entry, error) {
	indexes := l.channels[id]
	switch {
	case len(indexes) == 0:
		return Entry{}, fmt.Errorf("channel %s: %w", id, ErrNoChannel)
	case n >= uint64(len(indexes)):
		return Entry{}, fmt.Errorf("message %d of channel %s: %w", n, id, ErrNoMessage)
	}
	return l.entries[indexes[n]], nil
}

// prove signs a checkpoint of the tree as it is and proves the entry under it.
func (l *Memory) prove(e Entry) (Proof, error) {
	size := uint64(len(l.entries))
	root, err := tlog.TreeHash(int64(size), l.hashes)
	if err != nil {
		return Proof{}, fmt.Errorf("root of %d leaves: %w", size, err)
	}
	checkpoint, err := SignCheckpoint(Checkpoint{l.origin, size, root}, l.signer)
	if err != nil {
		return Proof{}, err
	}
	return NewLogProof(Leaf{e.Time, e.Message.Stub()}, e.Index, size, checkpoint, l.hashes)
}

// Follow delivers the log from a position on as Ledger says. It waits without polling.
func (l *Memory) Follow(ctx context.Context, from Position, fn func([]Entry, Position) error) error {
	quiet := false // fn has been told that nothing more is there
	for {
		batch, grown, err := l.after(ctx, from)
		if err != nil {
			return err
		}
		if len(batch) == 0 && quiet {
			select {
			case <-ctx.Done():
			case <-grown:
			}
			continue
		}
		from.Index += uint64(len(batch))
		if err := fn(batch, from); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
		quiet = len(batch) == 0
	}
}

// after returns the entries after a position, and what is closed when there are more.
func (l *Memory) after(ctx context.Context, from Position) ([]Entry, <-chan struct{}, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return nil, nil, err
	}
	size := uint64(len(l.entries))
	if from.Index > size {
		return nil, nil, fmt.Errorf("position %s of %d: %w", from, size, ErrNoPosition)
	}
	end := min(from.Index+followBatch, size)
	return slices.Clone(l.entries[from.Index:end]), l.grown, nil
}

// Close ends the log.
func (l *Memory) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.wake()
	}
	return nil
}

// wake lets every Follow look again.
func (l *Memory) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *Memory) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed {
		return fmt.Errorf("ledger is closed: %w", ErrUnavailable)
	}
	return nil
}
