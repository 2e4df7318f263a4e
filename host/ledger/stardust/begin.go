package stardust

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/iotaledger/hive.go/serializer/v2"
	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/pkg/ledger"
)

// begin reads what the network is from the first node that answers, and makes the
// archive its or compares.
func (l *Ledger) begin(ctx context.Context) error {
	return l.nodes.ask(ctx, func(ctx context.Context, n *node) error {
		status, err := n.ReadNodeStatus(ctx, &inx.NoParams{})
		if err != nil {
			return err
		}
		config, err := n.ReadNodeConfiguration(ctx, &inx.NoParams{})
		if err != nil {
			return err
		}
		if err := l.learn(status, config); err != nil {
			return err
		}
		l.nodes.use(n)
		var network string
		var issuer []byte
		var milestone int64
		err = l.db.Read().QueryRowContext(ctx, "SELECT network, issuer, milestone FROM archive").Scan(&network, &issuer, &milestone)
		if errors.Is(err, sql.ErrNoRows) {
			return l.found(ctx, n, status)
		}
		if err != nil {
			return unreadable(ctx, err)
		}
		if network != l.params.NetworkName || string(issuer) != string(l.issuer[:]) {
			return fmt.Errorf("%w: network %q, issuer 0x%x", ErrOtherNetwork, network, issuer)
		}
		l.milestone = uint32(milestone)
		if err := l.same(ctx, n, status); errors.Is(err, ErrOtherNetwork) {
			return err
		}
		return nil // one that is behind may come along
	})
}

// learn takes the network's parameters and its coordinator's keys from a node.
func (l *Ledger) learn(status *inx.NodeStatus, config *inx.NodeConfiguration) error {
	l.params = &iotago.ProtocolParameters{}
	raw := status.GetCurrentProtocolParameters().GetParams()
	if _, err := l.params.Deserialize(raw, serializer.DeSeriModeNoValidation, nil); err != nil {
		return fmt.Errorf("protocol parameters: %w", err)
	}
	l.deposit = depositOf(l.params)
	l.keys, l.threshold = config.GetMilestoneKeyRanges(), int(config.GetMilestonePublicKeyCount())
	if err := l.policy(status.GetLedgerIndex()).Check(); err != nil {
		return fmt.Errorf("coordinator of network %q: %w", l.params.NetworkName, err)
	}
	return nil
}

// coordinators returns whose keys may sign a milestone: those that the options name,
// or what a node says.
func (l *Ledger) coordinators(milestone uint32) []ledger.Coordinator {
	if len(l.o.Coordinators) > 0 {
		return l.o.Coordinators
	}
	c := ledger.Coordinator{Network: l.params.NetworkName, Threshold: l.threshold}
	for _, r := range l.keys {
		if r.GetStartIndex() <= milestone && (r.GetEndIndex() == 0 || milestone <= r.GetEndIndex()) {
			c.Keys = append(c.Keys, hex.EncodeToString(r.GetPublicKey()))
		}
	}
	return []ledger.Coordinator{c}
}

// policy trusts the network's coordinators of a milestone's time.
func (l *Ledger) policy(milestone uint32) ledger.Policy {
	return ledger.Policy{Coordinators: l.coordinators(milestone)}
}

// same reports whether a node has the ledger that the archive has seen:
// [ErrOtherNetwork] when it has another milestone where the archive has one. A node
// that is not that far yet has to go on first.
func (l *Ledger) same(ctx context.Context, n *node, status *inx.NodeStatus) error {
	var id []byte
	var index int64
	err := l.db.Read().QueryRowContext(ctx, "SELECT milestone_id, identified FROM archive").Scan(&id, &index)
	if err != nil {
		return unreadable(ctx, err)
	}
	if uint32(index) > status.GetLedgerIndex() {
		return fmt.Errorf("node %s is at milestone %d, archive has seen %d", n.INX, status.GetLedgerIndex(), index)
	}
	if len(id) == 0 || uint32(index) <= pruned(status) {
		return nil
	}
	var ms *inx.Milestone
	err = n.ask(ctx, askTimeout, func(ctx context.Context, n *node) (err error) {
		ms, err = n.ReadMilestone(ctx, &inx.MilestoneRequest{MilestoneIndex: uint32(index)})
		return err
	})
	if err != nil {
		return err
	}
	if got := ms.GetMilestoneInfo().GetMilestoneId().GetId(); string(got) != string(id) {
		return fmt.Errorf("%w: node %s has another milestone %d", ErrOtherNetwork, n.INX, index)
	}
	return nil
}
