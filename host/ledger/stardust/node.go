package stardust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	inx "github.com/iotaledger/inx/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/productid/productid/pkg/ledger"
)

const (
	// askTimeout is how long a node may take to answer a question.
	askTimeout = 2 * time.Second
	// submitTimeout is how long a node may take to accept a block.
	submitTimeout = 5 * time.Second
	// revivePause is how long a node that did not answer is left alone.
	revivePause = 250 * time.Millisecond
	// senders and readers are how many transactions are sent to a node and how many
	// blocks read from it at once. It serves ten questions; more would wait behind
	// each other until it seems not to answer.
	senders = 4
	readers = 3
	// maxReply bounds what a node may send at once; a block has at most 32 KiB.
	maxReply = 1 << 20
)

// Node is where one node of the network listens.
type Node struct {
	REST string `json:"rest"` // URL of its REST interface, which names the node to people
	INX  string `json:"inx"`  // host and port of its INX interface, which all traffic uses
}

// node is a connection to a node.
type node struct {
	Node
	inx.INXClient
	conn    *grpc.ClientConn
	sending chan struct{} // one place for each sender
	down    atomic.Bool   // did not answer lately, or answered what cannot be
}

// nodes are all nodes of the network, and which of them is in use.
type nodes struct {
	all     []*node
	current atomic.Int64
	// check reports whether a node has the ledger that the archive has seen.
	check func(context.Context, *node, *inx.NodeStatus) error

	mu      sync.Mutex
	waiting *round // not begun, may be joined
	asking  bool
}

// round is one question to all nodes how far the ledger is.
type round struct {
	done  chan struct{}
	index uint32
	err   error
}

func dial(list []Node, wrap func(inx.INXClient) inx.INXClient) (*nodes, error) {
	if len(list) == 0 {
		return nil, errors.New("no node given")
	}
	p := &nodes{}
	for _, at := range list {
		conn, err := grpc.NewClient("passthrough:///"+at.INX,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
				MinConnectTimeout: askTimeout,
			}))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("node %s: %w", at.INX, err), p.close())
		}
		client := inx.NewINXClient(conn)
		if wrap != nil {
			client = wrap(client)
		}
		p.all = append(p.all, &node{Node: at, INXClient: client, conn: conn, sending: make(chan struct{}, senders)})
	}
	return p, nil
}

func (p *nodes) close() error {
	var err error
	for _, n := range p.all {
		err = errors.Join(err, n.conn.Close())
	}
	return err
}

// inOrder returns all nodes, the one in use first and those that do not answer last.
func (p *nodes) inOrder() []*node {
	var up, down []*node
	at := int(p.current.Load())
	for i := range p.all {
		n := p.all[(at+i)%len(p.all)]
		if n.down.Load() {
			down = append(down, n)
		} else {
			up = append(up, n)
		}
	}
	return append(up, down...)
}

// use makes a node the one in use.
func (p *nodes) use(n *node) {
	for i := range p.all {
		if p.all[i] == n {
			p.current.Store(int64(i))
		}
	}
}

// leave makes the node after this one the one in use.
func (p *nodes) leave(n *node) {
	for i := range p.all {
		if p.all[i] == n {
			p.current.Store(int64((i + 1) % len(p.all)))
		}
	}
}

// allForgot reports whether every node answers and none can tell what follows a
// milestone. A node that does not answer might.
func (p *nodes) allForgot(ctx context.Context, milestone uint32) bool {
	for _, n := range p.all {
		if s, err := n.status(ctx); err != nil || pruned(s) <= milestone {
			return false
		}
	}
	return true
}

// ask lets fn ask one node after the other until one answers. A refusal is an
// answer.
func (p *nodes) ask(ctx context.Context, fn func(context.Context, *node) error) error {
	var failed error
	for _, n := range p.inOrder() {
		err := n.ask(ctx, askTimeout, fn)
		if err == nil || !n.gone(ctx, err) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("no node answers: %w: %w", ledger.ErrUnavailable, failed)
}

// ask calls fn with a time limit, and names the node in its error.
func (n *node) ask(ctx context.Context, limit time.Duration, fn func(context.Context, *node) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := fn(ctx, n); err != nil {
		return fmt.Errorf("node %s: %w", n.INX, err)
	}
	return nil
}

// gone reports whether an error means that the node does not answer, and
// remembers it then. The end of the caller's own context means nothing.
func (n *node) gone(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	s, ok := status.FromError(err)
	if !ok {
		return false // not the node's
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unknown:
		n.down.Store(true)
		return true
	}
	return false
}

// watch asks the nodes that did not answer whether they do again.
func (p *nodes) watch(ctx context.Context) {
	tick := time.NewTicker(revivePause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var wg sync.WaitGroup
		for _, n := range p.all {
			if n.down.Load() {
				wg.Go(func() { p.revive(ctx, n) })
			}
		}
		wg.Wait()
	}
}

func (p *nodes) revive(ctx context.Context, n *node) {
	s, err := n.status(ctx)
	if err == nil && s.GetIsSynced() && p.check(ctx, n, s) == nil {
		n.down.Store(false)
	}
}

func (n *node) status(ctx context.Context) (s *inx.NodeStatus, err error) {
	err = n.ask(ctx, askTimeout, func(ctx context.Context, n *node) error {
		s, err = n.ReadNodeStatus(ctx, &inx.NoParams{})
		return err
	})
	return s, err
}

// confirmed returns the index of the newest milestone that any node has applied. The
// nodes are asked after the call began; calls that wait share one question.
func (p *nodes) confirmed(ctx context.Context) (uint32, error) {
	p.mu.Lock()
	if p.waiting == nil {
		p.waiting = &round{done: make(chan struct{})}
	}
	r := p.waiting
	if !p.asking {
		p.asking = true
		go p.askAll()
	}
	p.mu.Unlock()
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// askAll answers rounds until none waits.
func (p *nodes) askAll() {
	for {
		p.mu.Lock()
		r := p.waiting
		p.waiting = nil
		p.asking = r != nil
		p.mu.Unlock()
		if r == nil {
			return
		}
		r.index, r.err = p.furthest(context.Background())
		close(r.done)
	}
}

// furthest asks all nodes that are up at once; where none is, all: one that did not answer just now may answer again.
func (p *nodes) furthest(ctx context.Context) (uint32, error) {
	indexes := make([]uint32, len(p.all))
	none := !slices.ContainsFunc(p.all, func(n *node) bool { return !n.down.Load() })
	var answered atomic.Bool
	var wg sync.WaitGroup
	for i, n := range p.all {
		if n.down.Load() && !none {
			continue
		}
		wg.Go(func() {
			s, err := n.status(ctx)
			if err != nil {
				n.gone(ctx, err)
				return
			}
			indexes[i] = s.GetLedgerIndex()
			answered.Store(true)
		})
	}
	wg.Wait()
	if !answered.Load() {
		return 0, fmt.Errorf("no node answers: %w", ledger.ErrUnavailable)
	}
	var index uint32
	for _, i := range indexes {
		index = max(index, i)
	}
	return index, nil
}
