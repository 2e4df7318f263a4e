package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
)

// The tests' schema: each writer owns a row of numbers without gaps.
func schema() fstest.MapFS {
	return fstest.MapFS{"001_entries.sql": {Data: []byte(`
		CREATE TABLE entry (writer INTEGER, number INTEGER, PRIMARY KEY (writer, number)) WITHOUT ROWID;
		CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);`)}}
}

const testSchema = "entries"

func freshFile(t testing.TB) string { return filepath.Join(t.TempDir(), "test.db") }

// onBoth runs a test on each engine; fresh returns the name of a database that does
// not exist yet, or is empty.
func onBoth(t *testing.T, test func(t *testing.T, fresh func(testing.TB) string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, freshFile) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.Emptied(t)) })
}

// onBothOpen does so with a new database that is open.
func onBothOpen(t *testing.T, test func(t *testing.T, db *DB)) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) { test(t, openAt(t, fresh(t))) })
}

func openAt(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, Options{Migrations: schema(), Schema: testSchema})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func openNew(t testing.TB) *DB {
	t.Helper()
	return openAt(t, freshFile(t))
}

func TestEveryConnectionSyncsEachCommit(t *testing.T) {
	db := openNew(t)
	for name, pool := range map[string]*sql.DB{"write": db.write, "read": db.read} {
		conn, err := pool.Conn(t.Context())
		require.NoError(t, err)
		var journal string
		var synchronous, foreignKeys int
		require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal))
		require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous))
		require.NoError(t, conn.QueryRowContext(t.Context(), "PRAGMA foreign_keys").Scan(&foreignKeys))
		assert.Equal(t, []any{"wal", 2, 1}, []any{journal, synchronous, foreignKeys}, name)
		require.NoError(t, conn.Close())
	}
}

func TestConnectionThatSyncsLessIsRefused(t *testing.T) {
	for _, weak := range []string{"synchronous=normal", "synchronous=off", "foreign_keys=off", "journal_mode=delete"} {
		path := filepath.Join(t.TempDir(), "test.db")
		require.NoError(t, useWAL(t.Context(), path))
		c, err := newConnector(path, settings(false))
		require.NoError(t, err)
		conn, err := c.Connect(t.Context())
		require.NoError(t, err)
		_, err = pragma(t.Context(), conn, weak)
		require.NoError(t, err)
		refused := 0
		for _, s := range c.settings {
			if s.check(t.Context(), conn) != nil {
				refused++
			}
		}
		assert.Equal(t, 1, refused, weak)
		require.NoError(t, conn.Close())
	}
}

func TestSettingThatDoesNotHoldIsRefused(t *testing.T) {
	c, err := newConnector(filepath.Join(t.TempDir(), "test.db"), []setting{{"synchronous", "normal", "2"}})
	require.NoError(t, err)
	c.settings = append([]setting{{"synchronous", "off", "0"}}, c.settings...)
	_, err = c.Connect(t.Context())
	assert.ErrorIs(t, err, ErrNotDurable)
}

func TestOpenRefusesWhatIsNoFileName(t *testing.T) {
	for _, path := range []string{"", "file:x.db", "x.db?_pragma=synchronous(off)", "x\x00.db"} {
		_, err := Open(t.Context(), path, Options{Migrations: schema()})
		assert.ErrorContains(t, err, "not a file name", "%q", path)
	}
	_, err := Open(t.Context(), ":memory:", Options{Migrations: schema()})
	assert.Error(t, err)
	require.NoError(t, os.RemoveAll(":memory:"))
}

func TestNewFileBelongsToItsOwner(t *testing.T) {
	path := freshFile(t)
	openAt(t, path)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "file%s", suffix)
	}
}

// makeStrange makes a schema that has a table and is not ours.
func makeStrange(t *testing.T, path string) {
	driver, create := "sqlite", "CREATE TABLE theirs (x INTEGER)"
	if isURL(path) {
		driver, create = "pgx", "CREATE SCHEMA entries; CREATE TABLE entries.theirs (x INTEGER)"
	}
	db, err := sql.Open(driver, path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), create)
	require.NoError(t, errors.Join(err, db.Close()))
}

// makeWith returns what makes a database by other migrations.
func makeWith(files fstest.MapFS) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		db, err := Open(t.Context(), path, Options{Migrations: files, Schema: testSchema})
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
}

func TestOpenNamesWhatIsWrongWithASchema(t *testing.T) { onBoth(t, wrongSchemas) }

func wrongSchemas(t *testing.T, fresh func(testing.TB) string) {
	newer := schema()
	newer["002_more.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE more (x INTEGER)")}
	other := fstest.MapFS{"001_other.sql": {Data: []byte("CREATE TABLE other (x INTEGER)")}}
	for _, row := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"newer schema", makeWith(newer), ErrNewerSchema},
		{"another schema", makeWith(other), ErrForeign},
		{"somebody else's database", makeStrange, ErrForeign},
		{"nothing there", func(*testing.T, string) {}, ErrMissing},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := fresh(t)
			row.make(t, path)
			_, err := Open(t.Context(), path, Options{Migrations: schema(), Schema: testSchema, Existing: true})
			assert.ErrorIs(t, err, row.want)
		})
	}
}

