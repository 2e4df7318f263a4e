package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
)

func openPlace(t testing.TB, place string, hook func(string)) *DB {
	t.Helper()
	db, err := Open(context.Background(), place, Options{Migrations: schema(), Schema: testSchema, Hook: hook})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func TestServerThatKeepsLessIsRefused(t *testing.T) {
	for _, setting := range []string{"fsync=off", "full_page_writes=off"} {
		_, err := Open(t.Context(), storetest.PostgresWith(t, setting), Options{Migrations: schema(), Schema: testSchema})
		assert.ErrorIs(t, err, ErrNotDurable, setting)
		name, _, _ := strings.Cut(setting, "=")
		assert.ErrorContains(t, err, name)
	}
}

// What the server's own settings say of a session is not what a session here is.
func TestSessionsAskForWhatTheyNeed(t *testing.T) {
	place := storetest.PostgresWith(t, "synchronous_commit=off", "default_transaction_read_only=on",
		"default_transaction_isolation=serializable", "statement_timeout=1h", "search_path=public")
	db := openPlace(t, place, nil)
	for name, pool := range map[string]*sql.DB{"write": db.write, "read": db.read} {
		var commit, path, only string
		row := pool.QueryRowContext(t.Context(),
			"SELECT current_setting('synchronous_commit'), current_setting('search_path'), current_setting('transaction_read_only')")
		require.NoError(t, row.Scan(&commit, &path, &only))
		assert.Equal(t, []string{"on", "entries, pg_temp"}, []string{commit, path})
		assert.Equal(t, map[string]string{"write": "off", "read": "on"}[name], only)
	}
	_, err := newWriter(t, db, appendEntries).Do(t.Context(), entry{1, 0})
	assert.NoError(t, err)
}

func TestStandbyIsRefused(t *testing.T) {
	_, err := Open(t.Context(), storetest.Standby(t), Options{Migrations: schema(), Schema: testSchema})
	assert.ErrorIs(t, err, ErrReadOnly)
	assert.ErrorContains(t, err, "standby")
}

func TestURLSaysNoSettings(t *testing.T) {
	for _, url := range []string{
		"postgres://u:hush@h/d?synchronous_commit=off", "postgres://u:hush@h/d?options=-c%20synchronous_commit%3Doff",
		"postgres://u:hush@h/d?search_path=x", "postgres://u:hush@h/d?service=x&servicefile=/x", "postgres://u:hush@h/d?target_session_attrs=any",
		"postgres://u:hush@h:port/d", "postgres://u:hush@[::1/d", "postgresql://u:hush%zz@h/d", "postgres://u:hush@h/d?sslmode=hush", "postgres://u:hush\x00@h/d",
	} {
		_, err := Open(t.Context(), url, Options{Migrations: schema(), Schema: testSchema})
		require.Error(t, err, "%q", url)
		assert.NotContains(t, err.Error(), "hush", "%q", url)
		assert.NotContains(t, Name(url), "hush", "%q", url)
	}
	for _, name := range []string{"", "Ledger", "a-b", "a b", "1a", "pg_ledger", `a"b`, strings.Repeat("a", 64)} {
		_, err := Open(t.Context(), "postgres://u@h/d", Options{Migrations: schema(), Schema: name})
		assert.ErrorContains(t, err, "no name of a schema", "%q", name)
	}
	assert.Equal(t, "postgres://h:1/d", Name("postgres://u:hush@h:1/d?password=hush"))
}

func TestNoErrorHoldsThePassword(t *testing.T) {
	place := strings.Replace(storetest.Postgres(t), "postgres@", "nobody:hush@", 1)
	for _, url := range []string{place, "postgres://nobody:hush@127.0.0.1:1/none", "postgres://nobody:hush@no-such-host.invalid/none"} {
		_, err := Open(t.Context(), url, Options{Migrations: schema(), Schema: testSchema})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hush")
	}
	_, err := Open(t.Context(), "postgres://nobody:hush@127.0.0.1:1/none", Options{Migrations: schema(), Schema: testSchema})
	assert.ErrorIs(t, err, ErrUnavailable)
}

func TestTextHoldsAnyCharacter(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		files := schema()
		files["002_text.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE line (n INTEGER PRIMARY KEY, words TEXT NOT NULL) STRICT;")}
		db, err := Open(t.Context(), fresh(t), Options{Migrations: files, Schema: testSchema})
		require.NoError(t, err)
		defer db.Close()
		for n, text := range []string{"", "a\x00b\x00", "\x00", "é\U0001F600", "'; --", `\x00`} {
			require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), "INSERT INTO line VALUES ($1, $2)", n, text)
				return err
			}))
			var got any
			require.NoError(t, db.Read().QueryRowContext(t.Context(), "SELECT words FROM line WHERE words = $1", text).Scan(&got))
			assert.Equal(t, text, got)
		}
	})
}

func TestTheStandInForNulIsRefused(t *testing.T) {
	db := openPlace(t, storetest.Postgres(t), nil)
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO schema_version VALUES (2, $1)", "\uFFFF")
		return err
	})
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.ErrorContains(t, err, "U+FFFF")
}

