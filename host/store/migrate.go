package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// A migration is one NNN_name.sql file; its version is its place, from 1.
type migration struct{ name, text string }

func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	list := make([]migration, 0, len(names))
	for i, name := range names { // Glob sorts
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err != nil || len(number) != 3 || n != i+1 {
			return nil, fmt.Errorf("reading migrations: %s stands where number %03d must", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading migrations: %w", err)
		}
		list = append(list, migration{strings.TrimSuffix(name, ".sql"), string(text)})
	}
	return list, nil
}

// A dialect is what an engine's SQL has of its own.
type dialect struct {
	tables string // counts the schema's tables, and those that are named schema_version
	spell  func(migration string) string
	lock   string // keeps running programs from writing while a schema changes
}

// SQLite's words are those in which migrations are written. PostgreSQL spells the
// types otherwise: its INTEGER has 32 bits. It is always STRICT, and has no ROWID.
var (
	sqliteDialect = dialect{
		tables: "SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_schema WHERE type = 'table'",
		spell:  func(text string) string { return text },
		lock:   "SELECT 1", // BEGIN IMMEDIATE has taken it
	}
	postgresDialect = dialect{
		tables: "SELECT count(*), count(*) FILTER (WHERE tablename = 'schema_version') FROM pg_tables WHERE schemaname = current_schema()",
		spell: func(text string) string {
			text = tableOptions.ReplaceAllString(text, ");")
			text = integerType.ReplaceAllString(text, "BIGINT")
			return blobType.ReplaceAllString(text, "BYTEA")
		},
		lock: "SELECT 1 FROM schema_version WHERE version = 1 FOR UPDATE",
	}
	integerType  = regexp.MustCompile(`\bINTEGER\b`)
	blobType     = regexp.MustCompile(`\bBLOB\b`)
	tableOptions = regexp.MustCompile(`\)\s*(STRICT|WITHOUT ROWID)(,\s*(STRICT|WITHOUT ROWID))?\s*;`)
)

// migrate runs what the schema has not seen. The names it has seen are compared
// too: that tells the log's file from the registry's.
func (d dialect) migrate(ctx context.Context, tx *sql.Tx, known []migration) error {
	seen, err := d.applied(ctx, tx)
	if err != nil {
		return err
	}
	if len(seen) > len(known) {
		return fmt.Errorf("%w: its schema is %d, this program knows up to %d", ErrNewerSchema, len(seen), len(known))
	}
	for i, name := range seen {
		if name != known[i].name {
			return fmt.Errorf("%w: its schema %d is %s, expected %s", ErrForeign, i+1, name, known[i].name)
		}
	}
	if len(seen) < len(known) {
		if _, err := tx.ExecContext(ctx, d.lock); err != nil {
			return err
		}
	}
	for i, m := range known[len(seen):] {
		version := len(seen) + i + 1
		if _, err := tx.ExecContext(ctx, d.spell(m.text)); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO schema_version (version, name) VALUES ($1, $2)", version, m.name); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}

// applied returns the names of the migrations that the schema has seen, and starts
// the list where there is no table.
func (d dialect) applied(ctx context.Context, tx *sql.Tx) ([]string, error) {
	var tables, versioned int
	if err := tx.QueryRowContext(ctx, d.tables).Scan(&tables, &versioned); err != nil {
		return nil, err
	}
	if versioned == 0 {
		if tables > 0 {
			return nil, fmt.Errorf("%w: it has tables and no schema_version", ErrForeign)
		}
		_, err := tx.ExecContext(ctx, "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL)")
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT name FROM schema_version ORDER BY version")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
