package registry_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

// keys names the columns by which a row of each sealed table is found.
func keys() map[string][]string {
	return map[string][]string{"meta": {"one"}, "issuers": {"channel"}, "cards": {"id"}, "heads": {"taps"}, "retries": {"taps", "key"}, "stops": {"channel"}}
}

// columnsOf returns the columns of a table.
func columnsOf(t *rapid.T, tx *sql.Tx, path, table string) (columns []string) {
	query := "SELECT name FROM pragma_table_info($1)"
	if strings.HasPrefix(path, "postgres:") {
		query = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'registry' AND table_name = $1 ORDER BY ordinal_position"
	}
	rows, err := tx.Query(query, table)
	require.NoError(t, err)
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		columns = append(columns, name)
	}
	require.NoError(t, rows.Close())
	return columns
}

// vandalise alters one random row, or deletes it; what the database's own rules forbid is not done.
func vandalise(t *rapid.T, tx *sql.Tx, path string) string {
	table := rapid.SampledFrom([]string{"meta", "issuers", "cards", "heads", "retries", "stops"}).Draw(t, "table")
	key := keys()[table][0]
	row := fmt.Sprintf("(SELECT %s FROM %s ORDER BY 1 LIMIT 1 OFFSET %d)", key, table, rapid.IntRange(0, 3).Draw(t, "row"))
	text := fmt.Sprintf("DELETE FROM %s WHERE %s = %s", table, key, row)
	if rapid.IntRange(0, 4).Draw(t, "delete") > 0 {
		column := rapid.SampledFrom(columnsOf(t, tx, path, table)).Draw(t, "column")
		value := rapid.SampledFrom([]string{
			"0", "1", column + " + 1", "-" + column, "1e9", "'x'", "''", "'revoked'", "x''", "zeroblob(32)", "zeroblob(12)", "x'00' || " + column,
			fmt.Sprintf("(SELECT %s FROM %s ORDER BY random() LIMIT 1)", column, table),
		}).Draw(t, "value")
		text = fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = %s", table, column, value, key, row)
	}
	_, err := tx.Exec("SAVEPOINT whole")
	require.NoError(t, err)
	_, err = tx.Exec(spelled(path, text))
	if err != nil {
		_, undone := tx.Exec("ROLLBACK TO whole")
		require.NoError(t, undone)
	}
	return fmt.Sprint(text, " ", err)
}

// Whatever rows of the sealed tables are altered or deleted, and however many: no answer changes.
func TestAnyAlterationChangesNoAnswer(t *testing.T) { onBoth(t, anyAlterationChangesNoAnswer) }

func anyAlterationChangesNoAnswer(t *testing.T, fresh func(testing.TB) string) {
	ctx := context.Background()
	l := newLedger(t)
	w := &world{t: t, ledger: l, path: fresh(t)}
	w.Registry = open(t, l, w.path, w.report)
	_, lives := w.populate("a", "b", "c")
	late := recordtest.NewChain("late")
	w.tell(late.Say(recordtest.Body(recordtest.Opened("late"))))
	w.tell(late.Say([]byte(mustBeKnown)))
	w.sync()
	want := w.answers(lives)
	rapid.Check(t, func(t *rapid.T) {
		db := openStore(t, w.path)
		require.NoError(t, db.Update(ctx, func(tx *sql.Tx) error {
			for range rapid.IntRange(1, 4).Draw(t, "alterations") {
				t.Log(vandalise(t, tx, w.path))
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
				require.Len(t, issuers, 2)
				require.ErrorIs(t, w.TooOld(late.ID()), record.ErrMust)
			}
		}
		w.named()
		require.Equal(t, want, w.answers(lives))
		require.Empty(t, w.named(), "it was mended")
	})
	require.NoError(t, w.Close())
}
