package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type entry struct{ writer, number int }

var errTaken = errors.New("number is not the next")

// appendEntries accepts a number only as its writer's next one.
func appendEntries(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
	results := make([]Result[int], len(batch))
	for i, e := range batch {
		var next int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM entry WHERE writer = $1", e.writer).Scan(&next); err != nil {
			return nil, err
		}
		if e.number != next {
			results[i].Err = errTaken
			continue
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO entry VALUES ($1, $2)", e.writer, e.number); err != nil {
			return nil, err
		}
		results[i].Value = len(batch)
	}
	return results, nil
}

// count returns how many entries a writer has, and fails on a gap.
func count(t testing.TB, db *DB, writer int) int {
	t.Helper()
	var n, highest int
	row := db.Read().QueryRowContext(t.Context(), "SELECT count(*), coalesce(max(number), -1) FROM entry WHERE writer = $1", writer)
	require.NoError(t, row.Scan(&n, &highest))
	require.Equal(t, n-1, highest, "entries of writer %d have a gap", writer)
	return n
}

func newWriter(t testing.TB, db *DB, apply Apply[entry, int]) *Writer[entry, int] {
	w := NewWriter(db, apply)
	t.Cleanup(w.Close)
	return w
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 10*time.Second, time.Millisecond)
}

func TestOneRefusalDoesNotFailTheOthers(t *testing.T) { onBothOpen(t, oneRefusal) }

func oneRefusal(t *testing.T, db *DB) {
	taken, held := make(chan struct{}), make(chan struct{})
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		if batch[0].writer == 1 {
			close(taken)
			<-held
		}
		return appendEntries(ctx, tx, batch)
	})
	var wg sync.WaitGroup
	wg.Go(func() { w.Do(t.Context(), entry{1, 0}) })
	<-taken
	const writers = 40
	errs := make([]error, writers)
	sizes := make([]int, writers)
	for i := range writers {
		wg.Go(func() { sizes[i], errs[i] = w.Do(t.Context(), entry{100 + i, i % 2}) })
	}
	eventually(t, func() bool { return len(w.queue) == writers })
	close(held)
	wg.Wait()
	for i, err := range errs {
		assert.Equal(t, 1-i%2, count(t, db, 100+i))
		if i%2 == 1 {
			assert.Equal(t, errTaken, err)
			continue
		}
		assert.NoError(t, err)
		assert.Equal(t, writers, sizes[i], "all that waited shared one transaction")
	}
}

func TestErrorOfApplyRollsTheBatchBack(t *testing.T) { onBothOpen(t, errorOfApply) }

func errorOfApply(t *testing.T, db *DB) {
	fail := errors.New("cannot decide")
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		results, err := appendEntries(ctx, tx, batch)
		return results, errors.Join(err, fail)
	})
	_, err := w.Do(t.Context(), entry{1, 0})
	assert.ErrorIs(t, err, fail)
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.Zero(t, count(t, db, 1))
}

func TestApplyMustAnswerEachRequest(t *testing.T) { onBothOpen(t, applyMustAnswer) }

func applyMustAnswer(t *testing.T, db *DB) {
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		results, err := appendEntries(ctx, tx, batch)
		return results[1:], err
	})
	_, err := w.Do(t.Context(), entry{1, 0})
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.Zero(t, count(t, db, 1))
}

// A deferred foreign key is checked by COMMIT itself: the one way to make a
// commit fail from inside.
func TestFailedCommitIsUncertainAndEndsWriting(t *testing.T) {
	db := openNew(t)
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		_, err := tx.ExecContext(ctx, "INSERT INTO child VALUES (42)")
		return make([]Result[int], len(batch)), err
	})
	_, err := w.Do(t.Context(), entry{1, 0})
	assert.ErrorIs(t, err, ErrUncertain)
	assert.NotErrorIs(t, err, ErrNotWritten)
	for range 2 {
		_, err = w.Do(t.Context(), entry{1, 0})
		assert.ErrorIs(t, err, ErrBroken)
		assert.ErrorIs(t, err, ErrNotWritten)
		assert.NotErrorIs(t, err, ErrUncertain)
	}
	err = db.Update(t.Context(), func(*sql.Tx) error { return nil })
	assert.ErrorIs(t, err, ErrBroken)
	select {
	case err := <-Broken():
		assert.ErrorIs(t, err, ErrBroken)
	default:
		assert.Fail(t, "whoever runs the process was not told")
	}
}

func TestEndedContextSaysWhetherTheRequestWasTaken(t *testing.T) { onBothOpen(t, endedContext) }

func endedContext(t *testing.T, db *DB) {
	taken, held := make(chan struct{}), make(chan struct{})
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		if batch[0].writer == 1 {
			close(taken)
			<-held
		}
		return appendEntries(ctx, tx, batch)
	})
	ctx, cancel := context.WithCancel(t.Context())
	inHand, waiting := make(chan error), make(chan error)
	go func() { _, err := w.Do(ctx, entry{1, 0}); inHand <- err }()
	<-taken
	go func() { _, err := w.Do(ctx, entry{2, 0}); waiting <- err }()
	eventually(t, func() bool { return len(w.queue) > 0 })
	cancel()
	err := <-inHand
	assert.ErrorIs(t, err, ErrUncertain)
	assert.ErrorIs(t, err, context.Canceled)
	err = <-waiting
	assert.ErrorIs(t, err, ErrNotWritten)
	assert.ErrorIs(t, err, context.Canceled)
	close(held)
	_, err = w.Do(t.Context(), entry{3, 0})
	require.NoError(t, err, "a caller that left does not break the writer")
	assert.Equal(t, []int{1, 0, 1}, []int{count(t, db, 1), count(t, db, 2), count(t, db, 3)})
	_, err = w.Do(ctx, entry{4, 0})
	assert.ErrorIs(t, err, ErrNotWritten)
}

func TestCloseFinishesTheBatchInHandAndRefusesTheRest(t *testing.T) { onBothOpen(t, closeFinishes) }

func closeFinishes(t *testing.T, db *DB) {
	taken, held := make(chan struct{}), make(chan struct{})
	w := newWriter(t, db, func(ctx context.Context, tx *sql.Tx, batch []entry) ([]Result[int], error) {
		close(taken)
		<-held
		return appendEntries(ctx, tx, batch)
	})
	inHand, waiting := make(chan error), make(chan error)
	go func() { _, err := w.Do(t.Context(), entry{1, 0}); inHand <- err }()
	<-taken
	go func() { _, err := w.Do(t.Context(), entry{2, 0}); waiting <- err }()
	eventually(t, func() bool { return len(w.queue) > 0 })
	close(w.stop)
	w.once.Do(func() {})
	close(held)
	assert.NoError(t, <-inHand)
	err := <-waiting
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorIs(t, err, ErrNotWritten)
	w.Close()
	assert.Equal(t, []int{1, 0}, []int{count(t, db, 1), count(t, db, 2)})
	_, err = w.Do(t.Context(), entry{3, 0})
	assert.ErrorIs(t, err, ErrClosed)
}

func TestDamageFoundWhileWritingIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(t.Context(), path, Options{Migrations: schema()})
	require.NoError(t, err)
	var page int64
	require.NoError(t, db.Read().QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = 'entry'").Scan(&page))
	require.NoError(t, db.Close())
	overwrite(t, path, (page-1)*4096, 4096)
	_, err = newWriter(t, openAt(t, path), appendEntries).Do(t.Context(), entry{1, 0})
	assert.ErrorIs(t, err, ErrCorrupt)
	assert.ErrorIs(t, err, ErrNotWritten)
}
