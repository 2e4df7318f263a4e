package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log"
	"sync"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"
	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/iotaledger/iota.go/v3/builder"
	"github.com/iotaledger/iota.go/v3/keymanager"
	"github.com/iotaledger/iota.go/v3/signingprovider"
)

// coordinator issues one milestone after the other. Its methods are called by one goroutine.
type coordinator struct {
	path   string
	state  state
	signer signingprovider.MilestoneSignerProvider
	fast   bool
	nodes  []*node
	tips   *tipSet

	parameters *iotago.ProtocolParameters // as the nodes tell them; nil until one did
	adopted    map[*node]int              // how often the tips of a node were taken over since it came
	refused    int                        // how often in a row the milestone could not be computed
}

// open takes up where the state ends.
func open(path string, keys []ed25519.PrivateKey, fast bool) (*coordinator, error) {
	s, err := loadState(path)
	if err != nil {
		return nil, err
	}
	ranges := keymanager.New()
	for _, k := range keys {
		ranges.AddKeyRange(k.Public().(ed25519.PublicKey), 0, 0)
	}
	return &coordinator{path: path, state: s, fast: fast, tips: newTipSet(), adopted: map[*node]int{},
		signer: signingprovider.NewInMemoryEd25519MilestoneSignerProvider(keys, ranges, len(keys))}, nil
}

// next issues one milestone, or sends the last one again where it was not heard of.
func (c *coordinator) next(ctx context.Context, now time.Time) error {
	v, err := c.look(ctx)
	if err != nil {
		return err
	}
	switch {
	case v.index > c.state.Index:
		return fmt.Errorf("the network has milestone %d, the state ends with %d: it is an old copy, and to go on would sign a number twice", v.index, c.state.Index)
	case v.have < c.quorum():
		return c.again(ctx, v)
	}
	c.catchUp(ctx, v.live)
	parents, err := c.parents(ctx, v, now)
	if err != nil {
		return err
	}
	return c.issue(ctx, v.leader, parents, now)
}

// quorum is how many nodes must hold a block before a milestone takes it in, and a milestone before the next is issued: more than
// half, 2 of 3. So what a milestone confirmed is on two nodes, and the loss of one loses nothing.
func (c *coordinator) quorum() int { return len(c.nodes)/2 + 1 }

// view is how far the nodes are.
type view struct {
	live   []*node               // those that keep up
	leader *node                 // the one that is furthest
	index  iotago.MilestoneIndex // how far that one is
	have   int                   // how many nodes confirmed the last milestone

	confirmed map[*node]iotago.MilestoneIndex // how far each is that answers
}

// look asks every node how far it is.
func (c *coordinator) look(ctx context.Context) (v view, err error) {
	v.confirmed = map[*node]iotago.MilestoneIndex{}
	for n, s := range c.ask(ctx) {
		if s == nil {
			n.synced.Store(false)
			continue
		}
		if err := c.learn(s.GetCurrentProtocolParameters().GetParams()); err != nil {
			return view{}, fmt.Errorf("node %s: %w", n.address, err)
		}
		confirmed := s.GetConfirmedMilestone().GetMilestoneInfo().GetMilestoneIndex()
		v.confirmed[n] = confirmed
		synced := confirmed+1 >= c.state.Index
		n.synced.Store(synced)
		if synced {
			v.live = append(v.live, n)
		} else {
			c.adopted[n] = 0
		}
		if confirmed >= c.state.Index {
			v.have++
		}
		if v.leader == nil || confirmed > v.index {
			v.leader, v.index = n, confirmed
		}
	}
	if v.leader == nil {
		return view{}, errors.New("no node answers")
	}
	return v, nil
}

// ask collects what the nodes say of themselves, in their order; nil is of a node that does not answer.
func (c *coordinator) ask(ctx context.Context) iter.Seq2[*node, *inx.NodeStatus] {
	all := make([]*inx.NodeStatus, len(c.nodes))
	var asked sync.WaitGroup
	for i, n := range c.nodes {
		if n.follows.Load() {
			asked.Go(func() { all[i] = n.status(ctx) })
		}
	}
	asked.Wait()
	return func(yield func(*node, *inx.NodeStatus) bool) {
		for i, n := range c.nodes {
			if !yield(n, all[i]) {
				return
			}
		}
	}
}

