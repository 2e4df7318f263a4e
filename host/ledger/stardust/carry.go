package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/productid/productid/pkg/ledger"
)

// patientMilestones is how many milestones a block may miss before it is asked for
// what became of it, and lostMilestones how many before it is made anew: nodes
// leave out what is older than the network's belowMaxDepth, 15.
const (
	patientMilestones = 3
	lostMilestones    = 12
)

// attachment is the block in which this process has last sent a transaction. The
// same transaction in another block is harmless: only one is applied.
type attachment struct {
	mu      sync.Mutex
	block   iotago.BlockID
	node    *node  // that accepted it; nil before
	at      uint32 // milestone when it was sent
	checked uint32 // milestone when it was last asked for
}

// attachment returns what is known of a transaction's block.
func (l *Ledger) attachment(id iotago.TransactionID) *attachment {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.sent[id]
	if a == nil {
		a = &attachment{}
		l.sent[id] = a
	}
	return a
}

// carry sees to it that a transaction is on its way: it sends it in a block, or once
// more when that block got lost. It returns ledger.ErrUncertain when no node
// takes it, or ctx ends first, and [ErrRefused] when the ledger found it wrong, and
// then it is forgotten. What is under way goes on when the caller leaves.
func (l *Ledger) carry(ctx context.Context, p *pending) error {
	done := make(chan error, 1)
	go func() { done <- l.carryOnce(p) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("sending: %w: %w", ledger.ErrUncertain, ctx.Err())
	}
}

func (l *Ledger) carryOnce(p *pending) error {
	a := l.attachment(p.id)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.node != nil && !a.node.down.Load() {
		lost, err := l.lost(a)
		if errors.Is(err, ErrRefused) {
			return l.drop(p, err)
		}
		if err != nil || !lost {
			return nil // nothing new: the next milestones tell
		}
	}
	return l.attach(a, p)
}

// lost reports whether a block will not be referenced any more. It asks the node
// now and then.
func (l *Ledger) lost(a *attachment) (bool, error) {
	now := l.now()
	if now < a.at+patientMilestones || now < a.checked+patientMilestones {
		return false, nil
	}
	a.checked = now
	var meta *inx.BlockMetadata
	err := a.node.ask(l.ctx, askTimeout, func(ctx context.Context, n *node) (err error) {
		meta, err = n.ReadBlockMetadata(ctx, inx.NewBlockId(a.block))
		return err
	})
	if status.Code(err) == codes.NotFound {
		return true, nil
	}
	if err != nil {
		a.node.gone(l.ctx, err)
		return false, err
	}
	if meta.GetReferencedByMilestoneIndex() != 0 {
		return false, refusal(meta)
	}
	return meta.GetShouldReattach() || now >= a.at+lostMilestones, nil
}

// refusal returns ErrRefused for a transaction that is wrong in itself. That its
// input is spent or not there yet is no such reason: what spent it, the archive knows.
func refusal(meta *inx.BlockMetadata) error {
	switch reason := meta.GetConflictReason(); reason {
	case inx.BlockMetadata_CONFLICT_REASON_NONE,
		inx.BlockMetadata_CONFLICT_REASON_INPUT_ALREADY_SPENT,
		inx.BlockMetadata_CONFLICT_REASON_INPUT_ALREADY_SPENT_IN_THIS_MILESTONE,
		inx.BlockMetadata_CONFLICT_REASON_INPUT_NOT_FOUND:
		return nil
	default:
		return fmt.Errorf("%w: %s", ErrRefused, reason)
	}
}

// drop forgets a refused transaction.
func (l *Ledger) drop(p *pending, reason error) error {
	err := l.db.Update(l.ctx, func(tx *sql.Tx) error { return forget(l.ctx, tx, p.id) })
	if err != nil {
		return outcome(err)
	}
	return fmt.Errorf("message %d of channel %s: %w", p.number, p.channel, reason)
}

// attach sends a transaction in a new block, over the first node that takes it.
func (l *Ledger) attach(a *attachment, p *pending) error {
	var failed error
	for _, n := range l.nodes.inOrder() {
		at := l.now()
		block, err := l.sendTo(n, p.payload)
		if err == nil {
			a.block, a.node, a.at, a.checked = block, n, at, at
			return nil
		}
		n.gone(l.ctx, err)
		failed = errors.Join(failed, err)
	}
	return fmt.Errorf("sending message %d of channel %s: %w: %w", p.number, p.channel, ledger.ErrUncertain, failed)
}

// sendTo sends a transaction to one node.
func (l *Ledger) sendTo(n *node, payload []byte) (iotago.BlockID, error) {
	select {
	case n.sending <- struct{}{}:
		defer func() { <-n.sending }()
	case <-l.ctx.Done():
		return iotago.BlockID{}, l.ctx.Err()
	}
	var tips *inx.TipsResponse
	err := n.ask(l.ctx, askTimeout, func(ctx context.Context, n *node) (err error) {
		tips, err = n.RequestTips(ctx, &inx.TipsRequest{Count: iotago.BlockMaxParents, AllowSemiLazy: true})
		return err
	})
	if err != nil {
		return iotago.BlockID{}, err
	}
	raw, err := l.block(l.ctx, payload, tips.UnwrapTips())
	if err != nil {
		return iotago.BlockID{}, err
	}
	var id *inx.BlockId
	err = n.ask(l.ctx, submitTimeout, func(ctx context.Context, n *node) (err error) {
		id, err = n.SubmitBlock(ctx, &inx.RawBlock{Data: raw})
		return err
	})
	return id.Unwrap(), err
}

// now returns the milestone that this process has archived.
func (l *Ledger) now() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.milestone
}

// forgetAfter is how many milestones a block is remembered; a transaction that is
// still undecided then is sent once more.
const forgetAfter = 64

// forgetSent forgets old blocks. l.mu is held.
func (l *Ledger) forgetSent(index uint32) {
	for id, a := range l.sent {
		if a.mu.TryLock() {
			if a.at+forgetAfter < index {
				delete(l.sent, id)
			}
			a.mu.Unlock()
		}
	}
}
