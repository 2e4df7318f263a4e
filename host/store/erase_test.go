package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
)

func insertTexts(t *testing.T, db *DB, n int) {
	require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO texts VALUES ($1, $2)", i, fmt.Sprintf("#%d secret %s", i, strings.Repeat("x", i*200)))
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func openTexts(t *testing.T, name string) *DB {
	db, err := Open(t.Context(), name, Options{Schema: "texts", Migrations: migrationsOf("CREATE TABLE texts (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func erase(ctx context.Context, db *DB, n int) error {
	return db.Erase(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE texts SET text = '' WHERE n = $1", n)
		return err
	})
}

func TestErasedIsInNoFile(t *testing.T) {
	dir := t.TempDir()
	db := openTexts(t, filepath.Join(dir, "texts.db"))
	insertTexts(t, db, 50)
	require.NotZero(t, countFiles(t, dir, "secret"))
	for n := range 50 {
		require.NoError(t, erase(t.Context(), db, n))
		require.Zero(t, countFiles(t, dir, fmt.Sprintf("#%d secret", n)))
	}
	require.Zero(t, countFiles(t, dir, "secret"))
}

// countFiles returns how many files of a folder hold a text.
func countFiles(t *testing.T, dir, text string) (n int) {
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		if bytes.Contains(b, []byte(text)) {
			n++
		}
	}
	return n
}

// A reader that looks at the state before keeps it in the write-ahead log: that is
// said, and the same again finishes it.
func TestErasureThatIsNotFinishedSaysSo(t *testing.T) {
	dir := t.TempDir()
	db := openTexts(t, filepath.Join(dir, "texts.db"))
	insertTexts(t, db, 3)
	_, err := db.write.ExecContext(t.Context(), "PRAGMA busy_timeout = 50")
	require.NoError(t, err)
	reader, err := db.Read().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	var n int
	require.NoError(t, reader.QueryRowContext(t.Context(), "SELECT count(*) FROM texts").Scan(&n))
	err = erase(t.Context(), db, 1)
	assert.ErrorIs(t, err, ErrNotErased)
	assert.ErrorIs(t, err, ErrBusy)
	assert.NotErrorIs(t, err, ErrNotWritten)
	require.NoError(t, reader.Rollback())
	require.NoError(t, erase(t.Context(), db, 1))
	assert.Zero(t, countFiles(t, dir, "#1 secret"))
}

func TestErasingOnPostgreSQLVacuums(t *testing.T) {
	db := openTexts(t, storetest.Postgres(t))
	insertTexts(t, db, 5)
	require.NoError(t, erase(t.Context(), db, 3))
	var text string
	require.NoError(t, db.Read().QueryRowContext(t.Context(), "SELECT text FROM texts WHERE n = 3").Scan(&text))
	assert.Empty(t, text)
	require.NoError(t, erase(t.Context(), db, 3), "the writing connection is still good")
}
