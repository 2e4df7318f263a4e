package stardust

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"
	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
)

// update is what one milestone changed of ours.
type update struct {
	index  uint32
	states []*state
	earned []money
	spent  []spent
	id     iotago.MilestoneID
	raw    []byte // of the milestone; only with states
	time   time.Time
	size   int  // number of applied transactions
	old    bool // before the archive was made
}

// state is a new output of an alias of ours, with what proves it.
type state struct {
	id      iotago.OutputID
	alias   *iotago.AliasOutput
	of      channel.ID
	raw     []byte
	from    iotago.BlockID
	booked  uint32 // milestone that made it
	index   int    // among the applied transactions
	block   []byte
	path    []byte
	message channel.Message // that it proves; zero when it proves none
}

// spent is an output of money that a transaction used up.
type spent struct {
	id iotago.OutputID
	by iotago.TransactionID
}

// aliasID returns the id of a state's alias.
func (s *state) aliasID() iotago.AliasID {
	if s.alias.AliasEmpty() {
		return iotago.AliasIDFromOutputID(s.id)
	}
	return s.alias.AliasID
}

// created takes a new output into the update if it is ours.
func (l *Ledger) created(u *update, o *inx.LedgerOutput) error {
	output, err := parseOutput(o.GetOutput().GetData())
	if err != nil {
		return fmt.Errorf("output %x: %w", o.GetOutputId().GetId(), err)
	}
	id := o.GetOutputId().Unwrap()
	if l.spendable(output) {
		u.earned = append(u.earned, money{id, output.(*iotago.BasicOutput)})
	}
	if alias, of, ok := l.ownAlias(output); ok {
		u.states = append(u.states, &state{id: id, alias: alias, of: of, raw: o.GetOutput().GetData(), from: o.GetBlockId().Unwrap(), booked: o.GetMilestoneIndexBooked()})
	}
	return nil
}

// consumed takes an output that was spent into the update if it was our money.
func (l *Ledger) consumed(u *update, s *inx.LedgerSpent) error {
	o := s.GetOutput()
	output, err := parseOutput(o.GetOutput().GetData())
	if err != nil {
		return fmt.Errorf("output %x: %w", o.GetOutputId().GetId(), err)
	}
	if l.spendable(output) {
		u.spent = append(u.spent, spent{o.GetOutputId().Unwrap(), s.GetTransactionIdSpent().Unwrap()})
	}
	return nil
}

// prove fetches what proves the states of an update from the node, while it still has
// it, and orders them as the ledger did.
func (l *Ledger) prove(ctx context.Context, n *node, u *update) error {
	ms, err := n.ReadMilestone(ctx, &inx.MilestoneRequest{MilestoneIndex: u.index})
	if err != nil {
		return err
	}
	u.raw, u.id = ms.GetMilestone().GetData(), ms.GetMilestoneInfo().GetMilestoneId().Unwrap()
	milestone, err := stardust.ParseMilestone(u.raw)
	if err != nil {
		return err
	}
	if milestone.Index != u.index {
		return fmt.Errorf("milestone %d instead of %d", milestone.Index, u.index)
	}
	if err := l.signed(milestone); err != nil {
		return err
	}
	u.time = milestone.Time
	applied, err := readApplied(ctx, n, u.index)
	if err != nil {
		return err
	}
	if stardust.MerkleRoot(applied) != milestone.AppliedRoot {
		return errors.New("node's list of applied transactions does not give the milestone's root")
	}
	u.size = len(applied)
	paths := make([][]byte, len(applied))
	climb(applied, paths)
	for _, s := range u.states {
		if s.index = slices.Index(applied, stardust.Hash(s.from)); s.index < 0 {
			return fmt.Errorf("block %x of an output was not applied", s.from[:])
		}
		s.path = append([]byte{}, paths[s.index]...) // empty when it is alone
	}
	if err := u.readBlocks(ctx, n); err != nil {
		return err
	}
	for _, s := range u.states {
		if err := l.authenticate(u, s); err != nil {
			return fmt.Errorf("output %s: %w", s.id.ToHex(), err)
		}
	}
	slices.SortFunc(u.states, func(a, b *state) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return int(a.id.Index()) - int(b.id.Index())
	})
	return nil
}

