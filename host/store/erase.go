package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrNotErased says that what was to be erased is deleted, and that its bytes may still
// be in a file; the same Erase again goes on.
var ErrNotErased = errors.New("deleted, and perhaps still in a file")

// Erase is Update for what must not be found any more: what fn deletes or overwrites is
// in none of the database's own files when it returns. A SQLite file has zeros in its
// place (secure_delete), and its write-ahead log is emptied. A PostgreSQL server has
// vacuumed its tables; the bytes may be in free space, in its write-ahead log and on
// standbys until they are overwritten. Errors: those of Update, and [ErrNotErased].
func (db *DB) Erase(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := db.Update(ctx, fn); err != nil {
		return err
	}
	if err := db.engine.purge(context.WithoutCancel(ctx), db.write); err != nil {
		return fmt.Errorf("%w: %w", ErrNotErased, Explain(err))
	}
	return nil
}

// purge copies the write-ahead log into the file and empties it, as soon as no reader
// looks at an older state.
func (sqliteFile) purge(ctx context.Context, write *sql.DB) error {
	var busy, frames, copied int
	if err := write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &copied); err != nil {
		return err
	}
	if busy != 0 {
		return fmt.Errorf("%w: a reader looks at an older state", ErrBusy)
	}
	return nil
}

// purge lets the server take away dead rows.
func (p *postgres) purge(ctx context.Context, _ *sql.DB) (err error) {
	db := sql.OpenDB(p.connector("BEGIN", p.parameters(false)))
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // with its pool
	rows, err := conn.QueryContext(ctx, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()")
	if err != nil {
		return err
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return errors.Join(err, rows.Close())
		}
		tables = append(tables, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SET statement_timeout = 0"); err != nil {
		return err
	}
	for _, name := range tables {
		if _, err := conn.ExecContext(ctx, "VACUUM "+name); err != nil {
			return err
		}
	}
	return nil
}
