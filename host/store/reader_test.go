package store

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func oneTable(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		files[name+".sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE t" + name + " (n INTEGER)")}
	}
	return files
}

func migrationsOf(text string) fstest.MapFS {
	return fstest.MapFS{"001_all.sql": &fstest.MapFile{Data: []byte(text)}}
}

// copyOf makes a database with one row and returns a copy of its file.
func copyOf(t *testing.T, dir string) string {
	path := filepath.Join(t.TempDir(), "live.db")
	db, err := Open(t.Context(), path, Options{Migrations: oneTable("001_a")})
	require.NoError(t, err)
	require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO t001_a VALUES (7)")
		return err
	}))
	require.NoError(t, db.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	copied := filepath.Join(dir, "copy of 50% #1.db")
	require.NoError(t, os.WriteFile(copied, file, 0o400))
	return copied
}

func requireSeven(t *testing.T, path string) {
	t.Helper()
	db, err := OpenReader(t.Context(), path, Options{Migrations: oneTable("001_a")})
	require.NoError(t, err)
	defer func() { assert.NoError(t, db.Close()) }()
	var n int
	require.NoError(t, db.Read().QueryRowContext(t.Context(), "SELECT n FROM t001_a").Scan(&n))
	assert.Equal(t, 7, n)
	_, err = db.Read().ExecContext(t.Context(), "INSERT INTO t001_a VALUES (8)")
	assert.Error(t, err)
	err = db.Update(t.Context(), func(*sql.Tx) error { return nil })
	assert.ErrorIs(t, err, ErrReadOnly)
	assert.ErrorIs(t, err, ErrNotWritten)
	_, err = db.Prepare(t.Context(), "SELECT 1")
	assert.ErrorIs(t, err, ErrReadOnly)
}

func TestReaderChangesNothing(t *testing.T) {
	path := copyOf(t, t.TempDir())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	requireSeven(t, path)
	requireSeven(t, path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestReaderSeesWhatAnotherWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	db, err := Open(t.Context(), path, Options{Migrations: oneTable("001_a")})
	require.NoError(t, err)
	defer db.Close()
	reader, err := OpenReader(t.Context(), path, Options{Migrations: oneTable("001_a")})
	require.NoError(t, err)
	defer reader.Close()
	for want := 1; want < 4; want++ {
		require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO t001_a VALUES (1)")
			return err
		}))
		var n int
		require.NoError(t, reader.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM t001_a").Scan(&n))
		assert.Equal(t, want, n)
	}
}

// A folder that takes no writing: root is held off by nothing less than chattr.
func TestReaderNeedsNoPlaceToWrite(t *testing.T) {
	dir := t.TempDir()
	path := copyOf(t, dir)
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if os.Geteuid() == 0 {
		if err := exec.CommandContext(t.Context(), "chattr", "+i", dir).Run(); err != nil {
			t.Skip("this file system has no chattr")
		}
		t.Cleanup(func() { _ = exec.Command("chattr", "-i", dir).Run() })
	}
	requireSeven(t, path)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1)
}

func TestReaderRefusesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	path := copyOf(t, dir)
	_, err := OpenReader(t.Context(), path, Options{Migrations: oneTable("001_a", "002_b")})
	assert.ErrorIs(t, err, ErrOlderSchema)
	_, err = OpenReader(t.Context(), path, Options{Migrations: oneTable()})
	assert.ErrorIs(t, err, ErrNewerSchema)
	_, err = OpenReader(t.Context(), path, Options{Migrations: oneTable("001_c")})
	assert.ErrorIs(t, err, ErrForeign)
	none := filepath.Join(dir, "none.db")
	_, err = OpenReader(t.Context(), none, Options{Migrations: oneTable("001_a")})
	assert.ErrorIs(t, err, ErrMissing)
	assert.NoFileExists(t, none)
	require.NoError(t, os.WriteFile(none, []byte("not a database at all, but some text"), 0o600))
	_, err = OpenReader(t.Context(), none, Options{Migrations: oneTable("001_a")})
	assert.ErrorIs(t, err, ErrCorrupt)
	_, err = OpenReader(t.Context(), "file:"+path, Options{Migrations: oneTable("001_a")})
	assert.ErrorContains(t, err, "not a file name")
}
