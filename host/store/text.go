package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
)

// nul has no place in PostgreSQL's text. A noncharacter stands for it, which no text
// from outside holds: records refuse it (RFC 7493 section 2.1).
const (
	nul       = "\x00"
	standsFor = "\uFFFF"
)

// CheckNamedValue puts the stand-in for nul into text.
func (s *session) CheckNamedValue(v *driver.NamedValue) error {
	text, isText := v.Value.(string)
	if !isText {
		return s.Conn.CheckNamedValue(v)
	}
	if strings.Contains(text, standsFor) {
		return errors.New("text holds the noncharacter U+FFFF")
	}
	v.Value = strings.ReplaceAll(text, nul, standsFor)
	return nil
}

// QueryContext returns rows with text as it was.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return asItWas(s.Conn.QueryContext(ctx, query, args))
}

// PrepareContext compiles a statement whose rows hold text as it was.
func (s *session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := s.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return statement{stmt.(*stdlib.Stmt)}, nil
}

type statement struct{ *stdlib.Stmt }

// QueryContext returns rows with text as it was.
func (s statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return asItWas(s.Stmt.QueryContext(ctx, args))
}

func asItWas(found driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows{found.(*stdlib.Rows)}, nil
}

type rows struct{ *stdlib.Rows }

// Next reads one row.
func (r rows) Next(into []driver.Value) error {
	if err := r.Rows.Next(into); err != nil {
		return err
	}
	for i, value := range into {
		if text, isText := value.(string); isText {
			into[i] = strings.ReplaceAll(text, standsFor, nul)
		}
	}
	return nil
}
