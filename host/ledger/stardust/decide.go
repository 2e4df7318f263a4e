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
		e, err := readEntry(ctx, tx, m.Channel(), m.Number())
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
	case p.message.Hash() != m.Hash():
		return decision{first: p}, nil
	case p.dead:
		return l.renew(ctx, tx, p)
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
	p := &pending{message: r.message, since: l.o.Now().UTC()}
	if c.next == 0 {
		return l.lay(ctx, tx, p)
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

// renew signs another transaction for a channel's first message whose money went
// elsewhere: the one before can never be applied any more.
func (l *Ledger) renew(ctx context.Context, tx *sql.Tx, p *pending) (decision, error) {
	if err := forget(ctx, tx, p.id); err != nil {
		return decision{}, err
	}
	return l.lay(ctx, tx, p)
}

// lay signs a transaction that creates a channel.
func (l *Ledger) lay(ctx context.Context, tx *sql.Tx, p *pending) (decision, error) {
	all, free, err := readMoney(ctx, tx)
	if err != nil {
		return decision{}, failed(err)
	}
	with := l.choose(free, p.message)
	if len(with) == 0 && all > len(free) {
		return decision{unpaid: true}, nil
	}
	if len(with) == 0 {
		return decision{}, fmt.Errorf("%w: %w: %d needed, address %s", ledger.ErrUnavailable, ErrNoFunds, l.deposit, l.address())
	}
	if p.transaction, err = l.create(p.message, with, all < poolSize); err != nil {
		return decision{}, fmt.Errorf("%w: signing: %w", ledger.ErrUnavailable, err)
	}
	for _, m := range with {
		if _, err := tx.ExecContext(ctx, "UPDATE funding SET tx = $1 WHERE output = $2", p.id[:], m.id[:]); err != nil {
			return decision{}, failed(err)
		}
	}
	return decision{pending: p}, keep(ctx, tx, p, nil)
}

// keep archives a transaction before it is sent.
func keep(ctx context.Context, tx *sql.Tx, p *pending, input []byte) error {
	id, hash := p.message.Channel(), p.message.Hash()
	_, err := tx.ExecContext(ctx, "INSERT INTO pending (channel, number, hash, message, tx, payload, input, since, dead) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
		id[:], int64(p.message.Number()), hash[:], p.message.Bytes(), p.id[:], p.payload, input, p.since.UnixMilli())
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

// readMoney returns how many outputs of money there are and those that no undecided
// transaction spends, the smallest first.
func readMoney(ctx context.Context, q querier) (all int, free []money, err error) {
	rows, err := q.QueryContext(ctx, "SELECT output, raw, tx FROM funding ORDER BY amount, output")
	if err != nil {
		return 0, nil, unreadable(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, raw, tx []byte
		if err := rows.Scan(&id, &raw, &tx); err != nil {
			return 0, nil, unreadable(ctx, err)
		}
		all++
		if tx != nil {
			continue
		}
		output, err := parseOutput(raw)
		if err != nil {
			return 0, nil, err
		}
		basic, ok := output.(*iotago.BasicOutput)
		if !ok || len(id) != iotago.OutputIDLength {
			return 0, nil, errors.New("archived money is none")
		}
		free = append(free, money{iotago.OutputID(id), basic})
	}
	return all, free, unreadable(ctx, rows.Err())
}
