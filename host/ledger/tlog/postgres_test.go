package tlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// The server is killed under load, and the processes that use it are not: whoever got
// a receipt is found, and whoever did not finds out by the same message.
func TestServerKilledUnderLoadNothingAcknowledgedIsLost(t *testing.T) {
	const writers, kills = 8, 3
	path := storetest.Postgres(t)
	logs := []*Log{openAt(t, path), openAt(t, path)}
	var stop atomic.Bool
	var uncertain, unavailable, recorded atomic.Int64
	var all sync.WaitGroup
	receipts := make([][]ledger.Receipt, writers)
	for w := range writers {
		a, l := author(w), logs[w%len(logs)]
		require.NoError(t, l.List(t.Context(), a.Channel()))
		all.Go(func() {
			var prev channel.Hash
			for n := uint64(0); !stop.Load(); n++ {
				m := sign(t, a, n, prev, "under load")
				r, err := l.Submit(context.Background(), m)
				for ; err != nil; r, err = l.Submit(context.Background(), m) {
					if errors.Is(err, ledger.ErrUncertain) {
						uncertain.Add(1)
					} else if assert.ErrorIs(t, err, ledger.ErrUnavailable) {
						unavailable.Add(1)
					} else {
						return
					}
					assert.NotErrorIs(t, err, ErrCorrupt)
					time.Sleep(time.Millisecond)
				}
				recorded.Add(1)
				receipts[w], prev = append(receipts[w], r), m.Hash()
			}
		})
	}
	for range kills {
		time.Sleep(300 * time.Millisecond)
		storetest.Restart(t, nil)
	}
	time.Sleep(300 * time.Millisecond)
	stop.Store(true)
	all.Wait()
	for _, l := range append(logs, openAt(t, path)) {
		requireClean(t, l)
		for _, of := range receipts {
			for n, r := range of {
				entries, err := l.Range(t.Context(), r.Channel, uint64(n), 1)
				require.NoError(t, err)
				require.Equal(t, r.Hash, entries[0].Message.Hash(), "an acknowledged message is gone")
			}
		}
	}
	require.NotZero(t, unavailable.Load()+uncertain.Load())
	t.Logf("%d recorded, %d times uncertain, %d times unavailable over %d kills", recorded.Load(), uncertain.Load(), unavailable.Load(), kills)
}

// The answer to COMMIT is lost, with and without the COMMIT: the same message finds
// its own record, another author's handle sees it, and the log that lost it goes on.
func TestMessageOfALostCommitFindsItsRecord(t *testing.T) {
	for _, asks := range []bool{true, false} {
		t.Run(fmt.Sprint("COMMIT is lost: ", asks), func(t *testing.T) {
			place := storetest.Postgres(t)
			line, over := storetest.NewLine(t, place)
			var armed atomic.Bool
			o := options(t)
			o.Hook = func(point string) {
				if point == store.PointApplied && armed.CompareAndSwap(true, false) {
					line.Lose(asks, true)
					time.AfterFunc(50*time.Millisecond, line.Cut)
				}
			}
			l := openWith(t, over, o)
			first := write(t, l, author(1), 1)[0]
			m := sign(t, author(1), 1, first.Hash(), "second")
			armed.Store(true)
			_, err := l.Submit(t.Context(), m)
			require.ErrorIs(t, err, ledger.ErrUncertain)
			line.Mend()

			other := openAt(t, place)
			write(t, other, author(2), 3) // the tree has grown meanwhile
			r, err := l.Submit(t.Context(), m)
			require.NoError(t, err)
			assert.Equal(t, asks, r.Index == 4, "recorded again, or found")
			verified, err := policy(t).Verify(m, r.Proof)
			require.NoError(t, err)
			assert.Equal(t, r, verified)
			_, err = other.Submit(t.Context(), sign(t, author(1), 1, first.Hash(), "another second"))
			var conflict *ledger.Conflict
			require.ErrorAs(t, err, &conflict)
			assert.Equal(t, m.Hash(), conflict.Winner.Message.Hash())
			requireClean(t, l)
		})
	}
}

// alterSchema changes the live database as its owner can, foreign keys aside.
func alterSchema(t *testing.T, place, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", place+"&search_path=ledger&session_replication_role=replica")
	require.NoError(t, err)
	result, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, changed, statement)
	require.NoError(t, db.Close())
}

func schemaAlterations() []string {
	flipped := func(column string) string {
		return fmt.Sprintf("%[1]s = set_byte(%[1]s, length(%[1]s) - 1, get_byte(%[1]s, length(%[1]s) - 1) # 1)", column)
	}
	var all []string
	for _, leaf := range []int{0, 5, 12} {
		for _, set := range []string{
			"channel = channel + 1", "number = number + 1000", "time = time + 1", "leaf = leaf + 1000",
			flipped("hashes"), flipped("stub"), flipped("payload"), "hashes = ''", "stub = ''",
		} {
			all = append(all, fmt.Sprintf("UPDATE entry SET %s WHERE leaf = %d", set, leaf))
		}
		all = append(all, fmt.Sprintf("DELETE FROM entry WHERE leaf = %d", leaf))
	}
	id := key(author(2).Channel())
	for _, set := range []string{"id = id + 1", flipped("author"), "head = head - 1", "head = -1"} {
		all = append(all, fmt.Sprintf("UPDATE channel SET %s WHERE id = %d", set, id))
	}
	return append(all, fmt.Sprintf("DELETE FROM channel WHERE id = %d", id), "UPDATE log SET "+flipped("checkpoint"),
		"DELETE FROM log", "UPDATE log SET origin = 'other'")
}

func TestAlteredSchemaIsFoundAndNeverServed(t *testing.T) {
	fresh := storetest.Emptied(t)
	refused := 0
	for _, statement := range schemaAlterations() {
		place := fresh(t)
		h := written(t, place)
		running := openAt(t, place) // has nothing verified yet
		alterSchema(t, place, statement)
		refused += h.requireNeverWrong(t, running)
		report, err := running.Check(t.Context(), nil)
		require.NoError(t, err, statement)
		assert.NotEmpty(t, report.Findings, statement)
	}
	t.Logf("%d alterations, %d refusals, no wrong answer", len(schemaAlterations()), refused)
}
