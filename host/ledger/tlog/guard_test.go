package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

// guarded returns options whose guard stands beside nothing of the log.
func guarded(t testing.TB) Options {
	o := options(t)
	o.Guard = filepath.Join(t.TempDir(), "guards", "test.guard")
	return o
}

// guardSizeNow returns the size of the tree in a guard.
func guardSizeNow(t testing.TB, path string) uint64 {
	t.Helper()
	text, err := ReadGuard(path)
	require.NoError(t, err)
	size, err := sizeOf(text)
	require.NoError(t, err)
	return size
}

// copyFile copies a closed log's file.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

func TestContractWithGuard(t *testing.T) {
	ledgertest.Run(t, ledgertest.Backend{Open: func(t *testing.T) ledgertest.Under {
		path, guard := newPath(t), filepath.Join(t.TempDir(), "guard")
		t.Cleanup(func() { requireClean(t, openAt(t, path)) })
		return underGuard(t, path, guard)
	}})
}

func underGuard(t *testing.T, path, guard string) ledgertest.Under {
	f := &failing{}
	o := options(t)
	o.Now, o.Hook, o.Guard = f.now, f.hook, guard
	f.Log = openWith(t, path, o)
	return ledgertest.Under{
		Ledger: f, List: f.List, Policy: policy(t), Fail: f.fail,
		Another: func(t *testing.T) ledger.Ledger { return openWith(t, path, o) },
		Reopen:  func(t *testing.T) ledgertest.Under { return underGuard(t, path, guard) },
	}
}

func TestEachAnswerIsGuarded(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) { eachAnswerIsGuarded(t, fresh(t)) })
}

