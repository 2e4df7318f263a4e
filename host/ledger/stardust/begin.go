package stardust

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

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

// unspent is what a node has of ours, as of a milestone.
type unspent struct {
	index  uint32
	states []*state
	money  []money
}

func (l *Ledger) readUnspent(ctx context.Context, n *node) (*unspent, error) {
	stream, err := n.ReadUnspentOutputs(ctx, &inx.NoParams{})
	if err != nil {
		return nil, err
	}
	all := &update{}
	for {
		o, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return &unspent{all.index, all.states, all.earned}, nil
		}
		if err != nil {
			return nil, err
		}
		all.index = o.GetLedgerIndex()
		if err := l.created(all, o.GetOutput()); err != nil {
			return nil, err
		}
	}
}

// pruned returns the last milestone of which a node has forgotten something.
func pruned(s *inx.NodeStatus) uint32 {
	return max(s.GetLedgerPruningIndex(), s.GetTanglePruningIndex(), s.GetMilestonesPruningIndex())
}

// found begins an archive. Where the issuer has aliases already, it begins where the
// node's memory does, and the stream brings the rest; what the node has forgotten is
// marked as missing.
func (l *Ledger) found(ctx context.Context, n *node, status *inx.NodeStatus) error {
	have, err := l.readUnspent(context.WithoutCancel(ctx), n)
	if err != nil {
		return err
	}
	begin := have.index
	if len(have.states) > 0 {
		begin = pruned(status)
	}
	l.milestone = begin
	return l.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO archive (id, network, issuer, milestone, identified, funded, size, ignored) VALUES (1, $1, $2, $3, 0, $4, 0, 0)",
			l.params.NetworkName, l.issuer[:], int64(begin), int64(have.index))
		if err != nil {
			return err
		}
		return l.take(ctx, tx, have, begin)
	})
}

// take writes what is unspent into the archive. Aliases that were last moved up to a
// milestone before which nothing can be had become channels with missing history.
func (l *Ledger) take(ctx context.Context, tx *sql.Tx, have *unspent, begin uint32) error {
	for _, m := range have.money {
		if err := earn(ctx, tx, m); err != nil {
			return err
		}
	}
	for _, s := range have.states {
		if s.booked > begin {
			continue
		}
		c, err := readChain(ctx, tx, s.of)
		if err != nil && !errors.Is(err, ledger.ErrNotListed) {
			return err
		}
		if err == nil && (c.output == s.id || !c.alias.Empty() && c.alias != s.aliasID()) {
			continue
		}
		if err := l.takeUnproved(ctx, tx, s); err != nil {
			return err
		}
	}
	return nil
}

// takeUnproved makes an alias that is somewhere in its course a channel whose
// messages up to there are missing.
func (l *Ledger) takeUnproved(ctx context.Context, tx *sql.Tx, s *state) error {
	m, ok := l.says(s)
	if !ok || m.Channel() != s.of {
		return nil
	}
	id := s.aliasID()
	_, err := tx.ExecContext(ctx, "INSERT INTO channel (id, alias, output, raw, next, first) VALUES ($1, $2, $3, $4, $5, $5)"+
		" ON CONFLICT (id) DO UPDATE SET alias = excluded.alias, output = excluded.output, raw = excluded.raw, next = excluded.next, first = excluded.first",
		s.of[:], id[:], s.id[:], s.raw, int64(m.Number())+1)
	return err
}

// bridge goes on from what a node has unspent, over a gap in the history that no
// node can tell any more. Channels that were written in it have missing messages.
func (l *Ledger) bridge(ctx context.Context, n *node) error {
	have, err := l.readUnspent(ctx, n)
	if err != nil {
		return err
	}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		at, err := position(ctx, tx)
		if err != nil || at >= have.index {
			return err
		}
		if err := l.loseMoney(ctx, tx, have); err != nil {
			return err
		}
		if err := l.take(ctx, tx, have, have.index); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE archive SET milestone = $1, funded = $1", int64(have.index)); err != nil {
			return err
		}
		return settle(ctx, tx)
	})
	if err == nil {
		l.advance(have.index, true, nil)
	}
	return err
}

// loseMoney removes money that is not unspent any more. A creation that had it and
// whose alias is not there can never be applied.
func (l *Ledger) loseMoney(ctx context.Context, tx *sql.Tx, have *unspent) error {
	unspent, made := map[string]bool{}, map[iotago.AliasID]bool{}
	for _, m := range have.money {
		unspent[string(m.id[:])] = true
	}
	for _, s := range have.states {
		made[s.aliasID()] = true
	}
	lost, err := readLost(ctx, tx, unspent)
	if err != nil {
		return err
	}
	for output, by := range lost {
		if _, err := tx.ExecContext(ctx, "DELETE FROM funding WHERE output = $1", []byte(output)); err != nil {
			return err
		}
		if by == nil || made[iotago.AliasIDFromOutputID(iotago.OutputIDFromTransactionIDAndIndex(iotago.TransactionID(by), 0))] {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE pending SET dead = 1 WHERE tx = $1", by); err != nil {
			return err
		}
	}
	return nil
}

// readLost returns the archived money that is not unspent, with the transaction
// that was to spend it.
func readLost(ctx context.Context, q querier, unspent map[string]bool) (map[string][]byte, error) {
	rows, err := q.QueryContext(ctx, "SELECT output, tx FROM funding")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lost := map[string][]byte{}
	for rows.Next() {
		var output, by []byte
		if err := rows.Scan(&output, &by); err != nil {
			return nil, err
		}
		if !unspent[string(output)] {
			lost[string(output)] = by
		}
	}
	return lost, rows.Err()
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
