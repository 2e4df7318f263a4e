package tlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// history is what a log said while its file was sound.
type history struct {
	channels []channel.ID
	entries  map[channel.ID][]ledger.Entry
	all      []ledger.Entry
}

// written makes a log of 3 channels and 13 leaves at path and closes it.
func written(t *testing.T, path string) history {
	l, err := Open(t.Context(), path, options(t))
	require.NoError(t, err)
	h := history{entries: map[channel.ID][]ledger.Entry{}}
	for i, n := range []int{1, 7, 5} {
		a := author(i)
		write(t, l, a, n)
		h.channels = append(h.channels, a.Channel())
		h.entries[a.Channel()], err = l.Range(t.Context(), a.Channel(), 0, 100)
		require.NoError(t, err)
	}
	h.all, err = l.after(t.Context(), ledger.Position{})
	require.NoError(t, err)
	requireClean(t, l)
	require.NoError(t, l.Close())
	return h
}

// requireNeverWrong asks for everything: each answer is the true one or the
// error of an altered file. It returns how often it was the error.
func (h history) requireNeverWrong(t *testing.T, l *Log) (refused int) {
	t.Helper()
	right := func(what string, err error, same bool) {
		t.Helper()
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt, what)
			require.ErrorIs(t, err, ledger.ErrUnavailable, what)
			refused++
			return
		}
		require.True(t, same, "%s: a wrong answer", what)
	}
	for _, id := range h.channels {
		want := h.entries[id]
		last := want[len(want)-1]
		head, err := l.Head(t.Context(), id)
		right("head", err, equal(head, last))
		entries, err := l.Range(t.Context(), id, 0, 100)
		right("range", err, equal(entries, want))
		for n, e := range want {
			proof, err := l.Prove(t.Context(), id, uint64(n))
			right("proof", err, verifies(t, e, proof))
		}
		r, err := l.Await(t.Context(), last.Receipt(origin, ledger.Taken, ledger.Proof{}), ledger.Final)
		right("await", err, verifies(t, last, r.Proof))
	}
	all, err := l.after(t.Context(), ledger.Position{})
	right("follow", err, equal(all, h.all))
	_, err = l.Checkpoint(t.Context())
	right("checkpoint", err, true)
	return refused
}

func equal[T any](a, b T) bool { return assert.ObjectsAreEqual(b, a) }

func verifies(t *testing.T, e ledger.Entry, proof ledger.Proof) bool {
	r, err := policy(t).Verify(e.Message, proof)
	return err == nil && r.Index == e.Index && r.Time.Equal(e.Time)
}

// alter changes the file as somebody does who may write to it.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	result, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, changed, statement)
	require.NoError(t, db.Close())
}

// flip is SQL that changes the last byte of a blob.
const flip = "substr(%[1]s, 1, length(%[1]s) - 1) || CASE substr(%[1]s, -1) WHEN x'00' THEN x'01' ELSE x'00' END"

func alterations() []string {
	blob := func(column string) string {
		return fmt.Sprintf("%s = CAST("+flip+" AS BLOB)", column)
	}
	var all []string
	for _, leaf := range []int{0, 5, 11, 12} {
		for _, set := range []string{
			"channel = channel + 1", "number = number + 1000", "number = -1", "time = time + 1", "time = -1", "leaf = leaf + 1000", "leaf = -1",
			blob("hashes"), blob("stub"), blob("payload"), "hashes = x''", "stub = x''", "payload = CAST(payload || x'00' AS BLOB)",
		} {
			all = append(all, fmt.Sprintf("UPDATE entry SET %s WHERE leaf = %d", set, leaf))
		}
		all = append(all, fmt.Sprintf("DELETE FROM entry WHERE leaf = %d", leaf))
	}
	for n := range 3 {
		id := key(author(n).Channel())
		for _, set := range []string{"id = id + 1", blob("author"), "author = x''", "head = head + 1", "head = head - 1", "head = -1"} {
			all = append(all, fmt.Sprintf("UPDATE channel SET %s WHERE id = %d", set, id))
		}
		all = append(all, fmt.Sprintf("DELETE FROM channel WHERE id = %d", id))
	}
	return append(all, "UPDATE log SET "+blob("checkpoint"), "UPDATE log SET checkpoint = x''", "DELETE FROM log",
		"UPDATE log SET origin = 'other'", "UPDATE log SET verifier_key = 'other'",
		"INSERT INTO entry SELECT 13, channel, number + 1, time, hashes, stub, payload FROM entry WHERE leaf = 12")
}

