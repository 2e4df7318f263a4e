package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// ErrOlderSchema says that an older program made the file, and that it cannot be
// brought up to this program's schema by reading it.
var ErrOlderSchema = errors.New("file was made by an older program")

// OpenReader opens a database to be read alone: a SQLite file that somebody else
// made, perhaps on a medium that takes no writing, or one that others are writing.
// Nothing in it changes. It is named as for Open; of o only Migrations and Schema
// count. Errors: as those of Open, and [ErrOlderSchema].
func OpenReader(ctx context.Context, name string, o Options) (*DB, error) {
	migrations, err := readMigrations(o.Migrations)
	if err != nil {
		return nil, err
	}
	engine, err := engineOf(name, o)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", Name(name), err)
	}
	db := &DB{engine: engine, hook: func(string) {}}
	if db.read, err = engine.reader(ctx); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", Name(name), Explain(err))
	}
	if err := db.checkSchema(ctx, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %s: %w", Name(name), err), db.Close())
	}
	return db, nil
}

// reader makes connections that cannot write.
func (p *postgres) reader(context.Context) (*sql.DB, error) {
	return sql.OpenDB(p.connector("BEGIN", p.parameters(true))), nil
}

// readOnly are the settings of a connection that only reads, and cannot do otherwise.
func readOnly() []setting {
	return []setting{
		{"busy_timeout", "15000", "15000"},
		{"query_only", "on", "1"},
		{"trusted_schema", "off", "0"},
		{"cell_size_check", "on", "1"},
	}
}

// reader opens the file for reading. Where its folder takes no writing SQLite cannot
// make the memory that readers and writers share: then nobody writes there, if there
// is no write-ahead log either.
func (f sqliteFile) reader(ctx context.Context) (*sql.DB, error) {
	if _, err := os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no such file", ErrMissing)
	}
	read, err := f.openURI(ctx, "mode=ro")
	if err == nil {
		return read, nil
	}
	if _, absent := os.Lstat(f.path + "-wal"); !errors.Is(absent, fs.ErrNotExist) {
		return nil, err
	}
	read, second := f.openURI(ctx, "mode=ro&immutable=1")
	if second != nil {
		return nil, err
	}
	return read, nil
}

func (f sqliteFile) openURI(ctx context.Context, how string) (*sql.DB, error) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	c, err := sqlite.NewConnector(uri.String() + dsnOptions + "&" + how)
	if err != nil {
		return nil, err
	}
	read := sql.OpenDB(&connector{c, readOnly()})
	if _, err := read.ExecContext(ctx, "SELECT 1 FROM sqlite_schema"); err != nil { // opens the file
		return nil, errors.Join(err, read.Close())
	}
	return read, nil
}

// checkSchema wants the schema of this program, no older and no newer.
func (db *DB) checkSchema(ctx context.Context, known []migration) error {
	rows, err := db.read.QueryContext(ctx, "SELECT name FROM schema_version ORDER BY version")
	switch {
	case err == nil:
	case ctx.Err() != nil || kindOf(err) != nil:
		return Explain(err)
	default:
		return fmt.Errorf("%w: no schema_version: %w", ErrForeign, err)
	}
	defer rows.Close()
	seen := 0
	for ; rows.Next(); seen++ {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if seen < len(known) && name != known[seen].name {
			return fmt.Errorf("%w: its schema %d is %s, expected %s", ErrForeign, seen+1, name, known[seen].name)
		}
	}
	if err := rows.Err(); err != nil {
		return Explain(err)
	}
	switch {
	case seen < len(known):
		return fmt.Errorf("%w: its schema is %d, this program's is %d", ErrOlderSchema, seen, len(known))
	case seen > len(known):
		return fmt.Errorf("%w: its schema is %d, this program knows up to %d", ErrNewerSchema, seen, len(known))
	}
	return nil
}
