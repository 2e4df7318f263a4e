package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// querier reads the archive, within a transaction or without.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// chain is a channel as the archive has it.
type chain struct {
	id     channel.ID
	alias  iotago.AliasID // zero before the first message
	output iotago.OutputID
	raw    []byte
	next   uint64
	first  uint64 // messages before it are missing
}

// pending is a transaction whose outcome is not known.
type pending struct {
	channel channel.ID
	number  uint64
	hash    channel.Hash
	raw     []byte // the message
	transaction
	since time.Time
	dead  bool // its funding is spent otherwise
}

func newPending(m channel.Message, since time.Time) *pending {
	return &pending{channel: m.Channel(), number: m.Number(), hash: m.Hash(), raw: m.Bytes(), since: since.UTC()}
}

// receipt is what can be said of a message that is only taken.
func (p *pending) receipt(origin string) ledger.Receipt {
	return ledger.Receipt{Ledger: origin, Channel: p.channel, Number: p.number, Hash: p.hash, Time: p.since.Truncate(time.Millisecond), Phase: ledger.Taken}
}

// readChain returns a channel that is listed or has messages, or ErrNotListed.
func readChain(ctx context.Context, q querier, id channel.ID) (*chain, error) {
	c := &chain{id: id}
	var alias, output []byte
	err := q.QueryRowContext(ctx, "SELECT alias, output, raw, next, first FROM channel WHERE id = $1", id[:]).
		Scan(&alias, &output, &c.raw, &c.next, &c.first)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("channel %s: %w", id, ledger.ErrNotListed)
	}
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	copy(c.alias[:], alias)
	copy(c.output[:], output)
	return c, nil
}

// head returns the newest message of a channel that has one.
func (c *chain) head(ctx context.Context, q querier) (channel.Message, error) {
	if c.next > c.first {
		e, err := needEntry(ctx, q, c.id, c.next-1)
		return e.Message, err
	}
	output, err := parseOutput(c.raw) // the entry is missing
	if err != nil {
		return channel.Message{}, err
	}
	alias, ok := output.(*iotago.AliasOutput)
	if !ok {
		return channel.Message{}, fmt.Errorf("archived output of channel %s is no alias", c.id)
	}
	return channel.Parse(alias.StateMetadata)
}

// begun returns a channel that has a message, all of whose messages are here.
func begun(ctx context.Context, q querier, id channel.ID) (*chain, error) {
	c, err := readChain(ctx, q, id)
	if errors.Is(err, ledger.ErrNotListed) || err == nil && c.next == 0 {
		return nil, fmt.Errorf("channel %s: %w", id, ledger.ErrNoChannel)
	}
	if err == nil && c.first > 0 {
		return nil, missing("messages of channel %s before %d", id, c.first)
	}
	return c, err
}

const entryColumns = "place, time, message"

func scanEntry(scan func(...any) error) (ledger.Entry, error) {
	var place, milli int64
	var raw []byte
	if err := scan(&place, &milli, &raw); err != nil {
		return ledger.Entry{}, err
	}
	m, err := channel.Parse(raw)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("archived message: %w", err)
	}
	return ledger.Entry{Message: m, Time: time.UnixMilli(milli).UTC(), Index: uint64(place)}, nil
}

// entryRow is an entry with what proves it.
type entryRow struct {
	ledger.Entry
	block []byte
	size  int
	path  []byte
}

func insertEntry(ctx context.Context, tx *sql.Tx, e entryRow) error {
	id := e.Message.Channel()
	if _, err := tx.ExecContext(ctx, "UPDATE archive SET size = size + 1"); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO entry ("+entryColumns+", channel, number, block, size, path) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		int64(e.Index), e.Time.UnixMilli(), e.Message.Bytes(), id[:], int64(e.Message.Number()), e.block, e.size, e.path)
	return err
}

// readEntry returns message n of a channel, or sql.ErrNoRows.
func readEntry(ctx context.Context, q querier, id channel.ID, n uint64) (ledger.Entry, error) {
	e, err := scanEntry(q.QueryRowContext(ctx, "SELECT "+entryColumns+" FROM entry WHERE channel = $1 AND number = $2", id[:], int64(n)).Scan)
	if err != nil {
		return e, unreadable(ctx, err)
	}
	return e, inPlace(e, id, n)
}

// needEntry returns message n of a channel that has it.
func needEntry(ctx context.Context, q querier, id channel.ID, n uint64) (ledger.Entry, error) {
	e, err := readEntry(ctx, q, id, n)
	if errors.Is(err, sql.ErrNoRows) {
		return e, damaged("message %d of channel %s is gone", n, id)
	}
	return e, err
}

// inPlace refuses an entry whose row says otherwise than its message.
func inPlace(e ledger.Entry, id channel.ID, n uint64) error {
	if m := e.Message; m.Channel() != id || m.Number() != n {
		return damaged("in the place of message %d of channel %s stands message %d of channel %s", n, id, m.Number(), m.Channel())
	}
	return nil
}

// readEntries returns what a query for entries finds.
func readEntries(ctx context.Context, q querier, query string, args ...any) ([]ledger.Entry, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	defer rows.Close()
	var entries []ledger.Entry
	for rows.Next() {
		e, err := scanEntry(rows.Scan)
		if err != nil {
			return nil, unreadable(ctx, err)
		}
		entries = append(entries, e)
	}
	return entries, unreadable(ctx, rows.Err())
}

const pendingColumns = "channel, number, hash, message, tx, payload, since, dead"

func scanPending(scan func(...any) error) (*pending, error) {
	p := &pending{}
	var id, hash, tx []byte
	var number, since, dead int64
	if err := scan(&id, &number, &hash, &p.raw, &tx, &p.payload, &since, &dead); err != nil {
		return nil, err
	}
	if len(id) != len(p.channel) || len(hash) != len(p.hash) || len(tx) != len(p.id) {
		return nil, errors.New("archived transaction is damaged")
	}
	p.channel, p.number, p.hash, p.id = channel.ID(id), uint64(number), channel.Hash(hash), iotago.TransactionID(tx)
	p.since, p.dead = time.UnixMilli(since).UTC(), dead != 0
	return p, nil
}

// readPending returns the undecided transaction for number n of a channel, or nil.
func readPending(ctx context.Context, q querier, id channel.ID, n uint64) (*pending, error) {
	p, err := scanPending(q.QueryRowContext(ctx, "SELECT "+pendingColumns+" FROM pending WHERE channel = $1 AND number = $2", id[:], int64(n)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return p, unreadable(ctx, err)
}

// position returns the milestone up to which the archive goes.
func position(ctx context.Context, q querier) (uint32, error) {
	var milestone int64
	err := q.QueryRowContext(ctx, "SELECT milestone FROM archive").Scan(&milestone)
	return uint32(milestone), unreadable(ctx, err)
}

// unreadable says an error of reading the archive in the words of package ledger.
// sql.ErrNoRows is none.
func unreadable(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return fmt.Errorf("%w: reading the archive: %w", ledger.ErrUnavailable, store.Explain(err))
}

func missing(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", ledger.ErrUnavailable, ErrMissing, fmt.Sprintf(format, args...))
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: archive was altered or damaged: %w", ledger.ErrUnavailable, fmt.Errorf(format, args...))
}