// climb appends to the path of each of these blocks its hashes up to their root: the
// paths of stardust.NewPath, all at once.
func climb(blocks []stardust.Hash, paths [][]byte) {
	if len(blocks) < 2 {
		return
	}
	k := 1 << (bits.Len(uint(len(blocks)-1)) - 1)
	climb(blocks[:k], paths[:k])
	climb(blocks[k:], paths[k:])
	left, right := stardust.MerkleRoot(blocks[:k]), stardust.MerkleRoot(blocks[k:])
	for i := range paths {
		if i < k {
			paths[i] = append(paths[i], right[:]...)
		} else {
			paths[i] = append(paths[i], left[:]...)
		}
	}
}

// readBlocks fetches the blocks of an update's states.
func (u *update) readBlocks(ctx context.Context, n *node) error {
	errs := make([]error, len(u.states))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(readers, len(u.states)) {
		wg.Go(func() {
			for i := range next {
				s := u.states[i]
				raw, err := n.ReadBlock(ctx, inx.NewBlockId(s.from))
				s.block, errs[i] = raw.GetData(), err
			}
		})
	}
	for i := range u.states {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// readApplied returns the blocks whose transactions a milestone applied, in
// white-flag order.
func readApplied(ctx context.Context, n *node, index uint32) ([]stardust.Hash, error) {
	stream, err := n.ReadMilestoneConeMetadata(ctx, &inx.MilestoneRequest{MilestoneIndex: index})
	if err != nil {
		return nil, err
	}
	type applied struct {
		order uint32
		block stardust.Hash
	}
	var all []applied
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if m.GetLedgerInclusionState() == inx.BlockMetadata_LEDGER_INCLUSION_STATE_INCLUDED {
			all = append(all, applied{m.GetWhiteFlagIndex(), stardust.Hash(m.UnwrapBlockID())})
		}
	}
	slices.SortFunc(all, func(a, b applied) int { return int(a.order) - int(b.order) })
	blocks := make([]stardust.Hash, len(all))
	for i, a := range all {
		blocks[i] = a.block
	}
	return blocks, nil
}

// signed reports whether a coordinator of the network has signed a milestone.
func (l *Ledger) signed(m stardust.Milestone) error {
	err := stardust.ErrNotSigned
	for _, c := range l.coordinators(m.Index) {
		var keys []ed25519.PublicKey
		for _, text := range c.Keys {
			key, err := hex.DecodeString(text)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		if err = m.Verify(c.Threshold, keys...); err == nil {
			return nil
		}
	}
	return err
}

// authenticate checks what a node says of a state against the block, whose id the
// milestone commits to, and finds the message in it that can be proved.
func (l *Ledger) authenticate(u *update, s *state) error {
	block := &iotago.Block{}
	if _, err := block.Deserialize(s.block, serializer.DeSeriModeNoValidation, nil); err != nil {
		return fmt.Errorf("block: %w", err)
	}
	tx, ok := block.Payload.(*iotago.Transaction)
	if !ok {
		return errors.New("block without a transaction")
	}
	from, err := block.ID()
	if err != nil {
		return err
	}
	id, err := tx.ID()
	if err != nil {
		return err
	}
	at := int(s.id.Index())
	if from != s.from || id != s.id.TransactionID() || at >= len(tx.Essence.Outputs) {
		return errors.New("block of another transaction")
	}
	raw, err := tx.Essence.Outputs[at].Serialize(serializer.DeSeriModeNoValidation, nil)
	if err != nil || !bytes.Equal(raw, s.raw) {
		return errors.New("output is not what its transaction made")
	}
	m, ok := l.says(s)
	if !ok {
		return nil
	}
	proof := ledger.StardustProof{Path: u.pathOf(s), Milestone: u.raw, Block: s.block}
	if _, err := proof.Open(m); err == nil {
		s.message = m
	}
	return nil // without a proof it does not count, whichever node tells it
}

// pathOf returns the audit path of a state's block.
func (u *update) pathOf(s *state) stardust.Path { return newPath(s.index, u.size, s.path) }

// newPath returns a path from its joined hashes.
func newPath(index, size int, hashes []byte) stardust.Path {
	p := stardust.Path{Index: uint32(index), Size: uint32(size)}
	for ; len(hashes) >= len(stardust.Hash{}); hashes = hashes[len(stardust.Hash{}):] {
		p.Hashes = append(p.Hashes, stardust.Hash(hashes))
	}
	return p
}