// PostgreSQL says that it rolled back: nothing is in doubt.
func TestRefusedCommitIsNotWritten(t *testing.T) {
	db := openPlace(t, storetest.Postgres(t), nil)
	for _, statement := range []string{"INSERT INTO child VALUES (42)", "SAVEPOINT a; SELECT 1/0"} {
		err := db.Update(t.Context(), func(tx *sql.Tx) error {
			_, _ = tx.ExecContext(t.Context(), statement)
			return nil // an error that was overlooked
		})
		assert.ErrorIs(t, err, ErrNotWritten, statement)
		assert.NotErrorIs(t, err, ErrUncertain, statement)
	}
	_, err := newWriter(t, db, appendEntries).Do(t.Context(), entry{1, 0})
	assert.NoError(t, err)
}

// The connection is lost around a COMMIT, with and without the COMMIT reaching the
// server: uncertain in both cases, and the next transaction knows.
func TestLostCommitIsUncertainAndTheNextTransactionKnows(t *testing.T) {
	for _, row := range []struct {
		name        string
		asks, holds bool
	}{{"COMMIT is lost", true, false}, {"its answer is lost", false, true}} {
		t.Run(row.name, func(t *testing.T) {
			line, place := storetest.NewLine(t, storetest.Postgres(t))
			var armed atomic.Bool
			db := openPlace(t, place, func(point string) {
				if point == PointApplied && armed.CompareAndSwap(true, false) {
					line.Lose(row.asks, true)
					time.AfterFunc(100*time.Millisecond, line.Cut)
				}
			})
			w := newWriter(t, db, appendEntries)
			armed.Store(true)
			_, err := w.Do(t.Context(), entry{1, 0})
			require.ErrorIs(t, err, ErrUncertain)
			require.ErrorIs(t, err, ErrUnavailable)
			require.NotErrorIs(t, err, ErrNotWritten)

			_, err = w.Do(t.Context(), entry{2, 0})
			require.ErrorIs(t, err, ErrNotWritten)
			require.ErrorIs(t, err, ErrUnavailable)
			line.Mend()
			_, err = w.Do(t.Context(), entry{1, 0})
			if row.holds {
				assert.ErrorIs(t, err, errTaken, "it was written")
			} else {
				assert.NoError(t, err, "it was not written")
			}
			assert.Equal(t, 1, count(t, db, 1))
			_, err = w.Do(t.Context(), entry{1, 1})
			assert.NoError(t, err)
		})
	}
}

func TestLostConnectionBeforeCommitIsNotWritten(t *testing.T) {
	line, place := storetest.NewLine(t, storetest.Postgres(t))
	db := openPlace(t, place, nil)
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		line.Cut()
		_, err := tx.ExecContext(t.Context(), "INSERT INTO entry VALUES (1, 0)")
		return err
	})
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.ErrorIs(t, err, ErrUnavailable)
	line.Mend()
	assert.Zero(t, count(t, db, 1))
}

// Idle connections that a restart has ended are not what a query finds out by.
func TestRestartIsNoErrorForWhoWasIdle(t *testing.T) {
	db := openPlace(t, storetest.Postgres(t), nil)
	var idle []*sql.Conn
	for range 3 {
		conn, err := db.Read().Conn(t.Context())
		require.NoError(t, err)
		idle = append(idle, conn)
	}
	for _, conn := range idle {
		require.NoError(t, conn.Close()) // back to the pool
	}
	require.NoError(t, db.Update(t.Context(), func(*sql.Tx) error { return nil }))
	storetest.Restart(t, nil)
	for range 4 {
		assert.Zero(t, count(t, db, 1))
	}
	assert.NoError(t, db.Update(t.Context(), func(*sql.Tx) error { return nil }))
}

// What ends, or speaks unasked, is not used again; what is quiet is.
func TestLostConnectionIsSeenWithoutAQuestion(t *testing.T) {
	for _, end := range []func(net.Conn) error{net.Conn.Close, func(c net.Conn) error { _, err := c.Write([]byte("E")); return err }} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		server, err := listener.Accept()
		require.NoError(t, err)
		p := &patient{Conn: conn, within: time.Minute}
		assert.False(t, lost(p))
		require.NoError(t, end(server))
		assert.Eventually(t, func() bool { return lost(p) }, 5*time.Second, time.Millisecond)
		_ = server.Close() // perhaps it was
		require.NoError(t, errors.Join(conn.Close(), listener.Close()))
	}
}

