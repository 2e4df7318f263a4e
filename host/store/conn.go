package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// A setting is a PRAGMA that every connection makes and reads back.
type setting struct{ name, value, readsBack string }

// settings returns what every connection must be. busy_timeout stands first:
// the others may have to wait for another process.
func settings(queryOnly bool) []setting {
	s := []setting{
		{"busy_timeout", "15000", "15000"},
		{"journal_mode", "wal", "wal"},
		{"synchronous", "full", "2"},
		{"fullfsync", "on", "1"}, // macOS: fsync alone stops at the drive's cache
		{"checkpoint_fullfsync", "on", "1"},
		{"foreign_keys", "on", "1"},
		{"trusted_schema", "off", "0"},
		{"cell_size_check", "on", "1"},
	}
	if queryOnly {
		s = append(s, setting{"query_only", "on", "1"})
	}
	return s
}

// connector opens connections and hands out none that is less than settings.
type connector struct {
	driver.Connector
	settings []setting
}

// dsnOptions: BEGIN takes the write lock at once; SQL cannot damage the file;
// "x" is never a string; an error's text belongs to its code.
const dsnOptions = "?_txlock=immediate&_defensive=1&_dqs=0&_error_rc=1"

func newConnector(path string, settings []setting) (*connector, error) {
	c, err := sqlite.NewConnector(path + dsnOptions)
	if err != nil {
		return nil, err
	}
	return &connector{c, settings}, nil
}

// checkPath refuses what SQLite would read as more than a file's name: a data
// source name could say synchronous=off.
func checkPath(path string) error {
	if path == "" || strings.HasPrefix(path, "file:") || strings.ContainsAny(path, "?\x00") {
		return errors.New("not a file name")
	}
	return nil
}

// Connect makes one connection whose settings have been read back.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, Explain(err)
	}
	for _, s := range c.settings {
		if err := s.apply(ctx, conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// A new file's journal is changed by one process while others wait, without
// SQLite's own waiting: it answers "busy" at once.
const (
	journalTries = 500
	journalPause = 20 * time.Millisecond
)

// apply makes the setting unless it holds already.
func (s setting) apply(ctx context.Context, conn driver.Conn) error {
	for try := 1; ; try++ {
		if s.check(ctx, conn) == nil {
			return nil
		}
		_, err := pragma(ctx, conn, s.name+"="+s.value)
		if err == nil {
			return s.check(ctx, conn)
		}
		if err = Explain(err); !errors.Is(err, ErrBusy) || try == journalTries || ctx.Err() != nil {
			return fmt.Errorf("setting %s: %w", s.name, err)
		}
		time.Sleep(journalPause)
	}
}

func (s setting) check(ctx context.Context, conn driver.Conn) error {
	got, err := pragma(ctx, conn, s.name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.name, Explain(err))
	}
	if got != s.readsBack {
		return fmt.Errorf("%w: %s is %q, must be %q", ErrNotDurable, s.name, got, s.readsBack)
	}
	return nil
}

// pragma runs one PRAGMA and returns the first column of its first row, or
// nothing.
func pragma(ctx context.Context, conn driver.Conn, text string) (string, error) {
	querier, ok := conn.(driver.QueryerContext)
	if !ok {
		return "", errors.New("driver cannot query")
	}
	rows, err := querier.QueryContext(ctx, "PRAGMA "+text, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if len(rows.Columns()) == 0 {
		return "", nil
	}
	values := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(values); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return fmt.Sprint(values[0]), nil
}
