package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"net"
	"path/filepath"
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
	says    map[iotago.BlockID]*inx.BlockMetadata // of blocks; others it never heard of
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

func (f *fakeNode) ReadBlockMetadata(_ context.Context, id *inx.BlockId) (*inx.BlockMetadata, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.says[id.Unwrap()]; m != nil {
		return m, nil
	}
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
