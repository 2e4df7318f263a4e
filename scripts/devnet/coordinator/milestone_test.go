package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var parameters = iotago.ProtocolParameters{Version: 2, NetworkName: "test", Bech32HRP: "tst", BelowMaxDepth: 15,
	RentStructure: iotago.RentStructure{VByteCost: 500, VBFactorData: 1, VBFactorKey: 10}, TokenSupply: 1000}

func TestMilestonesFollowEachOther(t *testing.T) {
	f, key, path := startNode(t, 1), newKey(t), first(t)
	c := coordinate(t, path, key, f)
	for range 3 {
		if err := c.next(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
	}
	before := iotago.MilestoneID{1}
	for i, m := range f.got {
		if m.Index != iotago.MilestoneIndex(i+2) || m.PreviousMilestoneID != before || m.Timestamp != uint32(begin.Unix())+uint32(i)+1 {
			t.Errorf("milestone %d of %d follows %x", m.Index, m.Timestamp, m.PreviousMilestoneID)
		}
		var public iotago.MilestonePublicKey
		copy(public[:], key.Public().(ed25519.PublicKey))
		if err := m.VerifySignatures(1, iotago.MilestonePublicKeySet{public: struct{}{}}); err != nil {
			t.Error(err)
		}
		id, err := m.ID()
		if err != nil {
			t.Fatal(err)
		}
		before = id
	}
	if s, err := loadState(path); err != nil || s.Index != 4 {
		t.Errorf("state %+v, %v", s, err)
	}
}

// TestNoNumberIsSignedTwice: whatever becomes of a milestone on its way, what is sent again is the same, also after a crash.
func TestNoNumberIsSignedTwice(t *testing.T) {
	for name, lose := range map[string]bool{"failed": true, "failed but taken": false} {
		t.Run(name, func(t *testing.T) {
			f, key, path := startNode(t, 1), newKey(t), first(t)
			f.submit = func() (bool, error) { return lose, errors.New("the answer is lost") }
			c := coordinate(t, path, key, f)
			if err := c.next(t.Context(), begin); err == nil {
				t.Fatal("it is not told")
			}
			f.mu.Lock()
			f.submit = nil
			f.mu.Unlock()

			c = coordinate(t, path, key, f) // as after a crash: only the file is left
			later := begin.Add(time.Hour)
			for range 3 {
				c.next(t.Context(), later) // the first of them says that it waits
			}
			if f.confirmed < 3 {
				t.Errorf("milestones ended with %d", f.confirmed)
			}
			sent := map[iotago.MilestoneIndex][]byte{}
			for i, m := range f.got {
				if b := sent[m.Index]; b != nil && !bytes.Equal(b, f.raw[i]) {
					t.Errorf("two milestones %d", m.Index)
				}
				sent[m.Index] = f.raw[i]
			}
		})
	}
}

func TestOldCopyOfTheStateIsRefused(t *testing.T) {
	f := startNode(t, 5)
	c := coordinate(t, first(t), newKey(t), f)
	err := c.next(t.Context(), begin)
	if err == nil || !strings.Contains(err.Error(), "old copy") || len(f.got) > 0 {
		t.Errorf("%v; sent %d", err, len(f.got))
	}
}

func TestMilestonesGoOnWhenANodeIsGone(t *testing.T) {
	for gone := range 3 {
		all := []*fakeNode{startNode(t, 1), startNode(t, 1), startNode(t, 1)}
		c := coordinate(t, first(t), newKey(t), all...)
		if err := c.next(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
		all[gone].server.Stop()
		eventually(t, func() bool { return !c.nodes[gone].follows.Load() })
		for range 2 {
			eventually(t, func() bool { return c.next(t.Context(), begin) == nil })
		}
		if n := all[(gone+1)%3].has(); n < 3 {
			t.Errorf("without node %d: a node that is left has milestone %d", gone, n)
		}
	}
}

func (f *fakeNode) has() iotago.MilestoneIndex {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.confirmed
}

// TestNextMilestoneWaitsForASecondNode: otherwise the loss of the only node that confirmed it would lose it.
func TestNextMilestoneWaitsForASecondNode(t *testing.T) {
	a, b, down := startNode(t, 1), startNode(t, 1), startNode(t, 1)
	b.submit = func() (bool, error) { return true, errors.New("not now") }
	c := coordinate(t, first(t), newKey(t), a, b, down)
	down.server.Stop()
	eventually(t, func() bool { return !c.nodes[2].follows.Load() })
	if err := c.next(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.next(t.Context(), begin); err == nil || !strings.Contains(err.Error(), "milestone 2 is on 1 nodes and must be on 2") {
			t.Fatalf("%v", err)
		}
	}
	// the node that had it is lost: the other gets the same again, and with a third it goes on
	a.server.Stop()
	eventually(t, func() bool { return !c.nodes[0].follows.Load() })
	b.mu.Lock()
	b.submit = nil
	b.mu.Unlock()
	eventually(t, func() bool { c.next(t.Context(), begin); return b.has() == 2 })
	if err := c.next(t.Context(), begin); err == nil {
		t.Error("it goes on with one node of three")
	}
}

// TestNodeThatIsFarBehindGetsWhatItLacks: the only peer that could have told it is gone.
func TestNodeThatIsFarBehindGetsWhatItLacks(t *testing.T) {
	a, b, late := startNode(t, 1), startNode(t, 1), startNode(t, 1)
	late.submit = func() (bool, error) { return true, errors.New("not yet") }
	c := coordinate(t, first(t), newKey(t), a, b, late)
	for range 4 {
		eventually(t, func() bool { return c.next(t.Context(), begin) == nil })
	}
	b.server.Stop()
	eventually(t, func() bool { return !c.nodes[1].follows.Load() })
	late.mu.Lock()
	late.submit = nil
	late.mu.Unlock()
	eventually(t, func() bool { return c.next(t.Context(), begin) == nil && late.has() > 5 })
}

func TestManyTipsAreMergedAndNoneIsLeftOut(t *testing.T) {
	f := startNode(t, 1)
	c := coordinate(t, first(t), newKey(t), f)
	if _, err := c.look(t.Context()); err != nil { // it is up to date: what it tells counts
		t.Fatal(err)
	}
	const blocks = 50
	for i := range byte(blocks) {
		f.tell(id(100+i), ids(1))
	}
	eventually(t, func() bool { return len(c.tips.tips(1, begin)) == blocks })
	if err := c.next(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	if n := len(f.parents[0]); n < 2 || n > iotago.BlockMaxParents {
		t.Errorf("a milestone with %d parents", n)
	}
}

// TestTipsThatGrewOldAreLeftOut: nodes refuse what refers to a block that is too far below the newest milestone, so a milestone on it
// would be the last.
func TestTipsThatGrewOldAreLeftOut(t *testing.T) {
	f := startNode(t, 1)
	c := coordinate(t, first(t), newKey(t), f)
	f.says = map[iotago.BlockID]*inx.BlockMetadata{
		id(7): {Solid: true},
		id(8): {Solid: true, ShouldReattach: true},
		id(9): {Solid: true, ReferencedByMilestoneIndex: 1},
	}
	now := time.Now()
	for n := range byte(3) {
		c.tips.saw(0, id(7+n), nil, now.Add(-2*fresh))
	}
	c.tips.saw(0, id(10), nil, now) // too young to be asked for
	if err := c.next(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	wantTips(t, c.tips.tips(1, now), 7, 10)
	if got := f.parents[0]; len(got) != 3 {
		t.Errorf("parents %v", got)
	}
}

func TestTipsThatNobodyKnowsDoNotStopMilestones(t *testing.T) {
	f := startNode(t, 1)
	c := coordinate(t, first(t), newKey(t), f)
	if _, err := c.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.tell(id(9), nil)
	eventually(t, func() bool { return len(c.tips.tips(1, begin)) == 1 })
	f.compute = status.Error(codes.Unavailable, "parents not solid")
	for range 2 {
		if err := c.next(t.Context(), begin); err == nil {
			t.Fatal("it is not told")
		}
	}
	f.compute = nil
	if err := c.next(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	if last := f.parents[len(f.parents)-1]; len(last) != 1 {
		t.Errorf("parents %v", last)
	}
}
