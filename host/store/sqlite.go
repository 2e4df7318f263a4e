package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// sqliteFile is the engine of one SQLite file.
type sqliteFile struct {
	path     string
	existing bool // is not to be created
}

// pools makes the file and the two pools; they have no connection yet.
func (f sqliteFile) pools(ctx context.Context) (write, read *sql.DB, err error) {
	if err := f.create(); err != nil {
		return nil, nil, err
	}
	if err := useWAL(ctx, f.path); err != nil {
		return nil, nil, err
	}
	writer, err := newConnector(f.path, settings(false))
	if err != nil {
		return nil, nil, err
	}
	reader, err := newConnector(f.path, settings(true))
	if err != nil {
		return nil, nil, err
	}
	return sql.OpenDB(writer), sql.OpenDB(reader), nil
}

// create makes an absent file with mode 0600, where SQLite would leave the mode
// to the umask; the -wal and -shm files take theirs from it. A file that exists is
// not touched, see the package comment on locks.
func (f sqliteFile) create() error {
	if f.existing {
		_, err := os.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: no such file", ErrMissing)
		}
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// prepare syncs what an earlier run left in the write-ahead log, whether that run
// did it or not, and makes the schema this program's.
func (f sqliteFile) prepare(ctx context.Context, db *DB, known []migration) error {
	copied, err := checkpoint(ctx, db.write)
	if err != nil {
		return fmt.Errorf("copying the write-ahead log into the file: %w", err)
	}
	return db.Update(ctx, func(tx *sql.Tx) error {
		if err := sqliteDialect.migrate(ctx, tx, known); err != nil || copied {
			return err
		}
		// A commit that changes a page syncs the log with all that stands before it. This one changes the file's header.
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = 0")
		return err
	})
}

// checkpoint copies the write-ahead log into the file and syncs both. It reports
// whether all was copied: what a reader in another process still looks at stays.
func checkpoint(ctx context.Context, write *sql.DB) (all bool, err error) {
	var busy, frames, copied int
	row := write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err := row.Scan(&busy, &frames, &copied); err != nil {
		return false, err
	}
	return busy == 0 && copied == frames, nil
}

// notCommitted is false: after a COMMIT that failed nobody knows what is on the
// disk.
func (sqliteFile) notCommitted(error) bool { return false }

// breaks is true: what SQLite has in memory need not be what is on the disk.
func (sqliteFile) breaks() bool { return true }

func (sqliteFile) kind() string { return "one SQLite file" }

func (sqliteFile) integrity(ctx context.Context, read *sql.DB) (findings []string, err error) {
	rows, err := read.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return nil, Explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return findings, Explain(err)
		}
		if line != "ok" {
			findings = append(findings, line)
		}
	}
	return findings, Explain(rows.Err())
}

// A setting is a PRAGMA that every connection makes and reads back.
type setting struct{ name, value, readsBack string }

// settings returns what every connection must be. busy_timeout stands first:
// the others may have to wait for another process.
func settings(queryOnly bool) []setting {
	s := []setting{
		{"busy_timeout", "15000", "15000"},
		{"journal_mode", "", "wal"}, // of the file: see useWAL
		{"synchronous", "full", "2"},
		{"fullfsync", "on", "1"}, // macOS: fsync alone stops at the drive's cache
		{"checkpoint_fullfsync", "on", "1"},
		{"foreign_keys", "on", "1"},
		{"trusted_schema", "off", "0"},
		{"cell_size_check", "on", "1"},
		{"secure_delete", "on", "1"}, // see Erase
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

// apply makes the setting and reads it back.
func (s setting) apply(ctx context.Context, conn driver.Conn) error {
	if s.value != "" {
		if _, err := pragma(ctx, conn, s.name+"="+s.value); err != nil {
			return fmt.Errorf("setting %s: %w", s.name, Explain(err))
		}
	}
	return s.check(ctx, conn)
}

// Many processes may open a new file at once: one makes it a WAL file while the
// others are refused as busy, without SQLite's own waiting.
const (
	walTries = 500
	walPause = 20 * time.Millisecond
)

// useWAL makes the file keep a write-ahead log, for good, by connections of its
// own: one that asked for it while another process did keeps a read lock, and would
// wait for itself at a checkpoint.
func useWAL(ctx context.Context, path string) error {
	c, err := newConnector(path, nil)
	if err != nil {
		return err
	}
	granted := 0
	for try := 1; ; try++ {
		done, err := c.askWAL(ctx)
		if done {
			return err
		}
		if err == nil {
			if granted++; granted == 3 {
				return fmt.Errorf("%w: journal_mode does not stay \"wal\"", ErrNotDurable)
			}
			continue
		}
		if err = Explain(err); !errors.Is(err, ErrBusy) || try == walTries || ctx.Err() != nil {
			return err
		}
		time.Sleep(walPause)
	}
}

// askWAL reports whether the file has a write-ahead log, and asks for one where
// it has not.
func (c *connector) askWAL(ctx context.Context) (done bool, err error) {
	conn, err := c.Connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	mode, err := pragma(ctx, conn, "journal_mode")
	if err != nil || mode == "wal" {
		return err == nil, err
	}
	// Success says only that nothing was in the way: the next connection sees.
	mode, err = pragma(ctx, conn, "journal_mode=wal")
	if err == nil && mode != "wal" {
		err = fmt.Errorf("%w: journal_mode stays %q", ErrNotDurable, mode)
	}
	return false, err
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
