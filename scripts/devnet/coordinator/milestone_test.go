package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"
	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var parameters = iotago.ProtocolParameters{Version: 2, NetworkName: "test", Bech32HRP: "tst", BelowMaxDepth: 15,
	RentStructure: iotago.RentStructure{VByteCost: 500, VBFactorData: 1, VBFactorKey: 10}, TokenSupply: 1000}

// fakeNode is as much of a node as the coordinator sees. It confirms a milestone that follows the last one.
type fakeNode struct {
	inx.UnimplementedINXServer
	address string
	server  *grpc.Server

	mu        sync.Mutex
	confirmed iotago.MilestoneIndex
	got       []*iotago.Milestone
	raw       [][]byte
	solid     []chan *inx.BlockMetadata
	parents   []iotago.BlockIDs // of every white flag that was asked for

	submit  func() (lose bool, err error) // a failure hook; nil takes everything
	compute error
}

func startNode(t *testing.T, confirmed iotago.MilestoneIndex) *fakeNode {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeNode{address: l.Addr().String(), server: grpc.NewServer(), confirmed: confirmed}
	inx.RegisterINXServer(f.server, f)
	go f.server.Serve(l)
	t.Cleanup(f.server.Stop)
	return f
}

func (f *fakeNode) ReadNodeStatus(context.Context, *inx.NoParams) (*inx.NodeStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, err := parameters.Serialize(serializer.DeSeriModeNoValidation, nil)
	if err != nil {
		return nil, err
	}
	return &inx.NodeStatus{ConfirmedMilestone: &inx.Milestone{MilestoneInfo: &inx.MilestoneInfo{MilestoneIndex: f.confirmed}},
		CurrentProtocolParameters: &inx.RawProtocolParameters{Params: raw}}, nil
}

func (f *fakeNode) ListenToSolidBlocks(_ *inx.NoParams, s inx.INX_ListenToSolidBlocksServer) error {
	c := make(chan *inx.BlockMetadata, 100)
	f.mu.Lock()
	f.solid = append(f.solid, c)
	f.mu.Unlock()
	if err := s.SendHeader(nil); err != nil {
		return err
	}
	for {
		select {
		case m := <-c:
			if err := s.Send(m); err != nil {
				return err
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

// tell says that the node holds a block.
func (f *fakeNode) tell(id iotago.BlockID, parents iotago.BlockIDs) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.solid {
		c <- &inx.BlockMetadata{BlockId: inx.NewBlockId(id), Parents: inx.NewBlockIds(parents), Solid: true}
	}
}

func (f *fakeNode) ComputeWhiteFlag(_ context.Context, r *inx.WhiteFlagRequest) (*inx.WhiteFlagResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parents = append(f.parents, r.UnwrapParents())
	if f.compute != nil {
		return nil, f.compute
	}
	return &inx.WhiteFlagResponse{MilestoneInclusionMerkleRoot: bytes.Repeat([]byte{byte(r.MilestoneTimestamp)}, 32),
		MilestoneAppliedMerkleRoot: bytes.Repeat([]byte{2}, 32)}, nil
}

func (f *fakeNode) SubmitBlock(_ context.Context, raw *inx.RawBlock) (*inx.BlockId, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	block, err := raw.UnwrapBlock(serializer.DeSeriModePerformValidation, &parameters)
	if err != nil {
		return nil, err
	}
	var lose bool
	if f.submit != nil {
		lose, err = f.submit()
	}
	if m, ok := block.Payload.(*iotago.Milestone); ok {
		f.got, f.raw = append(f.got, m), append(f.raw, raw.Data)
		if !lose && m.Index == f.confirmed+1 {
			f.confirmed = m.Index
		}
	}
	if err != nil {
		return nil, err
	}
	id, err := block.ID()
	return inx.NewBlockId(id), err
}

// ReadMilestoneCone gives the block of the milestone before: what else a milestone confirms, a fake does not keep.
func (f *fakeNode) ReadMilestoneCone(r *inx.MilestoneRequest, s inx.INX_ReadMilestoneConeServer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, m := range f.got {
		if m.Index == r.MilestoneIndex-1 {
			return s.Send(&inx.BlockWithMetadata{Block: &inx.RawBlock{Data: f.raw[i]}})
		}
	}
	return nil
}

func (f *fakeNode) ReadBlockMetadata(context.Context, *inx.BlockId) (*inx.BlockMetadata, error) {
	return nil, status.Error(codes.NotFound, "never heard of it")
}

// coordinate opens a coordinator on the nodes, with the state of a file, and waits until it follows them.
func coordinate(t *testing.T, path string, key ed25519.PrivateKey, nodes ...*fakeNode) *coordinator {
	t.Helper()
	c, err := open(path, []ed25519.PrivateKey{key}, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range nodes {
		n, err := dial(f.address, i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.close)
		c.nodes = append(c.nodes, n)
		go n.follow(t.Context(), c.tips)
	}
	eventually(t, func() bool {
		for _, n := range c.nodes {
			if !n.follows.Load() {
				return false
			}
		}
		return true
	})
	return c
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to it")
		}
	}
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// first writes the state after milestone 1.
func first(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coordinator.state")
	s := state{Index: 1, Time: begin.UnixNano(), block: id(1), milestone: iotago.MilestoneID{1}}
	if err := s.save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

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
