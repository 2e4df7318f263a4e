package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// persistEvery is after how many milestones without anything of ours the archive's
// position is written all the same.
const persistEvery = 256

// archive stores what a milestone changed, in one transaction, and then lets
// everybody look who waits.
func (l *Ledger) archive(ctx context.Context, n *node, u *update) error {
	if at := l.now(); u.index != at+1 {
		return fmt.Errorf("milestone follows %d", at)
	}
	if len(u.states) > 0 {
		if err := l.prove(ctx, n, u); err != nil {
			return err
		}
	}
	changes := len(u.states)+len(u.earned)+len(u.spent) > 0
	touched := make([]channel.ID, 0, len(u.states))
	for _, s := range u.states {
		touched = append(touched, s.of)
	}
	if changes || u.index%persistEvery == 0 {
		err := l.db.Update(ctx, func(tx *sql.Tx) error {
			dead, err := l.apply(ctx, tx, u)
			touched = append(touched, dead...)
			return err
		})
		if err != nil {
			return err
		}
	}
	l.advance(u.index, changes, touched)
	return nil
}

// advance tells everybody in this process that a milestone is archived.
func (l *Ledger) advance(index uint32, changes bool, touched []channel.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.milestone, l.moved, l.trouble = index, time.Now(), nil
	close(l.passed)
	l.passed = make(chan struct{})
	if changes {
		close(l.news)
		l.news = make(chan struct{})
	}
	for _, id := range touched {
		if bell := l.bells[id]; bell != nil {
			close(bell)
			delete(l.bells, id)
		}
	}
	if index%forgetAfter == 0 {
		l.forgetSent(index)
	}
}

// apply writes an update, unless another process has done it: all derive the same
// from the ledger. It returns the channels whose creation has lost its money.
func (l *Ledger) apply(ctx context.Context, tx *sql.Tx, u *update) (dead []channel.ID, err error) {
	var at, funded int64
	if err := tx.QueryRowContext(ctx, "SELECT milestone, funded FROM archive").Scan(&at, &funded); err != nil {
		return nil, err
	}
	if at >= int64(u.index) {
		return nil, nil
	}
	u.old = int64(u.index) <= funded
	if len(u.states) > 0 {
		if err := l.applyStates(ctx, tx, u); err != nil {
			return nil, err
		}
	}
	if !u.old {
		if err := applyMoney(ctx, tx, u); err != nil {
			return nil, err
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE archive SET milestone = $1", int64(u.index)); err != nil {
		return nil, err
	}
	if err := settle(ctx, tx); err != nil || len(u.spent) == 0 {
		return nil, err
	}
	return readDead(ctx, tx)
}

// readDead returns the channels whose creation needs another transaction.
func readDead(ctx context.Context, q querier) (dead []channel.ID, err error) {
	rows, err := q.QueryContext(ctx, "SELECT channel FROM pending WHERE dead = 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		if len(id) == len(channel.ID{}) {
			dead = append(dead, channel.ID(id))
		}
	}
	return dead, rows.Err()
}

// applyStates writes the new states of our aliases, in the ledger's order.
func (l *Ledger) applyStates(ctx context.Context, tx *sql.Tx, u *update) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO milestone (id, raw) VALUES ($1, $2)", int64(u.index), u.raw)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE archive SET milestone_id = $1, identified = $2", u.id[:], int64(u.index))
	if err != nil {
		return err
	}
	last := -1
	for _, s := range u.states {
		// Two states in one transaction have one place: the first is what counts.
		counts, err := l.applyState(ctx, tx, u, s, s.index != last)
		if err != nil {
			return err
		}
		if counts {
			last = s.index
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE archive SET ignored = ignored + 1"); err != nil {
			return err
		}
	}
	return nil
}