// learn reads the protocol parameters of the network, once.
func (c *coordinator) learn(raw []byte) error {
	if c.parameters != nil {
		return nil
	}
	p := &iotago.ProtocolParameters{}
	if _, err := p.Deserialize(raw, serializer.DeSeriModeNoValidation, nil); err != nil {
		return fmt.Errorf("reading the protocol parameters: %w", err)
	}
	if p.MinPoWScore != 0 {
		return fmt.Errorf("the network asks for proof of work (%d): this coordinator does none", p.MinPoWScore)
	}
	c.parameters = p
	return nil
}

// again sends the last milestone to the nodes that lack it, after what they lack before it: one that had it is gone, or did not pass it
// on, or it was never sent. The nodes would tell each other, too, but a node that hears of no new milestone asks only every 30 s.
func (c *coordinator) again(ctx context.Context, v view) error {
	var failed error
	for n, index := range v.confirmed {
		if index >= c.state.Index || len(c.state.Block) == 0 {
			continue
		}
		if err := hand(ctx, v.leader, n, index+1, v.index); err != nil {
			failed = err
			continue
		}
		if _, err := n.submit(ctx, &inx.RawBlock{Data: c.state.Block}); err != nil {
			failed = err
		}
	}
	err := fmt.Errorf("milestone %d is on %d nodes and must be on %d before the next; the furthest has %d", c.state.Index, v.have, c.quorum(), v.index)
	if failed != nil {
		return fmt.Errorf("%w: %w", err, failed)
	}
	return err
}

// catchUp makes up for what no stream told: blocks from before a node was followed, and blocks that wait for a second node.
func (c *coordinator) catchUp(ctx context.Context, live []*node) {
	const rounds = 3 // a node tells a few of its tips at a time
	for _, n := range live {
		if c.adopted[n] < rounds {
			c.adopted[n]++
			n.adopt(ctx, c.tips)
		}
	}
	for id, nodes := range c.tips.waiting(time.Second, time.Now()) {
		for _, n := range live {
			if nodes&(1<<n.number) == 0 && n.holds(ctx, id) {
				c.tips.saw(n.number, id, nil, time.Now())
			}
		}
	}
}

// fresh is how long a tip is good without asking. One that waited for a second node may meanwhile be confirmed, or so far below the
// newest milestone that nodes refuse whatever refers to it: a milestone on it, once signed, could never be issued, and no other either.
const fresh = 250 * time.Millisecond

// parents are the last milestone and the tips. More tips than a block has room for are merged by empty blocks first.
func (c *coordinator) parents(ctx context.Context, v view, now time.Time) (iotago.BlockIDs, error) {
	const room = iotago.BlockMaxParents
	var tips iotago.BlockIDs
	for _, id := range c.tips.tips(c.quorum(), now) {
		switch {
		case id == c.state.block:
		case c.tips.aged(id, fresh, now) && !v.leader.takes(ctx, id):
			c.tips.drop(id)
		default:
			tips = append(tips, id)
		}
	}
	for len(tips) > room-1 {
		id, err := c.merge(ctx, v, tips[:room])
		if err != nil {
			return nil, err
		}
		tips = append(tips[room:], id)
	}
	return append(iotago.BlockIDs{c.state.block}, tips...).RemoveDupsAndSort(), nil
}

func (c *coordinator) merge(ctx context.Context, v view, tips iotago.BlockIDs) (iotago.BlockID, error) {
	parents := append(iotago.BlockIDs{}, tips...).RemoveDupsAndSort()
	block, err := builder.NewBlockBuilder().ProtocolVersion(c.parameters.Version).Parents(parents).Build()
	if err != nil {
		return iotago.BlockID{}, fmt.Errorf("merging tips: %w", err)
	}
	raw, err := inx.WrapBlock(block)
	if err != nil {
		return iotago.BlockID{}, fmt.Errorf("merging tips: %w", err)
	}
	id, err := v.leader.submit(ctx, raw)
	if err != nil {
		return iotago.BlockID{}, fmt.Errorf("merging tips: %w", err)
	}
	spread(ctx, v.live, v.leader, raw)
	return id, nil
}

