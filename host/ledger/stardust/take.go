package stardust

import (
	"context"
	"database/sql"
	"errors"
	"io"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

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

// take writes what is unspent into the archive. A channel whose alias was last moved
// no later than a milestone before which nothing can be had becomes one with missing
// history; that of any other is brought by the stream, for the alias that is the
// channel's.
func (l *Ledger) take(ctx context.Context, tx *sql.Tx, have *unspent, begin uint32) error {
	for _, m := range have.money {
		if err := earn(ctx, tx, m); err != nil {
			return err
		}
	}
	for id, s := range have.channels() {
		c, err := readChain(ctx, tx, id)
		if err != nil && !errors.Is(err, ledger.ErrNotListed) {
			return err
		}
		if err == nil && (c.output == s.id || !c.alias.Empty() && c.alias != s.aliasID()) {
			continue
		}
		first := uint64(s.alias.StateIndex) + 1
		if s.booked > begin {
			first = 0
		}
		if err := takeUnproved(ctx, tx, s, first); err != nil {
			return err
		}
	}
	return nil
}

// channels returns the one alias of each channel: where the issuer has made two, the
// second was never moved, and stands at state 0 since a later milestone. Of two made
// in one milestone nothing here tells which is the first.
func (u *unspent) channels() map[channel.ID]*state {
	best, tied := map[channel.ID]*state{}, map[channel.ID]bool{}
	for _, s := range u.states {
		b := best[s.of]
		switch {
		case b == nil || s.alias.StateIndex > b.alias.StateIndex ||
			s.alias.StateIndex == b.alias.StateIndex && s.booked < b.booked:
			best[s.of], tied[s.of] = s, false
		case s.alias.StateIndex == b.alias.StateIndex && s.booked == b.booked:
			tied[s.of] = true
		}
	}
	for id := range tied {
		if tied[id] || id == (channel.ID{}) {
			delete(best, id)
		}
	}
	return best
}

// takeUnproved makes an alias that is somewhere in its course the channel's. Messages
// before first are missing; with 0 the stream brings all of them.
func takeUnproved(ctx context.Context, tx *sql.Tx, s *state, first uint64) error {
	id := s.aliasID()
	_, err := tx.ExecContext(ctx, "INSERT INTO channel (id, alias, output, raw, next, first) VALUES ($1, $2, $3, $4, $5, $5)"+
		" ON CONFLICT (id) DO UPDATE SET alias = excluded.alias, output = excluded.output, raw = excluded.raw, next = excluded.next, first = excluded.first",
		s.of[:], id[:], s.id[:], s.raw, int64(first))
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