// applyState writes one state of an alias; it reports whether that is a message in
// its place.
func (l *Ledger) applyState(ctx context.Context, tx *sql.Tx, u *update, s *state, alone bool) (bool, error) {
	c, err := readChain(ctx, tx, s.of)
	known := err == nil
	if errors.Is(err, ledger.ErrNotListed) {
		c, err = &chain{id: s.of}, nil
	}
	if err != nil {
		return false, err
	}
	counts, err := l.next(ctx, tx, c, s)
	if err != nil {
		return false, err
	}
	counts = counts && alone
	id := s.aliasID()
	if old := c.alias.Empty() || c.alias == id; old && u.old && c.next == 0 && !s.alias.AliasEmpty() {
		return true, takeUnproved(ctx, tx, s, uint64(s.alias.StateIndex)+1) // made before the archive begins
	}
	if !counts && (c.alias.Empty() || c.alias != id) {
		return false, nil // an alias that is no channel
	}
	query := "UPDATE channel SET alias = $2, output = $3, raw = $4, next = $5 WHERE id = $1"
	if !known {
		query = "INSERT INTO channel (id, alias, output, raw, next, first) VALUES ($1, $2, $3, $4, $5, 0)"
	}
	if counts {
		c.next++
	}
	if _, err := tx.ExecContext(ctx, query, c.id[:], id[:], s.id[:], s.raw, int64(c.next)); err != nil || !counts {
		return false, err
	}
	return true, insertEntry(ctx, tx, entryRow{
		Entry: ledger.Entry{Message: s.message, Time: u.time, Index: uint64(u.index)<<32 | uint64(s.index)},
		block: s.block, size: u.size, path: s.path,
	})
}

// says returns the message in a state that is laid out and numbered as a channel's.
func (l *Ledger) says(s *state) (channel.Message, bool) {
	m, err := channel.Parse(s.alias.StateMetadata)
	return m, err == nil && m.Channel() == s.of && m.Number() == uint64(s.alias.StateIndex) && l.governed(s.alias, s.of)
}

// next reports whether a state is the channel's next message and the alias is the
// channel's.
func (l *Ledger) next(ctx context.Context, q querier, c *chain, s *state) (bool, error) {
	m := s.message
	if m.IsZero() {
		return false, nil
	}
	if c.next == 0 {
		return s.alias.AliasEmpty() && (c.alias.Empty() || c.alias == s.aliasID()) && m.Check(c.id, m.Mode(), 0, channel.Hash{}) == nil, nil
	}
	head, err := c.head(ctx, q)
	if err != nil || c.alias != s.aliasID() {
		return false, err
	}
	return m.Check(c.id, head.Mode(), c.next, head.Hash()) == nil, nil
}

// applyMoney writes what came and what went. A creation whose money went to another
// transaction can never be applied any more.
func applyMoney(ctx context.Context, tx *sql.Tx, u *update) error {
	for _, m := range u.earned {
		if err := earn(ctx, tx, m); err != nil {
			return err
		}
	}
	for _, s := range u.spent {
		_, err := tx.ExecContext(ctx, "UPDATE pending SET dead = 1 WHERE tx <> $1 AND tx IN (SELECT tx FROM funding WHERE output = $2)", s.by[:], s.id[:])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM funding WHERE output = $1", s.id[:]); err != nil {
			return err
		}
	}
	return nil
}

func earn(ctx context.Context, tx *sql.Tx, m money) error {
	raw, err := m.raw.Serialize(serializer.DeSeriModeNoValidation, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO funding (output, raw, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", m.id[:], raw, int64(m.raw.Amount))
	return err
}

// settle forgets transactions that can never be applied: their number is taken, by
// them or by others, or the state that they move on is spent.
func settle(ctx context.Context, tx *sql.Tx) error {
	for _, query := range []string{
		"DELETE FROM pending WHERE number < (SELECT next FROM channel WHERE id = pending.channel)" +
			" OR input <> (SELECT output FROM channel WHERE id = pending.channel)",
		"UPDATE funding SET tx = NULL WHERE tx NOT IN (SELECT tx FROM pending WHERE dead = 0)",
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}