func TestAlteredRowsAreFoundAndNeverServed(t *testing.T) {
	sound := newPath(t)
	h := written(t, sound)
	file, err := os.ReadFile(sound)
	require.NoError(t, err)
	refused := 0
	for _, statement := range alterations() {
		path := newPath(t)
		require.NoError(t, os.WriteFile(path, file, 0o600))
		running := openAt(t, path) // has nothing verified yet
		alter(t, path, statement)
		n := h.requireNeverWrong(t, running)
		report, err := running.Check(t.Context(), nil)
		require.NoError(t, err, statement)
		assert.NotEmpty(t, report.Findings, statement)
		refused += n

		fresh, err := Open(t.Context(), path, options(t))
		if err != nil {
			assert.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrOtherLog), "%s: %v", statement, err)
			continue
		}
		h.requireNeverWrong(t, fresh)
		require.NoError(t, fresh.Close())
	}
	t.Logf("%d alterations, %d refusals, no wrong answer", len(alterations()), refused)
}

func TestWhatWasVerifiedIsComparedAgain(t *testing.T) {
	path := newPath(t)
	h := written(t, path)
	l := openAt(t, path)
	require.Zero(t, h.requireNeverWrong(t, l)) // all is in memory now
	alter(t, path, "UPDATE entry SET time = time + 1 WHERE leaf = 3")
	alter(t, path, "UPDATE entry SET payload = CAST(replace(payload, 'message', 'massage') AS BLOB) WHERE leaf = 4")
	assert.NotZero(t, h.requireNeverWrong(t, l))
}

// A copy of the file with one byte changed, anywhere: what is still answered is
// the truth.
func TestAnyChangedByteIsNeverServed(t *testing.T) {
	sound := newPath(t)
	h := written(t, sound)
	file, err := os.ReadFile(sound)
	require.NoError(t, err)
	const changedBytes = 100
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	opened, refused := 0, 0
	for range changedBytes {
		path := newPath(t)
		changed := bytes.Clone(file)
		at := random.IntN(len(file))
		changed[at] ^= 1 << random.IntN(8)
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		l, err := Open(t.Context(), path, options(t))
		if err != nil {
			continue
		}
		opened++
		if h.requireNeverWrong(t, l) > 0 {
			refused++
			report, err := l.Check(t.Context(), nil)
			require.NoError(t, err)
			assert.NotEmpty(t, report.Findings, "byte %d", at)
		}
		_ = l.Close() // a damaged file may refuse this too
	}
	require.NotZero(t, refused)
	t.Logf("%d bytes changed: %d files opened, %d of them refused something, no wrong answer", changedBytes, opened, refused)
}

func TestAlteredChannelTakesNoMessage(t *testing.T) {
	for _, statement := range []string{
		"DELETE FROM channel", "UPDATE channel SET head = -1", "UPDATE channel SET author = x'00'",
		"DELETE FROM entry WHERE leaf >= 11", "UPDATE entry SET stub = x'00'",
	} {
		path := newPath(t)
		h := written(t, path)
		l := openAt(t, path)
		alter(t, path, statement)
		last := h.all[len(h.all)-1].Message
		for _, m := range []channel.Message{
			sign(t, author(2), 0, channel.Hash{}, "a channel that begins again"),
			sign(t, author(2), last.Number()+1, last.Hash(), "next"),
		} {
			_, err := l.Submit(t.Context(), m)
			assert.ErrorIs(t, err, ErrCorrupt, statement)
			assert.ErrorIs(t, err, ledger.ErrUnavailable, statement)
		}
		assert.ErrorIs(t, l.List(t.Context(), author(2).Channel()), ErrCorrupt, statement)
	}
}

// One channel that is altered does not stop the others.
func TestAlteredChannelDoesNotStopOthers(t *testing.T) {
	path := newPath(t)
	h := written(t, path)
	l := openAt(t, path)
	alter(t, path, fmt.Sprintf("UPDATE channel SET head = -1 WHERE id = %d", key(h.channels[0])))
	write(t, l, author(77), 3)
	_, err := l.Head(t.Context(), h.channels[0])
	assert.ErrorIs(t, err, ErrCorrupt)
}

func TestCheckReportsProgressAndEndsWithItsContext(t *testing.T) {
	path := newPath(t)
	h := written(t, path)
	l := openAt(t, path)
	var done, size uint64
	_, err := l.Check(t.Context(), func(d, s uint64) { done, size = d, s })
	require.NoError(t, err)
	assert.Equal(t, []int{len(h.all), len(h.all)}, []int{int(done), int(size)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Check(ctx, nil)
	assert.ErrorIs(t, err, context.Canceled)
}
