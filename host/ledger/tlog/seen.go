package tlog

import (
	"sync"

	"github.com/productid/productid/pkg/ledger"
)

// seenEntries bounds each of the two generations of seen.
const seenEntries = 16384

// seen keeps entries that were verified, so that a row with the same bytes need
// not be verified again: an Ed25519 check and a walk up the tree for each head
// would take more time than the rest of a tap. Safe for concurrent use.
type seen struct {
	mu         sync.Mutex
	young, old map[uint64]ledger.Entry // by index
}

func newSeen() *seen { return &seen{young: map[uint64]ledger.Entry{}} }

// get returns the entry of a row that was verified with exactly these bytes.
func (s *seen) get(r row) (ledger.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := uint64(r.leaf)
	e, ok := s.young[index]
	if !ok {
		if e, ok = s.old[index]; ok {
			s.keep(e)
		}
	}
	if !ok || !r.equal(e) {
		return ledger.Entry{}, false
	}
	return e, true
}

// put takes a verified entry.
func (s *seen) put(e ledger.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(e)
}

// keep forgets what was not asked for since the last full generation.
func (s *seen) keep(e ledger.Entry) {
	if len(s.young) >= seenEntries {
		s.young, s.old = map[uint64]ledger.Entry{}, s.young
	}
	s.young[e.Index] = e
}