func TestOpenNamesWhatIsWrongWithAFile(t *testing.T) {
	for _, row := range []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"text", func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("no database. ", 999)), 0o600))
		}},
		{"damaged", func(t *testing.T, path string) { makeWith(schema())(t, path); overwrite(t, path, 100, 4000) }},
		{"cut", func(t *testing.T, path string) {
			makeWith(schema())(t, path)
			require.NoError(t, os.Truncate(path, 4096))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := freshFile(t)
			row.make(t, path)
			_, err := Open(t.Context(), path, Options{Migrations: schema()})
			assert.ErrorIs(t, err, ErrCorrupt)
		})
	}
}

func overwrite(t *testing.T, path string, offset int64, n int) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xa5", n)), offset)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	onBoth(t, migrationsRun)
}

func migrationsRun(t *testing.T, fresh func(testing.TB) string) {
	path, files := fresh(t), schema()
	for version := 1; version <= 3; version++ {
		db, err := Open(t.Context(), path, Options{Migrations: files, Schema: testSchema})
		require.NoError(t, err)
		var n int
		require.NoError(t, db.Read().QueryRowContext(t.Context(), "SELECT max(version) FROM schema_version").Scan(&n))
		assert.Equal(t, version, n)
		require.NoError(t, db.Close())
		files[fmt.Sprintf("%03d_next.sql", version+1)] = &fstest.MapFile{Data: fmt.Appendf(nil, "CREATE TABLE t%d (x INTEGER)", version)}
	}
}

func TestFailingMigrationLeavesTheDatabaseAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		path := fresh(t)
		openAt(t, path)
		files := schema()
		files["002_bad.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE half (x INTEGER); CREATE TABLE half (x INTEGER)")}
		_, err := Open(t.Context(), path, Options{Migrations: files, Schema: testSchema})
		require.ErrorContains(t, err, "migration 002_bad")
		files["002_bad.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE half (x INTEGER)")}
		db, err := Open(t.Context(), path, Options{Migrations: files, Schema: testSchema})
		require.NoError(t, err)
		require.NoError(t, db.Close())
	})
}

func TestMigrationNumbersHaveNoGap(t *testing.T) {
	for _, name := range []string{"002_x.sql", "1_x.sql", "x.sql", "0001_x.sql"} {
		_, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{Migrations: fstest.MapFS{name: {}}})
		assert.ErrorContains(t, err, name)
	}
}

func TestReadPoolCannotWrite(t *testing.T) {
	onBothOpen(t, func(t *testing.T, db *DB) {
		_, err := db.Read().ExecContext(t.Context(), "INSERT INTO parent VALUES (1)")
		require.Error(t, err)
		assert.Regexp(t, "read-?only", err.Error())
	})
}

func TestUpdateCommitsOrRollsBack(t *testing.T) { onBothOpen(t, updateCommits) }

func updateCommits(t *testing.T, db *DB) {
	insert := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO parent VALUES (1)")
		return err
	}
	require.NoError(t, db.Update(t.Context(), insert))
	err := db.Update(t.Context(), insert)
	assert.ErrorIs(t, err, ErrNotWritten)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = db.Update(ended, insert)
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestIntegrityFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(t.Context(), path, Options{Migrations: schema()})
	require.NoError(t, err)
	w := NewWriter(db, appendEntries)
	for n := range 2000 {
		_, err := w.Do(t.Context(), entry{0, n})
		require.NoError(t, err)
	}
	w.Close()
	findings, err := db.Integrity(t.Context())
	require.NoError(t, err)
	assert.Empty(t, findings)
	require.NoError(t, db.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	overwrite(t, path, info.Size()-4096, 4096)
	findings, err = openAt(t, path).Integrity(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, findings)
}

// TestOpenNeedsNoReaderToEnd has another connection look at an old state, as a check of a long log does. What it keeps from being
// copied is synced by a commit, which is seen by its frame.
func TestOpenNeedsNoReaderToEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := openAt(t, path)
	w := newWriter(t, db, appendEntries)
	write := func(number int) {
		_, err := w.Do(t.Context(), entry{0, number})
		require.NoError(t, err)
	}
	write(0)
	old, err := db.Read().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	defer old.Rollback()
	require.NoError(t, old.QueryRow("SELECT count(*) FROM entry").Scan(new(int)))
	write(1)

	before, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	assert.Equal(t, 2, count(t, openAt(t, path), 0))
	after, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	assert.Greater(t, after.Size(), before.Size())
}
