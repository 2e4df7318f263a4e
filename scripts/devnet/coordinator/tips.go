package main

import (
	"math/bits"
	"sync"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
)

// tipSet is the exact set of tips of the graph of blocks: those that enough nodes hold and that no other such block refers to.
// Together they refer to every block that enough nodes hold, so a milestone on them leaves none out.
//
// # Concurrency
//
// All methods may be called by several goroutines.
type tipSet struct {
	mu      sync.Mutex
	pending map[iotago.BlockID]*sighting // held by some node, not yet by enough
	open    map[iotago.BlockID]time.Time // the tips, and when each was first seen

	// what became of blocks: two generations, so that it is forgotten in time
	young, old map[iotago.BlockID]fate
	forgotten  time.Time
}

// sighting is a block that some nodes hold.
type sighting struct {
	parents iotago.BlockIDs
	nodes   uint64 // bit i: node i holds the block and all before it
	since   time.Time
}

type fate uint8

const (
	held    fate = 1 << iota // enough nodes hold it
	covered                  // a block that enough nodes hold refers to it
)

// memory is how long the fate of a block is remembered at least, and how long a block waits for a second node.
const memory = time.Minute

func newTipSet() *tipSet {
	return &tipSet{pending: map[iotago.BlockID]*sighting{}, open: map[iotago.BlockID]time.Time{}, young: map[iotago.BlockID]fate{}, old: map[iotago.BlockID]fate{}}
}

// saw notes that a node holds a block and everything before it.
func (t *tipSet) saw(node int, id iotago.BlockID, parents iotago.BlockIDs, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fate(id)&held != 0 {
		return
	}
	s := t.pending[id]
	if s == nil {
		s = &sighting{parents: parents, since: now}
		t.pending[id] = s
	}
	s.nodes |= 1 << node
}

// lost forgets what a node held: its database may be gone.
func (t *tipSet) lost(node int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, s := range t.pending {
		if s.nodes &^= 1 << node; s.nodes == 0 {
			delete(t.pending, id)
		}
	}
}

// tips are the tips among the blocks that at least quorum nodes hold.
func (t *tipSet) tips(quorum int, now time.Time) iotago.BlockIDs {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	for id, s := range t.pending {
		if bits.OnesCount64(s.nodes) >= quorum {
			delete(t.pending, id)
			t.hold(id, s.parents, s.since)
		}
	}
	all := make(iotago.BlockIDs, 0, len(t.open))
	for id := range t.open {
		all = append(all, id)
	}
	return all
}

// hold puts a block among the tips unless a later one is there already, in place of its parents.
func (t *tipSet) hold(id iotago.BlockID, parents iotago.BlockIDs, since time.Time) {
	before := t.fate(id)
	t.young[id] = before | held
	if before&covered == 0 {
		t.open[id] = since
	}
	for _, p := range parents {
		delete(t.open, p)
		t.young[p] = t.fate(p) | covered
	}
}

// aged reports whether a tip has been known for longer than that.
func (t *tipSet) aged(id iotago.BlockID, than time.Duration, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	since, ok := t.open[id]
	return ok && now.Sub(since) > than
}

// drop takes a block out: no node that is left knows it, or no milestone can or need take it in.
func (t *tipSet) drop(id iotago.BlockID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// waiting lists blocks that have waited longer than patience for enough nodes, with the nodes known to hold each.
func (t *tipSet) waiting(patience time.Duration, now time.Time) map[iotago.BlockID]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[iotago.BlockID]uint64{}
	for id, s := range t.pending {
		if now.Sub(s.since) > patience {
			all[id] = s.nodes
		}
	}
	return all
}

func (t *tipSet) fate(id iotago.BlockID) fate { return t.young[id] | t.old[id] }

// forget lets go of what is older than memory.
func (t *tipSet) forget(now time.Time) {
	if now.Sub(t.forgotten) < memory {
		return
	}
	t.forgotten = now
	t.old, t.young = t.young, map[iotago.BlockID]fate{}
	for id, s := range t.pending {
		if now.Sub(s.since) > memory {
			delete(t.pending, id)
		}
	}
}