// Each step of a server's life is waited for so long and no longer.
func TestDeadServerDoesNotHang(t *testing.T) {
	const within = 300 * time.Millisecond
	line, place := storetest.NewLine(t, storetest.Postgres(t))
	openPlace(t, place, nil) // makes the schema
	p, err := newPostgres(place, Options{Schema: testSchema})
	require.NoError(t, err)
	p.answer = within
	write, read, err := p.pools(t.Context())
	require.NoError(t, err)
	db := &DB{engine: p, write: write, read: read, hook: func(string) {}}
	defer db.Close()
	require.Zero(t, count(t, db, 1))
	require.NoError(t, db.Update(t.Context(), func(*sql.Tx) error { return nil }))

	begin := time.Now()
	line.Lose(false, true)
	_, err = db.Read().ExecContext(t.Context(), "SELECT 1")
	assert.ErrorIs(t, Explain(err), ErrUnavailable)
	err = db.Update(t.Context(), func(*sql.Tx) error { return nil })
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.ErrorIs(t, err, ErrUnavailable)
	line.Mend()
	err = db.Update(t.Context(), func(*sql.Tx) error { line.Lose(false, true); return nil })
	assert.ErrorIs(t, err, ErrUncertain)
	assert.Less(t, time.Since(begin), 10*within)
}

func TestServerThatSaysNothingIsUnavailable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in its backlog, and that is all
	require.NoError(t, err)
	defer silent.Close()
	_, err = Open(t.Context(), fmt.Sprintf("postgres://u:hush@%s/d?sslmode=disable&connect_timeout=1", silent.Addr()),
		Options{Migrations: schema(), Schema: testSchema})
	assert.ErrorIs(t, err, ErrUnavailable)
	assert.NotContains(t, err.Error(), "hush")
}

func TestWaitForTheWriteLockEnds(t *testing.T) {
	place := storetest.Postgres(t)
	holder, waiter := openPlace(t, place, nil), openPlace(t, place, nil)
	_, err := waiter.write.ExecContext(t.Context(), "SET lock_timeout = '100ms'") // of its one connection
	require.NoError(t, err)
	require.NoError(t, holder.Update(t.Context(), func(*sql.Tx) error {
		err := waiter.Update(t.Context(), func(*sql.Tx) error { return nil })
		assert.ErrorIs(t, err, ErrBusy)
		assert.ErrorIs(t, err, ErrNotWritten)
		return nil
	}))
	assert.NoError(t, waiter.Update(t.Context(), func(*sql.Tx) error { return nil }))
}

// A standby that is to have each commit does not answer, and somebody ends the wait:
// the server has committed alone and warns, which is not what was promised.
func TestCommitWithoutItsStandbyIsUncertain(t *testing.T) {
	place := storetest.PostgresWith(t, "synchronous_standby_names=nobody", "synchronous_commit=local")
	administrator, err := sql.Open("pgx", place)
	require.NoError(t, err)
	defer administrator.Close()
	stop := make(chan struct{})
	go func() {
		for ; ; time.Sleep(20 * time.Millisecond) {
			select {
			case <-stop:
				return
			default:
			}
			_, err := administrator.Exec("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			assert.NoError(t, err)
		}
	}()
	defer close(stop)
	_, err = Open(t.Context(), place, Options{Migrations: schema(), Schema: testSchema})
	assert.ErrorIs(t, err, ErrUncertain, "the migration")
	db := openPlace(t, place, nil) // it stands
	_, err = newWriter(t, db, appendEntries).Do(t.Context(), entry{1, 0})
	assert.ErrorIs(t, err, ErrUncertain)
	assert.ErrorIs(t, err, errWarned)
}

func TestSchemaWithoutItsFirstRowTakesNoWrites(t *testing.T) {
	db := openPlace(t, storetest.Postgres(t), nil)
	require.NoError(t, db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM schema_version")
		return err
	}))
	for range 2 {
		err := db.Update(t.Context(), func(*sql.Tx) error { return nil })
		assert.ErrorIs(t, err, ErrForeign)
		assert.ErrorIs(t, err, ErrNotWritten)
	}
}

// The server is killed under load and comes back: what was acknowledged is there, what
// was not written is not, and the same handles go on.
func TestServerKilledUnderLoadLosesNothing(t *testing.T) {
	db := openPlace(t, storetest.Postgres(t), nil)
	const writers, kills = 8, 3
	var stop atomic.Bool
	var all sync.WaitGroup
	var stored, uncertain, refused atomic.Int64
	w := newWriter(t, db, appendEntries)
	for writer := range writers {
		all.Go(func() {
			doubt := false
			for next := 0; !stop.Load(); {
				_, err := w.Do(context.Background(), entry{writer, next})
				switch outcome(err) {
				case "stored":
					stored.Add(1)
				case "uncertain":
					uncertain.Add(1)
					doubt = true
					continue
				case "taken":
					assert.True(t, doubt, "a number that nobody wrote is taken")
				default:
					assert.ErrorIs(t, err, ErrNotWritten)
					refused.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				next, doubt = next+1, false
			}
			for n := count(t, db, writer); n >= 0; n = -1 {
				_, err := w.Do(context.Background(), entry{writer, n})
				assert.NoError(t, err)
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
	require.NotZero(t, stored.Load())
	require.NotZero(t, refused.Load()+uncertain.Load())
	t.Logf("%d stored, %d uncertain, %d refused over %d kills", stored.Load(), uncertain.Load(), refused.Load(), kills)
}
