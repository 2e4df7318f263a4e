package registry_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/store"
)

// keys names the columns by which a row of each sealed table is found.
func keys() map[string][]string {
	return map[string][]string{"meta": {"one"}, "issuers": {"channel"}, "cards": {"id"}, "heads": {"taps"}, "retries": {"taps", "key"}}
}

// vandalise alters one random row of the file, or deletes it; what the file's own rules forbid is not done.
func vandalise(t *rapid.T, tx *sql.Tx) string {
	table := rapid.SampledFrom([]string{"meta", "issuers", "cards", "heads", "retries"}).Draw(t, "table")
	key := keys()[table][0]
	row := fmt.Sprintf("(SELECT %s FROM %s ORDER BY 1 LIMIT 1 OFFSET %d)", key, table, rapid.IntRange(0, 3).Draw(t, "row"))
	text := fmt.Sprintf("DELETE FROM %s WHERE %s = %s", table, key, row)
	if rapid.IntRange(0, 4).Draw(t, "delete") > 0 {
		rows, err := tx.Query("SELECT name FROM pragma_table_info($1)", table)
		require.NoError(t, err)
		var columns []string
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			columns = append(columns, name)
		}
		require.NoError(t, rows.Close())
		column := rapid.SampledFrom(columns).Draw(t, "column")
		value := rapid.SampledFrom([]string{
			"0", "1", column + " + 1", "-" + column, "1e9", "'x'", "''", "'revoked'", "x''", "zeroblob(32)", "zeroblob(12)", "x'00' || " + column,
			fmt.Sprintf("(SELECT %s FROM %s ORDER BY random() LIMIT 1)", column, table),
		}).Draw(t, "value")
		text = fmt.Sprintf("UPDATE OR IGNORE %s SET %s = %s WHERE %s = %s", table, column, value, key, row)
	}
	_, err := tx.Exec(text)
	return fmt.Sprint(text, " ", err)
}

// Whatever rows of the sealed tables are altered or deleted, and however many: no answer changes.
func TestAnyAlterationChangesNoAnswer(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	l := newLedger(t)
	w := &world{t: t, ledger: l, path: filepath.Join(dir, "registry.db")}
	w.Registry = open(t, l, w.path, w.report)
	_, lives := w.populate("a", "b", "c")
	want := w.answers(lives)
	rapid.Check(t, func(t *rapid.T) {
		db, err := store.Open(ctx, w.path, store.Options{Migrations: os.DirFS("migrations")})
		require.NoError(t, err)
		require.NoError(t, db.Update(ctx, func(tx *sql.Tx) error {
			for range rapid.IntRange(1, 4).Draw(t, "alterations") {
				t.Log(vandalise(t, tx))
			}
			return nil
		}))
		require.NoError(t, db.Close())
		order := rapid.Permutation([]string{"sync", "channels", "answers", "issuers"}).Draw(t, "order")
		for _, step := range order {
			switch step {
			case "sync":
				require.NoError(t, w.Sync(ctx))
			case "channels":
				for _, l := range lives {
					require.NoError(t, w.SyncChannel(ctx, l.taps.ID()))
				}
			case "answers":
				require.Equal(t, want, w.answers(lives))
			case "issuers":
				issuers, err := w.Issuers(ctx)
				require.NoError(t, err)
				require.Len(t, issuers, 1)
			}
		}
		w.named()
		require.Equal(t, want, w.answers(lives))
		require.Empty(t, w.named(), "it was mended")
	})
	require.NoError(t, w.Close())
}
