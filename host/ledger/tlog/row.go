package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/bits"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// statements are compiled once for a pool.
type statements struct {
	checkpoint, cosigned, hashes, hashesFrom, payload, head, list, numbers, leaves, setCheckpoint, setCosigned, remove, empty,
	anchored, setAnchored, lease, holder *sql.Stmt
}

// rowColumns are an entry's, and selectRow reads what row.scan takes.
const (
	rowColumns = "leaf, channel, number, time, hashes, stub, payload"
	selectRow  = "SELECT " + rowColumns + ", (SELECT statement FROM removal WHERE removal.leaf = entry.leaf) AS statement FROM entry"
)

func prepare(ctx context.Context, compile func(context.Context, string) (*sql.Stmt, error)) (*statements, error) {
	s := &statements{}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.checkpoint, "SELECT checkpoint, coalesce((SELECT max(leaf) FROM entry), -1) FROM log"},
		{&s.cosigned, "SELECT checkpoint FROM cosigned"},
		{&s.hashes, "SELECT hashes FROM entry WHERE leaf = $1"},
		{&s.hashesFrom, "SELECT leaf, hashes FROM entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2"},
		{&s.payload, "SELECT payload, (SELECT 1 FROM removal WHERE removal.leaf = entry.leaf) IS NOT NULL AS removed FROM entry" +
			" WHERE substr(stub, 93, 32) = $1 ORDER BY removed LIMIT 1"},
		{&s.head, "SELECT author, coalesce(head, -1), coalesce((SELECT max(number) FROM entry WHERE channel = $1), -1)" +
			" FROM (SELECT 1) AS one LEFT JOIN channel ON id = $1"},
		{&s.list, "INSERT INTO channel (id, author) VALUES ($1, $2) ON CONFLICT DO NOTHING"},
		{&s.numbers, selectRow + " WHERE channel = $1 AND number >= $2 ORDER BY number LIMIT $3"},
		{&s.leaves, selectRow + " WHERE leaf >= $1 ORDER BY leaf LIMIT $2"},
		{&s.setCheckpoint, "UPDATE log SET checkpoint = $1"},
		{&s.setCosigned, "INSERT INTO cosigned (id, checkpoint) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET checkpoint = excluded.checkpoint"},
		{&s.remove, "INSERT INTO removal (leaf, statement) VALUES ($1, $2)"},
		{&s.anchored, "SELECT checkpoint, evidence FROM anchored"},
		{&s.setAnchored, "INSERT INTO anchored (id, checkpoint, evidence) VALUES (1, $1, $2)" +
			" ON CONFLICT (id) DO UPDATE SET checkpoint = excluded.checkpoint, evidence = excluded.evidence"},
		{&s.lease, "INSERT INTO lease (work, holder, until) VALUES ($1, $2, $4)" +
			" ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE lease.holder = $2 OR lease.until < $3"},
		{&s.holder, "SELECT holder FROM lease WHERE work = $1"},
		{&s.empty, "UPDATE entry SET payload = $1 WHERE leaf = $2"},
	} {
		stmt, err := compile(ctx, p.text)
		if err != nil {
			return nil, fmt.Errorf("preparing %q: %w", p.text, err)
		}
		*p.stmt = stmt
	}
	return s, nil
}

// row is one leaf as the file has it: nothing in it is verified.
type row struct {
	leaf, channel, number, time int64
	hashes, stub, payload       []byte
	statement                   []byte // that the payload was removed
}

// fields are where the columns of selectRow go.
func (r *row) fields() []any {
	return []any{&r.leaf, &r.channel, &r.number, &r.time, &r.hashes, &r.stub, &r.payload, &r.statement}
}

func (r *row) scan(rows *sql.Rows) error {
	err := rows.Scan(r.fields()...)
	if err != nil {
		return corrupt("%w", err)
	}
	return nil
}

// message verifies the author's signature, and that the payload is his or that the log
// says that it removed it.
func (r *row) message(l *Log) (channel.Message, error) {
	if r.leaf < 0 || r.time < 0 || r.time > channel.MaxUnixMilli {
		return channel.Message{}, corrupt("leaf %d has time %d", r.leaf, r.time)
	}
	stub, err := channel.ParseStub(r.stub)
	if err != nil {
		return channel.Message{}, corrupt("leaf %d: %w", r.leaf, err)
	}
	if r.statement != nil {
		if _, err := l.openRemoval(r.statement, uint64(r.leaf), stub.Hash()); err != nil {
			return channel.Message{}, corrupt("leaf %d: statement of its removal: %w", r.leaf, err)
		}
		if len(r.payload) > 0 {
			return channel.Message{}, corrupt("leaf %d has a payload that was removed", r.leaf)
		}
		return channel.Tombstone(stub), nil
	}
	m, err := channel.FromStub(stub, r.payload)
	if err != nil {
		return channel.Message{}, corrupt("leaf %d: %w", r.leaf, err)
	}
	return m, nil
}

// equal reports whether the row holds exactly this entry.
func (r *row) equal(e ledger.Entry) bool {
	return r.time == e.Time.UnixMilli() && (r.statement != nil) == e.Message.Removed() &&
		bytes.Equal(r.stub, e.Message.Stub().Bytes()) && bytes.Equal(r.payload, e.Message.Payload())
}

// hashesOf returns how many hashes a leaf adds: its own and one for each subtree
// that it completes.
func hashesOf(leaf int64) int { return 1 + bits.TrailingZeros64(uint64(leaf+1)) }
