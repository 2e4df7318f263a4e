package stardust

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	inx "github.com/iotaledger/inx/go"
)

const (
	// silentStream is how long the stream of milestones may be silent before the
	// nodes are asked whether there was one.
	silentStream = 2 * time.Second
	// retryPause is the pause before a stream is opened again.
	retryPause = 100 * time.Millisecond
)

// errSilent ends a stream that does not tell what other nodes have.
var errSilent = errors.New("node does not tell its milestones")

// errForgot ends a stream that cannot begin where the archive ends.
var errForgot = errors.New("node has forgotten what follows the archive")

// follow archives milestone after milestone until Close, from one node after the
// other.
func (l *Ledger) follow() {
	for l.ctx.Err() == nil {
		n := l.nodes.inOrder()[0]
		l.nodes.use(n)
		err := l.stream(n)
		if errors.Is(err, errForgot) && l.nodes.allForgot(l.ctx, l.now()) {
			err = l.bridge(l.ctx, n)
		}
		if l.ctx.Err() != nil {
			return
		}
		if err != nil {
			n.gone(l.ctx, err)
			l.setTrouble(err)
			l.nodes.leave(n)
		}
		select {
		case <-l.ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// setTrouble remembers why the archive does not go on.
func (l *Ledger) setTrouble(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = err
}

// stream archives what one node tells, from the archive's end on, until the node
// fails.
func (l *Ledger) stream(n *node) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	s, err := n.status(ctx)
	if err != nil {
		return err
	}
	if err := l.same(ctx, n, s); err != nil {
		n.down.Store(true)
		return err
	}
	if forgotten := pruned(s); forgotten > l.now() {
		return fmt.Errorf("%w: archive ends at milestone %d, node %s begins after %d", errForgot, l.now(), n.INX, forgotten)
	}
	stream, err := n.ListenToLedgerUpdates(ctx, &inx.MilestoneRangeRequest{StartMilestoneIndex: l.now() + 1})
	if err != nil {
		return err
	}
	var heard atomic.Int64
	heard.Store(time.Now().UnixNano())
	go l.listen(ctx, n, &heard, cancel)
	for {
		u, err := l.receive(stream)
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if err := l.archive(ctx, n, u); err != nil {
			return fmt.Errorf("milestone %d from node %s: %w", u.index, n.INX, err)
		}
		heard.Store(time.Now().UnixNano())
	}
}

// listen ends the stream of a node that has fallen silent: the node itself or
// another one has more than the archive.
func (l *Ledger) listen(ctx context.Context, n *node, heard *atomic.Int64, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(silentStream / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(time.Unix(0, heard.Load())) < silentStream {
			continue
		}
		if _, err := n.status(ctx); err != nil {
			cancel(err)
			return
		}
		index, err := l.nodes.furthest(ctx)
		if err == nil && index > l.now() && time.Since(time.Unix(0, heard.Load())) > silentStream {
			cancel(fmt.Errorf("%w: archive is at %d of %d", errSilent, l.now(), index))
			return
		}
	}
}

// receive reads all that the stream says of one milestone.
func (l *Ledger) receive(stream inx.INX_ListenToLedgerUpdatesClient) (*update, error) {
	var u *update
	var outputs, spents uint32
	for {
		message, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		marker := message.GetBatchMarker()
		if begins := marker != nil && marker.GetMarkerType() == inx.LedgerUpdate_Marker_BEGIN; begins != (u == nil) {
			return nil, errors.New("node's ledger update is out of order")
		}
		switch op := message.GetOp().(type) {
		case *inx.LedgerUpdate_BatchMarker:
			if u == nil {
				u = &update{index: marker.GetMilestoneIndex()}
				continue
			}
			if marker.GetCreatedCount() != outputs || marker.GetConsumedCount() != spents || marker.GetMilestoneIndex() != u.index {
				return nil, errors.New("node's ledger update is incomplete")
			}
			return u, nil
		case *inx.LedgerUpdate_Created:
			outputs++
			err = l.created(u, op.Created)
		case *inx.LedgerUpdate_Consumed:
			spents++
			err = l.consumed(u, op.Consumed)
		}
		if err != nil {
			return nil, err
		}
	}
}