func eachAnswerIsGuarded(t *testing.T, path string) {
	o := guarded(t)
	l := openWith(t, path, o)
	var wg sync.WaitGroup
	for n := range 8 {
		require.NoError(t, l.List(t.Context(), author(n).Channel()))
		wg.Go(func() {
			var prev channel.Hash
			for i := range 20 {
				m := sign(t, author(n), uint64(i), prev, "body")
				r, err := l.Submit(t.Context(), m)
				if !assert.NoError(t, err) {
					return
				}
				assert.Greater(t, guardSizeNow(t, o.Guard), r.Index)
				prev = m.Hash()
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 160, guardSizeNow(t, o.Guard))
}

// wantRefusal asks a log for everything, and wants nothing but the error.
func wantRefusal(t *testing.T, l *Log, id channel.ID, want error) {
	t.Helper()
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"Info":        func() error { _, err := l.Info(ctx); return err },
		"Head":        func() error { _, err := l.Head(ctx, id); return err },
		"Range":       func() error { _, err := l.Range(ctx, id, 0, 9); return err },
		"Prove":       func() error { _, err := l.Prove(ctx, id, 0); return err },
		"Checkpoint":  func() error { _, err := l.Checkpoint(ctx); return err },
		"Consistency": func() error { _, err := l.Consistency(ctx, 1, 2); return err },
		"Follow":      func() error { return l.Follow(ctx, ledger.Position{}, nil) },
		"List":        func() error { return l.List(ctx, author(9).Channel()) },
		"Submit":      func() error { _, err := l.Submit(ctx, sign(t, author(0), 0, channel.Hash{}, "body")); return err },
	} {
		err := ask()
		assert.ErrorIs(t, err, want, name)
		assert.ErrorIs(t, err, ledger.ErrUnavailable, name)
		assert.NotErrorIs(t, err, ledger.ErrUncertain, name)
	}
}

func TestOldCopyIsRefused(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	messages := write(t, l, author(0), 3)
	require.NoError(t, l.Close())
	old := newPath(t)
	copyFile(t, path, old)
	l = openWith(t, path, o)
	next := sign(t, author(0), 3, messages[2].Hash(), "used")
	_, err := l.Submit(t.Context(), next)
	require.NoError(t, err)
	kept, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	require.NoError(t, l.Close())

	copyFile(t, old, path)
	_, err = Open(t.Context(), path, o)
	assert.ErrorIs(t, err, ErrRolledBack)
	assert.ErrorContains(t, err, "it holds 3 messages and held 4")
	reader, err := OpenReader(t.Context(), path, origin, o.Signer.VerifierKey())
	require.NoError(t, err)
	defer reader.Close()
	requireClean(t, reader)
	head, err := reader.Head(t.Context(), author(0).Channel())
	require.NoError(t, err)
	assert.Equal(t, messages[2].Hash(), head.Message.Hash())
	assert.ErrorIs(t, reader.Against(t.Context(), kept), ErrRolledBack)
}

// shorten takes the log's file back to its first leaves while it is open: what a
// database's own restore does under a running service.
func shorten(t *testing.T, path string, size int, checkpoint []byte) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	for _, statement := range []string{
		"DELETE FROM entry WHERE leaf >= $1",
		"UPDATE channel SET head = coalesce((SELECT max(leaf) FROM entry WHERE channel = id AND leaf < $1), -1)",
	} {
		_, err := db.ExecContext(t.Context(), statement, size)
		require.NoError(t, err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE log SET checkpoint = $1", checkpoint)
	require.NoError(t, err)
}

func TestRollbackUnderARunningProcessIsRefused(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	write(t, l, author(0), 3)
	checkpoint, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	other := openWith(t, path, o) // has seen these three alone
	write(t, l, author(1), 2)
	shorten(t, path, 3, checkpoint)
	wantRefusal(t, l, author(0).Channel(), ErrRolledBack)
	wantRefusal(t, other, author(0).Channel(), ErrRolledBack)
	report, err := l.Check(t.Context(), nil)
	require.NoError(t, err)
	assert.EqualValues(t, 3, report.Size, "one can look at it all the same")
}

func TestForkIsRefused(t *testing.T) {
	for _, more := range []int{1, 2, 5} { // as long as the guarded one, or longer
		o, path := guarded(t), newPath(t)
		l := openWith(t, path, o)
		messages := write(t, l, author(0), 3)
		require.NoError(t, l.Close())
		old := newPath(t)
		copyFile(t, path, old)
		l = openWith(t, path, o)
		_, err := l.Submit(t.Context(), sign(t, author(0), 3, messages[2].Hash(), "one history"))
		require.NoError(t, err)
		kept, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.Close())

		copyFile(t, old, path)
		unguarded := openAt(t, path)
		assert.NoError(t, unguarded.Against(t.Context(), checkpointOf(t, unguarded)))
		write(t, unguarded, author(1), more)
		assert.ErrorIs(t, unguarded.Against(t.Context(), kept), ErrForked)
		require.NoError(t, unguarded.Close())
		_, err = Open(t.Context(), path, o)
		assert.ErrorIs(t, err, ErrForked)
		assert.ErrorIs(t, err, ledger.ErrUnavailable)
	}
}

func checkpointOf(t *testing.T, l *Log) []byte {
	t.Helper()
	text, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	return text
}

func TestAgainstEveryCheckpointOfTheLog(t *testing.T) {
	l := openAt(t, newPath(t))
	var kept [][]byte
	for n := range 9 {
		kept = append(kept, checkpointOf(t, l))
		write(t, l, author(n), 1)
		for _, text := range kept {
			require.NoError(t, l.Against(t.Context(), text))
		}
	}
	altered := bytes.Replace(kept[3], []byte("\n3\n"), []byte("\n2\n"), 1)
	assert.ErrorIs(t, l.Against(t.Context(), altered), ledger.ErrInvalidProof)
	assert.ErrorIs(t, l.Against(t.Context(), nil), ledger.ErrInvalidProof)
}

func TestMissingGuardIsMissedUnlessTheLogIsNew(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	assert.Zero(t, guardSizeNow(t, o.Guard))
	require.NoError(t, l.Close())
	require.NoError(t, os.Remove(o.Guard))
	l = openWith(t, path, o) // a log without leaves
	write(t, l, author(0), 2)
	require.NoError(t, l.Close())
	require.NoError(t, os.Remove(o.Guard))
	_, err := Open(t.Context(), path, o)
	assert.ErrorIs(t, err, ErrNoGuard)
	assert.NoFileExists(t, o.Guard)
	o.AdoptGuard = true
	openWith(t, path, o)
	assert.EqualValues(t, 2, guardSizeNow(t, o.Guard))
}

// To adopt is for a guard that is missing, never for one that says no.
func TestAdoptingLowersNoGuard(t *testing.T) {
	o, path := guarded(t), newPath(t)
	o.AdoptGuard = true
	l := openWith(t, path, o)
	write(t, l, author(0), 2)
	text := checkpointOf(t, l)
	write(t, l, author(1), 2)
	require.NoError(t, l.Close())
	shorten(t, path, 2, text)
	_, err := Open(t.Context(), path, o)
	assert.ErrorIs(t, err, ErrRolledBack)
	assert.EqualValues(t, 4, guardSizeNow(t, o.Guard))
}

func TestGuardIsBroughtUpByWhoOpensTheLog(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	here := openWith(t, path, o)
	elsewhere := o
	elsewhere.Guard = filepath.Join(t.TempDir(), "another host's")
	write(t, openWith(t, path, elsewhere), author(0), 3)
	assert.Zero(t, guardSizeNow(t, o.Guard))
	_, err := here.Head(t.Context(), author(0).Channel())
	require.NoError(t, err)
	require.NoError(t, here.Close())
	assert.EqualValues(t, 3, guardSizeNow(t, o.Guard), "what was read is kept at the end")
	write(t, l, author(1), 1)
	assert.EqualValues(t, 4, guardSizeNow(t, o.Guard))
	assert.EqualValues(t, 3, guardSizeNow(t, elsewhere.Guard))
	openWith(t, path, elsewhere)
	assert.EqualValues(t, 4, guardSizeNow(t, elsewhere.Guard))
}

func TestGuardOfAnotherLogIsRefused(t *testing.T) {
	o := guarded(t)
	require.NoError(t, createGuard(o.Guard, []byte("log.example/other\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— x y\n")))
	_, err := Open(t.Context(), newPath(t), o)
	assert.ErrorIs(t, err, ErrBadGuard)
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
}

func TestDamagedGuardIsNamedAndNeverBegunAnew(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	write(t, l, author(0), 2)
	write(t, l, author(1), 1)
	require.NoError(t, l.Close())
	whole, err := os.ReadFile(o.Guard)
	require.NoError(t, err)
	damage := map[string][]byte{
		"empty": {}, "cut": whole[:slotSize], "longer": whole[:guardSize-1],
		"zeros": make([]byte, guardSize), "both slots": bytes.ReplaceAll(whole, []byte("PIDG"), []byte("PIDX")),
	}
	for name, bytes := range damage {
		require.NoError(t, os.WriteFile(o.Guard, bytes, 0o600))
		_, err := Open(t.Context(), path, o)
		assert.ErrorIs(t, err, ErrBadGuard, name)
		now, err := os.ReadFile(o.Guard)
		require.NoError(t, err)
		assert.Equal(t, bytes, now, name)
	}
}

// A guard that cannot be written lets no answer out, and after that no message in.
func TestUnwritableGuardStopsTheLog(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	messages := write(t, l, author(0), 1)
	readOnly, err := os.Open(o.Guard)
	require.NoError(t, err)
	writable := l.guard.file
	l.guard.file = guardFile{readOnly}
	next := sign(t, author(0), 1, messages[0].Hash(), "committed, and not answered")
	_, err = l.Submit(t.Context(), next)
	assert.ErrorIs(t, err, ledger.ErrUncertain)
	after := sign(t, author(0), 2, next.Hash(), "not written")
	_, err = l.Submit(t.Context(), after)
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.NotErrorIs(t, err, ledger.ErrUncertain)
	_, err = l.Await(t.Context(), ledger.Receipt{Channel: next.Channel(), Number: 1, Hash: next.Hash()}, ledger.Final)
	assert.Error(t, err, "to wait for it is an answer too")
	assert.EqualValues(t, 1, guardSizeNow(t, o.Guard))

	l.guard.file = writable
	require.NoError(t, readOnly.Close())
	r, err := l.Submit(t.Context(), next)
	require.NoError(t, err)
	assert.EqualValues(t, 1, r.Index)
	_, err = l.Submit(t.Context(), after)
	require.NoError(t, err)
	assert.EqualValues(t, 3, guardSizeNow(t, o.Guard))
}

func TestGuardThatAnotherKeepsLockedIsWaitedFor(t *testing.T) {
	o, path := guarded(t), newPath(t)
	l := openWith(t, path, o)
	require.NoError(t, l.List(t.Context(), author(0).Channel()))
	f, err := os.OpenFile(o.Guard, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, tryLock(f))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	m := sign(t, author(0), 0, channel.Hash{}, "body")
	_, err = l.Submit(ctx, m)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, err, ledger.ErrUncertain)
	unlocked := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() { unlocked <- unlock(f) })
	submitted := make(chan error)
	go func() { _, err := l.Submit(t.Context(), m); submitted <- err }()
	require.NoError(t, <-unlocked)
	require.NoError(t, <-submitted)
}

// After a sync that failed the system may have dropped what it was to write, and says nothing of it at the next one: what may not
// be on the disk is written once more, into the slot that counts less.
func TestGuardThatMayNotBeOnTheDiskIsWrittenAgain(t *testing.T) {
	path, o := newPath(t), guarded(t)
	l := openWith(t, path, o)
	write(t, l, author(0), 3)
	require.NoError(t, l.Close())
	file, err := os.ReadFile(o.Guard)
	require.NoError(t, err)
	written := slots(file)
	newest, next, err := written.pick()
	require.NoError(t, err)
	inNext := func() string {
		file, err := os.ReadFile(o.Guard)
		require.NoError(t, err)
		text, err := decodeSlot(file[next*slotSize:][:slotSize])
		require.NoError(t, err)
		return string(text)
	}
	require.NotEqual(t, string(newest), inNext())
	require.NoError(t, openWith(t, path, o).Close()) // who knows nothing of what the last one's sync said
	require.Equal(t, string(newest), inNext())
}
