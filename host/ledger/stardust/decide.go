package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// request asks what is to become of a message. Without an author the message of a
// channel that exists cannot be signed for.
type request struct {
	message channel.Message
	author  *channel.Author
}

// decision is what becomes of a message: one of these, all but the last durable.
type decision struct {
	entry   *ledger.Entry // it is recorded
	pending *pending      // its transaction is signed, now or before
	first   *pending      // another message's transaction has to be decided first
	unpaid  bool          // all money is in undecided transactions
}

// decideAll decides messages in the order they came, in the archive's transaction.
func (l *Ledger) decideAll(ctx context.Context, tx *sql.Tx, batch []request) ([]store.Result[decision], error) {
	results := make([]store.Result[decision], len(batch))
	for i, r := range batch {
		d, err := l.decide(ctx, tx, r)
		if errors.Is(err, errArchive) {
			return nil, err
		}
		results[i] = store.Result[decision]{Value: d, Err: err}
	}
	return results, nil
}

// errArchive marks an error that is not about one message.
var errArchive = errors.New("archive")

func failed(err error) error { return fmt.Errorf("%w: %w", errArchive, err) }

func (l *Ledger) decide(ctx context.Context, tx *sql.Tx, r request) (decision, error) {
	m := r.message
	c, err := readChain(ctx, tx, m.Channel())
	if errors.Is(err, ledger.ErrNotListed) {
		return decision{}, err
	}
	if err != nil {
		return decision{}, failed(err)
	}
	if c.first > 0 {
		return decision{}, missing("messages of channel %s before %d", c.id, c.first)
	}
	if m.Number() < c.next {
		e, err := needEntry(ctx, tx, m.Channel(), m.Number())
		if err != nil {
			return decision{}, failed(err)
		}
		if e.Message.Hash() != m.Hash() {
			return decision{}, &ledger.Conflict{Winner: e}
		}
		return decision{entry: &e}, nil
	}
	if err := l.continues(ctx, tx, c, m); err != nil {
		return decision{}, err
	}
	p, err := readPending(ctx, tx, m.Channel(), m.Number())
	switch {
	case err != nil:
		return decision{}, failed(err)
	case p == nil:
		return l.sign(ctx, tx, c, r)
	case p.hash != m.Hash():
		return decision{first: p}, nil
	case p.dead: // it can never be applied any more: another takes its place
		return l.lay(ctx, tx, p, m)
	}
	return decision{pending: p}, nil
}

// continues reports whether m is the channel's next message, and whether the alias
// stands where that can be written.
func (l *Ledger) continues(ctx context.Context, q querier, c *chain, m channel.Message) error {
	if c.next == 0 {
		return m.Check(m.Channel(), m.Mode(), 0, channel.Hash{})
	}
	head, err := c.head(ctx, q)
	if err != nil {
		return failed(err)
	}
	if err := m.Check(c.id, head.Mode(), c.next, head.Hash()); err != nil {
		return err
	}
	output, err := parseOutput(c.raw)
	if err != nil {
		return failed(err)
	}
	if alias, ok := output.(*iotago.AliasOutput); !ok || uint64(alias.StateIndex)+1 != c.next {
		return fmt.Errorf("author moved the alias of channel %s on without a message, which ended it: %w", c.id, channel.ErrBrokenChain)
	}
	return nil
}

// sign signs the first transaction for a message.
func (l *Ledger) sign(ctx context.Context, tx *sql.Tx, c *chain, r request) (decision, error) {
	p := newPending(r.message, l.o.Now())
	if c.next == 0 {
		return l.lay(ctx, tx, p, r.message)
	}
	if r.author == nil {
		return decision{}, fmt.Errorf("%w: channel %s: %w", ledger.ErrUnavailable, c.id, ErrNoAuthor)
	}
	var err error
	if p.transaction, err = l.move(c, r.message, r.author); err != nil {
		return decision{}, fmt.Errorf("%w: signing: %w", ledger.ErrUnavailable, err)
	}
	return decision{pending: p}, keep(ctx, tx, p, c.output[:])
}

// lay signs a transaction that creates a channel, in place of one that can never be
// applied any more. That one stays where there is no money for another.
func (l *Ledger) lay(ctx context.Context, tx *sql.Tx, p *pending, m channel.Message) (decision, error) {
	purses, used, err := l.countMoney(ctx, tx)
	if err != nil {
		return decision{}, failed(err)
	}
	free, err := readMoney(ctx, tx)
	if err != nil {
		return decision{}, failed(err)
	}
	with := l.choose(free, m)
	if len(with) == 0 && used > 0 {
		return decision{unpaid: true}, nil
	}
	if len(with) == 0 {
		return decision{}, fmt.Errorf("%w: %w: %d needed, address %s", ledger.ErrUnavailable, ErrNoFunds, l.deposit, l.address())
	}
	next, err := l.create(m, with, purses < poolSize)
	if err != nil {
		return decision{}, fmt.Errorf("%w: signing: %w", ledger.ErrUnavailable, err)
	}
	if err := forget(ctx, tx, p.id); err != nil {
		return decision{}, err
	}
	p.transaction, p.dead = next, false
	for _, spends := range with {
		if _, err := tx.ExecContext(ctx, "UPDATE funding SET tx = $1 WHERE output = $2", p.id[:], spends.id[:]); err != nil {
			return decision{}, failed(err)
		}
	}
	return decision{pending: p}, keep(ctx, tx, p, nil)
}

// keep archives a transaction before it is sent.
func keep(ctx context.Context, tx *sql.Tx, p *pending, input []byte) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO pending (channel, number, hash, message, tx, payload, input, since, dead) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
		p.channel[:], int64(p.number), p.hash[:], p.raw, p.id[:], p.payload, input, p.since.UnixMilli())
	if err != nil {
		return failed(err)
	}
	return nil
}

// forget removes a transaction that can never be applied, and gives its money free.
func forget(ctx context.Context, tx *sql.Tx, id iotago.TransactionID) error {
	for _, query := range []string{"DELETE FROM pending WHERE tx = $1", "UPDATE funding SET tx = NULL WHERE tx = $1"} {
		if _, err := tx.ExecContext(ctx, query, id[:]); err != nil {
			return failed(err)
		}
	}
	return nil
}

// countMoney returns how many outputs are enough for a deposit, and how many
// undecided transactions are to spend.
func (l *Ledger) countMoney(ctx context.Context, q querier) (purses, used int, err error) {
	err = q.QueryRowContext(ctx, "SELECT coalesce(sum(CASE WHEN amount >= $1 THEN 1 ELSE 0 END), 0), count(tx) FROM funding", int64(l.deposit)).
		Scan(&purses, &used)
	return purses, used, unreadable(ctx, err)
}

// readMoney returns outputs that no undecided transaction spends, the largest first.
// Anybody can send small ones: they are left where they are.
func readMoney(ctx context.Context, q querier) (free []money, err error) {
	rows, err := q.QueryContext(ctx, "SELECT output, raw FROM funding WHERE tx IS NULL ORDER BY amount DESC, output LIMIT $1", 2*poolSize)
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, raw []byte
		if err := rows.Scan(&id, &raw); err != nil {
			return nil, unreadable(ctx, err)
		}
		output, err := parseOutput(raw)
		if err != nil {
			return nil, err
		}
		basic, ok := output.(*iotago.BasicOutput)
		if !ok || len(id) != iotago.OutputIDLength {
			return nil, errors.New("archived money is none")
		}
		free = append(free, money{iotago.OutputID(id), basic})
	}
	return free, unreadable(ctx, rows.Err())
}
