package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
)

var begin = time.Unix(1_700_000_000, 0)

func id(n byte) iotago.BlockID { return iotago.BlockID{n} }

func ids(all ...byte) (list iotago.BlockIDs) {
	for _, n := range all {
		list = append(list, id(n))
	}
	return list
}

// wantTips compares sets.
func wantTips(t *testing.T, got iotago.BlockIDs, want ...byte) {
	t.Helper()
	var found []byte
	for _, g := range got {
		found = append(found, g[0])
	}
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("tips %v, want %v", found, want)
	}
}

func TestTipsAreTheBlocksNobodyRefersTo(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(1), nil, begin)
	s.saw(0, id(2), ids(1), begin)
	s.saw(0, id(3), ids(1), begin)
	wantTips(t, s.tips(1, begin), 2, 3)
	s.saw(0, id(4), ids(2, 3), begin)
	wantTips(t, s.tips(1, begin), 4)
}

func TestTipsHeardOfBackwardsAreTheSame(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(4), ids(2, 3), begin)
	wantTips(t, s.tips(1, begin), 4)
	s.saw(0, id(3), ids(1), begin)
	s.saw(0, id(2), ids(1), begin)
	s.saw(0, id(1), nil, begin)
	wantTips(t, s.tips(1, begin), 4)
}

func TestBlockWaitsForTwoNodes(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(1), nil, begin)
	s.saw(1, id(1), nil, begin)
	s.saw(0, id(2), ids(1), begin)
	wantTips(t, s.tips(2, begin), 1)
	s.saw(0, id(2), ids(1), begin) // the same node again is no second one
	wantTips(t, s.tips(2, begin), 1)
	s.saw(2, id(2), ids(1), begin)
	wantTips(t, s.tips(2, begin), 2)
}

func TestBlockOfALostNodeIsForgotten(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(1), nil, begin)
	s.saw(1, id(2), nil, begin)
	s.saw(0, id(3), nil, begin)
	s.saw(1, id(3), nil, begin)
	s.lost(0)
	wantTips(t, s.tips(1, begin), 2, 3) // one node is left: what it holds is enough
}

func TestOldBlocksThatComeAgainAreNoTips(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(1), nil, begin)
	s.saw(0, id(2), ids(1), begin)
	wantTips(t, s.tips(1, begin), 2)
	s.saw(1, id(1), nil, begin) // a node that follows later
	s.saw(1, id(2), ids(1), begin)
	wantTips(t, s.tips(1, begin.Add(memory/2)), 2)
}

func TestDroppedTipIsGone(t *testing.T) {
	s := newTipSet()
	s.saw(0, id(1), nil, begin)
	wantTips(t, s.tips(1, begin), 1)
	s.drop(id(1))
	wantTips(t, s.tips(1, begin))
}

func TestWaitingNamesWhoHoldsABlock(t *testing.T) {
	s := newTipSet()
	s.saw(1, id(1), nil, begin)
	if w := s.waiting(time.Second, begin.Add(time.Second)); len(w) != 0 {
		t.Errorf("%v waits too early", w)
	}
	if w := s.waiting(time.Second, begin.Add(2*time.Second)); w[id(1)] != 1<<1 {
		t.Errorf("waiting: %v", w)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := newTipSet()
	now := begin
	last := byte(0)
	for round := range 200 {
		next := byte(1 + round%250)
		s.saw(0, id(next), ids(last), now)
		s.saw(1, iotago.BlockID{next, 1}, nil, now) // never on a second node
		s.tips(2, now)
		s.saw(1, id(next), ids(last), now)
		s.tips(2, now)
		last, now = next, now.Add(memory/4)
	}
	if n := len(s.young) + len(s.old) + len(s.pending); n > 40 {
		t.Errorf("%d blocks are remembered", n)
	}
}

// TestNothingIsLeftOut: whatever the order and whichever nodes tell, the tips lead to every block that two nodes hold.
func TestNothingIsLeftOut(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		const blocks = 60
		parents := map[byte][]byte{}
		type sight struct{ node, block byte }
		var all []sight
		for b := byte(1); b <= blocks; b++ {
			for range r.IntN(4) {
				parents[b] = append(parents[b], byte(r.IntN(int(b))))
			}
			for node := range byte(3) {
				if r.IntN(10) > 0 {
					all = append(all, sight{node, b})
				}
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s := newTipSet()
		holders := map[byte]int{}
		for i, x := range all {
			s.saw(int(x.node), id(x.block), ids(parents[x.block]...), begin)
			holders[x.block]++
			if i%7 == 0 {
				s.tips(2, begin)
			}
		}
		reached := map[byte]bool{}
		var walk func(byte)
		walk = func(b byte) {
			if !reached[b] {
				reached[b] = true
				for _, p := range parents[b] {
					walk(p)
				}
			}
		}
		for _, tip := range s.tips(2, begin) {
			if holders[tip[0]] < 2 {
				t.Fatalf("seed %d: tip %d is on %d nodes", seed, tip[0], holders[tip[0]])
			}
			walk(tip[0])
		}
		for b, n := range holders {
			if n >= 2 && !reached[b] {
				t.Fatalf("seed %d: block %d is left out", seed, b)
			}
		}
	}
}