// issue signs the next milestone, keeps it and sends it.
func (c *coordinator) issue(ctx context.Context, leader *node, parents iotago.BlockIDs, now time.Time) error {
	at, err := c.time(now)
	if err != nil {
		return err
	}
	m, err := c.compute(ctx, leader, parents, at)
	if err != nil {
		c.doubt(ctx, leader, parents)
		return err
	}
	c.refused = 0
	block, err := builder.NewBlockBuilder().ProtocolVersion(c.parameters.Version).Parents(parents).Payload(m).Build()
	if err != nil {
		return fmt.Errorf("building milestone %d: %w", m.Index, err)
	}
	signer := c.signer.MilestoneIndexSigner(m.Index)
	if err := m.Sign(signer.PublicKeys(), signer.SigningFunc()); err != nil {
		return fmt.Errorf("signing milestone %d: %w", m.Index, err)
	}
	next := state{Index: m.Index, Time: at.UnixNano()}
	if next.milestone, err = m.ID(); err != nil {
		return fmt.Errorf("naming milestone %d: %w", m.Index, err)
	}
	if next.Block, err = block.Serialize(serializer.DeSeriModePerformValidation, c.parameters); err != nil {
		return fmt.Errorf("encoding milestone %d: %w", m.Index, err)
	}
	if next.block, err = block.ID(); err != nil {
		return fmt.Errorf("naming milestone %d: %w", m.Index, err)
	}
	if err := next.save(c.path); err != nil {
		return err
	}
	c.state = next
	raw := &inx.RawBlock{Data: next.Block}
	if _, err := leader.submit(ctx, raw); err != nil {
		return err // it is sent again
	}
	spread(ctx, c.nodes, leader, raw)
	return nil
}

// time is the milestone's: a whole second, later than the last one's.
func (c *coordinator) time(now time.Time) (time.Time, error) {
	last := time.Unix(0, c.state.Time).Truncate(time.Second)
	at := now.Truncate(time.Second)
	switch {
	case at.After(last):
		return at, nil
	case c.fast:
		return last.Add(time.Second), nil
	case last.Sub(at) > time.Second:
		return at, fmt.Errorf("the last milestone is from %v, later than now: waits for the clock", last.UTC())
	}
	return at, errors.New("the last milestone is from this second: waits for the next")
}

// compute lets a node say what the next milestone confirms.
func (c *coordinator) compute(ctx context.Context, leader *node, parents iotago.BlockIDs, at time.Time) (*iotago.Milestone, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	index := c.state.Index + 1
	r, err := leader.client.ComputeWhiteFlag(ctx, &inx.WhiteFlagRequest{MilestoneIndex: index, MilestoneTimestamp: uint32(at.Unix()),
		Parents: inx.NewBlockIds(parents), PreviousMilestoneId: inx.NewMilestoneId(c.state.milestone)})
	if err != nil {
		return nil, fmt.Errorf("computing milestone %d on %s: %w", index, leader.address, err)
	}
	var included, applied iotago.MilestoneMerkleProof
	copy(included[:], r.GetMilestoneInclusionMerkleRoot())
	copy(applied[:], r.GetMilestoneAppliedMerkleRoot())
	return iotago.NewMilestone(index, uint32(at.Unix()), c.parameters.Version, c.state.milestone, parents, included, applied), nil
}

// doubt lets go of tips that the leader does not know; when that does not help, of all: their owners attach them again.
func (c *coordinator) doubt(ctx context.Context, leader *node, parents iotago.BlockIDs) {
	const enough = 5
	c.refused++
	for _, id := range parents {
		if id != c.state.block && (c.refused > enough || c.refused > 1 && !leader.holds(ctx, id)) {
			log.Printf("lets go of tip %s", id.ToHex())
			c.tips.drop(id)
		}
	}
}

// spread hands the other nodes a block too, so that it does not hang on one node's life. Nobody waits for them: a node that does not
// take it gets it from its peers.
func spread(ctx context.Context, nodes []*node, except *node, block *inx.RawBlock) {
	for _, n := range nodes {
		if n != except && n.synced.Load() {
			go n.submit(ctx, block)
		}
	}
}

// adopt takes over some of the tips that the node chose itself.
func (n *node) adopt(ctx context.Context, tips *tipSet) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := n.client.RequestTips(ctx, &inx.TipsRequest{Count: iotago.BlockMaxParents, AllowSemiLazy: true})
	if err != nil {
		return // it has none before it saw a milestone
	}
	for _, id := range r.UnwrapTips() {
		m, err := n.client.ReadBlockMetadata(ctx, inx.NewBlockId(id))
		if err == nil && m.GetSolid() && m.GetReferencedByMilestoneIndex() == 0 {
			tips.saw(n.number, id, m.UnwrapParents(), time.Now())
		}
	}
}
