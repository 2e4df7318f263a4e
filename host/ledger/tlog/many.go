package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// several are the statements of a batch for so many rows at once: a database at the
// other end of a line is asked a few times for a batch and not a few times for each
// message.
type several struct {
	rows                    int
	heads, insert, setHeads *sql.Stmt
}

// sizes are those of several, the largest first.
var sizes = []int{64, 16, 4, 1}

// prepareWriting compiles what the connection that writes needs.
func (l *Log) prepareWriting(ctx context.Context) (err error) {
	if l.writing, err = prepare(ctx, l.db.Prepare); err != nil {
		return err
	}
	l.several, err = prepareSeveral(ctx, l.db.Prepare)
	return err
}

func prepareSeveral(ctx context.Context, compile func(context.Context, string) (*sql.Stmt, error)) ([]several, error) {
	var all []several
	for _, n := range sizes {
		s := several{rows: n}
		for _, p := range []struct {
			stmt **sql.Stmt
			text string
		}{
			{&s.heads, "SELECT author, head, (SELECT max(number) FROM entry WHERE entry.channel = channel.id) AS highest, newest.*" +
				" FROM channel JOIN (" + selectRow + ") AS newest ON newest.leaf = head WHERE id IN (" + places(n, 1, "$%d", "", "") + ")"},
			{&s.insert, "INSERT INTO entry (" + rowColumns + ") VALUES " + places(n, 7, "$%d", "(", ")")},
			{&s.setHeads, "UPDATE channel SET head = v.column1 FROM (VALUES " + places(n, 2, "CAST($%d AS BIGINT)", "(", ")") + ") AS v WHERE id = v.column2"},
		} {
			stmt, err := compile(ctx, p.text)
			if err != nil {
				return nil, fmt.Errorf("preparing %q: %w", p.text, err)
			}
			*p.stmt = stmt
		}
		all = append(all, s)
	}
	return all, nil
}

// places writes the parameters of so many rows.
func places(rows, columns int, parameter, begin, end string) string {
	all := make([]string, rows)
	for i := range all {
		row := make([]string, columns)
		for j := range row {
			row[j] = fmt.Sprintf(parameter, i*columns+j+1)
		}
		all[i] = begin + strings.Join(row, ", ") + end
	}
	return strings.Join(all, ", ")
}

// inGroups calls do with as many rows at once as there are statements for.
func inGroups(groups []several, rows [][]any, do func(several, []any) error) error {
	for _, s := range groups {
		for ; len(rows) >= s.rows; rows = rows[s.rows:] {
			var args []any
			for _, row := range rows[:s.rows] {
				args = append(args, row...)
			}
			if err := do(s, args); err != nil {
				return err
			}
		}
	}
	if len(rows) > 0 {
		return fmt.Errorf("%d rows without a statement for them", len(rows)) // they must not be dropped
	}
	return nil
}

// prefetch reads the channels of a batch's messages, as far as they have a head that
// is in order. The others are read, and what is wrong with them is told, when they
// are asked for.
func (b *batch) prefetch(messages []channel.Message) error {
	wanted := map[channel.ID]bool{}
	var keys [][]any
	for _, m := range messages {
		if id := m.Channel(); !wanted[id] {
			wanted[id] = true
			keys = append(keys, []any{key(id)})
		}
	}
	return inGroups(b.log.several, keys, func(s several, args []any) error {
		found, err := b.readHeads(s.heads, args)
		if err != nil {
			return err
		}
		for _, h := range found {
			c, err := b.chainOf(h)
			if err := serious(err); err != nil {
				return err
			}
			if err == nil && wanted[c.id] {
				b.chains[c.id] = c
			}
		}
		return nil
	})
}

// foundHead is a channel and the entry that it says is its newest.
type foundHead struct {
	author       []byte
	head, newest int64
	row          row
}

func (b *batch) readHeads(stmt *sql.Stmt, args []any) (all []foundHead, err error) {
	found, err := b.tx.StmtContext(b.ctx, stmt).QueryContext(b.ctx, args...)
	if err != nil {
		return nil, unavailable(b.ctx, err)
	}
	defer found.Close()
	for found.Next() {
		var h foundHead
		if err := found.Scan(append([]any{&h.author, &h.head, &h.newest}, h.row.fields()...)...); err != nil {
			continue // of another type than this log writes
		}
		all = append(all, h)
	}
	if err := found.Err(); err != nil {
		return nil, unavailable(b.ctx, err)
	}
	return all, nil
}

// chainOf returns the channel when everything agrees, as chain does.
func (b *batch) chainOf(h foundHead) (*chain, error) {
	e, err := b.entry(h.row)
	if err != nil {
		return nil, err
	}
	id := e.Message.Channel()
	if !bytes.Equal(h.author, id[:]) || int64(e.Index) != h.head || int64(e.Message.Number()) != h.newest {
		return nil, corrupt("channel %s and its newest entry do not agree", id)
	}
	return &chain{id: id, next: e.Message.Number() + 1, head: e}, nil
}

// appended is what a batch has yet to write.
type appended struct {
	entries [][]any         // as insert takes them
	heads   map[int64]int64 // the newest leaf of each channel's row
	removed []ledger.Entry  // that came without their payload
}

// flush writes what was appended.
func (b *batch) flush() error {
	a := b.appended
	b.appended = appended{heads: map[int64]int64{}}
	err := inGroups(b.log.several, a.entries, func(s several, args []any) error { return b.exec(s.insert, args...) })
	if err != nil {
		return err
	}
	for _, e := range a.removed {
		if err := b.noteRemoved(e); err != nil {
			return err
		}
	}
	var heads [][]any
	for channel, leaf := range a.heads {
		heads = append(heads, []any{leaf, channel})
	}
	return inGroups(b.log.several, heads, func(s several, args []any) error { return b.exec(s.setHeads, args...) })
}
