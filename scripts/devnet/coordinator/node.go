package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long a node may take to answer. A connection on which nothing arrives for as long is given up, so that a cut
// that healed is not waited for.
const patience = 3 * time.Second

// node is one node of the network, as the coordinator sees it.
type node struct {
	address string
	number  int
	conn    *grpc.ClientConn
	client  inx.INXClient
	follows atomic.Bool // its solid blocks are being received
	synced  atomic.Bool // it was up to date when last asked: only then its blocks are new ones
}

// dial prepares a connection; it is made, and made again, when it is needed.
func dial(address string, number int) (*node, error) {
	retry := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}
	conn, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dialTCP),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: patience}))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	return &node{address: address, number: number, conn: conn, client: inx.NewINXClient(conn)}, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(patience.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return d.DialContext(ctx, "tcp", address)
}

func (n *node) close() { n.conn.Close() }

// follow tells the tip set what the node holds, and begins again whenever the node comes back.
func (n *node) follow(ctx context.Context, tips *tipSet) {
	for ctx.Err() == nil {
		err := n.receive(ctx, tips)
		if n.follows.Swap(false) && ctx.Err() == nil {
			log.Printf("node %s is gone: %v", n.address, err)
		}
		tips.lost(n.number)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (n *node) receive(ctx context.Context, tips *tipSet) error {
	stream, err := n.client.ListenToSolidBlocks(ctx, &inx.NoParams{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	if !n.follows.Swap(true) {
		log.Printf("node %s is followed", n.address)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if n.synced.Load() {
			tips.saw(n.number, m.UnwrapBlockID(), m.UnwrapParents(), time.Now())
		}
	}
}

// status is what the node says of itself, or nil: a node that does not answer this at once holds nothing up.
func (n *node) status(ctx context.Context) *inx.NodeStatus {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := n.client.ReadNodeStatus(ctx, &inx.NoParams{})
	if err != nil {
		return nil
	}
	return s
}

// submit hands the node a block; it returns when the node has processed it, or a second later.
func (n *node) submit(ctx context.Context, block *inx.RawBlock) (iotago.BlockID, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id, err := n.client.SubmitBlock(ctx, block)
	if err != nil {
		return iotago.BlockID{}, fmt.Errorf("sending a block to %s: %w", n.address, err)
	}
	return id.Unwrap(), nil
}

// hand gives a node the blocks that milestones first to last confirmed, as another node has them, a few milestones at a time. They come
// in the order in which they were confirmed, each after its parents.
func hand(ctx context.Context, from, to *node, first, last iotago.MilestoneIndex) error {
	const most = 20
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for index := first; index <= last && index < first+most; index++ {
		cone, err := from.client.ReadMilestoneCone(ctx, &inx.MilestoneRequest{MilestoneIndex: index})
		if err != nil {
			return fmt.Errorf("reading milestone %d of %s: %w", index, from.address, err)
		}
		for {
			m, err := cone.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("reading milestone %d of %s: %w", index, from.address, err)
			}
			if _, err := to.submit(ctx, m.GetBlock()); err != nil {
				return err
			}
		}
	}
	return nil
}

// takes says whether a milestone can and need take a block in, as far as the node can tell.
func (n *node) takes(ctx context.Context, id iotago.BlockID) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := n.client.ReadBlockMetadata(ctx, inx.NewBlockId(id))
	return err != nil || m.GetReferencedByMilestoneIndex() == 0 && !m.GetShouldReattach()
}

// holds says whether the node has a block and everything before it; what it cannot tell, it does not hold.
func (n *node) holds(ctx context.Context, id iotago.BlockID) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := n.client.ReadBlockMetadata(ctx, inx.NewBlockId(id))
	return err == nil && m.GetSolid()
}
