package tlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func openMirror(t testing.TB, path string) *Mirror {
	m, err := OpenMirror(context.Background(), path, MirrorOptions{Key: policy(t).Logs[0]})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	return m
}

// from hands out a log's entries from an index on, a few at a time.
func from(entries []ledger.Entry, index int) func() ([]ledger.Entry, error) {
	return func() ([]ledger.Entry, error) {
		end := min(index+3, len(entries))
		batch := entries[index:end]
		index = end
		return batch, nil
	}
}

func everything(t testing.TB, l *Log) []ledger.Entry {
	entries, err := l.after(context.Background(), ledger.Position{})
	require.NoError(t, err)
	return entries
}

func TestMirrorIsTheLog(t *testing.T) {
	l := openAt(t, newPath(t))
	path := newPath(t)
	m := openMirror(t, path)
	_, err := m.Checkpoint(t.Context())
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	copied := 0
	for round := range 4 {
		for n := range 3 {
			write(t, l, author(10*round+n), 1+round)
		}
		text, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		entries := everything(t, l)
		require.NoError(t, m.Append(t.Context(), text, from(entries, copied)))
		require.NoError(t, m.Append(t.Context(), text, nil), "once more is nothing more")
		copied = len(entries)
		for _, m := range []*Mirror{m, openMirror(t, path)} {
			got, err := m.Checkpoint(t.Context())
			require.NoError(t, err)
			require.Equal(t, string(text), string(got))
			require.Equal(t, entries, everything(t, m.Log))
			for _, e := range entries {
				head, err := l.Head(t.Context(), e.Message.Channel())
				require.NoError(t, err)
				copied, err := m.Head(t.Context(), e.Message.Channel())
				require.NoError(t, err)
				require.Equal(t, head, copied)
				proof, err := m.Prove(t.Context(), e.Message.Channel(), e.Message.Number())
				require.NoError(t, err)
				_, err = policy(t).Verify(e.Message, proof)
				require.NoError(t, err)
			}
			requireClean(t, m.Log)
		}
	}
	_, err = m.Submit(t.Context(), sign(t, author(1), 9, channel.Hash{}, "no"))
	assert.ErrorIs(t, err, ErrReadOnly)
	assert.ErrorIs(t, m.List(t.Context(), channel.ID{1}), ErrReadOnly)
}

func TestMirrorOfAnotherLogIsRefused(t *testing.T) {
	path := newPath(t)
	openMirror(t, path)
	other := policy(t).Logs[0]
	other.Origin = "log.example/other"
	_, err := OpenMirror(t.Context(), path, MirrorOptions{Key: other})
	assert.ErrorIs(t, err, ErrOtherLog)
}

func TestMirrorTakesAllOrNothing(t *testing.T) {
	l, m := openAt(t, newPath(t)), openMirror(t, newPath(t))
	write(t, l, author(1), 20)
	entries, text := everything(t, l), mustText(t, l)
	broken := errors.New("line is down")
	for stop := range 8 {
		next := from(entries, 0)
		calls := 0
		err := m.Append(t.Context(), text, func() ([]ledger.Entry, error) {
			if calls++; calls > stop {
				return nil, broken
			}
			return next()
		})
		if stop < 7 {
			require.ErrorIs(t, err, broken)
			require.Empty(t, everything(t, m.Log))
			continue
		}
		require.NoError(t, err)
	}
	require.Len(t, everything(t, m.Log), 20)
}

func mustText(t testing.TB, l *Log) []byte {
	text, err := l.Checkpoint(context.Background())
	require.NoError(t, err)
	return text
}

// signed makes a log out of any entries, as a dishonest one can.
func signed(t testing.TB, entries []ledger.Entry) []byte {
	v := &view{hashes: map[int64]merkle.Hash{}}
	for _, e := range entries {
		leaf := ledger.Leaf{Time: e.Time, Stub: e.Message.Stub()}
		hashes, err := merkle.StoredHashesForRecordHash(int64(e.Index), leaf.Hash(), v)
		require.NoError(t, err)
		for i, h := range hashes {
			v.hashes[merkle.StoredHashIndex(0, int64(e.Index))+int64(i)] = h
		}
	}
	root, err := merkle.TreeHash(int64(len(entries)), v)
	require.NoError(t, err)
	text, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: uint64(len(entries)), Root: root}, options(t).Signer)
	require.NoError(t, err)
	return text
}

func TestMirrorRefusesWhatALogMustNotRecord(t *testing.T) {
	l := openAt(t, newPath(t))
	messages := write(t, l, author(1), 3)
	write(t, l, author(2), 1)
	honest := everything(t, l)
	begun := mustText(t, l)
	restricted := channel.NewAuthor(channel.Seed{7}, channel.Restricted)
	now := honest[3].Time
	entry := func(m channel.Message, at time.Time) ledger.Entry {
		return ledger.Entry{Message: m, Time: at, Index: 4}
	}
	sealed, err := restricted.Sign(channel.Draft{Number: 1, Prev: channel.Hash{1}, Time: now, Body: []byte("x"), Random: zeros{}})
	require.NoError(t, err)
	for name, bad := range map[string]ledger.Entry{
		"a number twice":                entry(sign(t, author(1), 2, messages[1].Hash(), "another"), now),
		"the same message twice":        entry(messages[2], now),
		"a number left out":             entry(sign(t, author(1), 4, messages[2].Hash(), "later"), now),
		"another history":               entry(sign(t, author(1), 3, messages[1].Hash(), "fork"), now),
		"a channel that does not begin": entry(sealed, now),
		"a time before the last":        entry(sign(t, author(1), 3, messages[2].Hash(), "next"), now.Add(-time.Millisecond)),
	} {
		m := openMirror(t, newPath(t))
		require.NoError(t, m.Append(t.Context(), begun, from(honest, 0)))
		entries := append(append([]ledger.Entry(nil), honest...), bad)
		err := m.Append(t.Context(), signed(t, entries), from(entries, 4))
		require.ErrorIs(t, err, ErrBreach, name)
		require.NotErrorIs(t, err, ledger.ErrUnavailable, "it will not get better")
		require.ErrorContains(t, err, "leaf 4")
		fresh := openMirror(t, newPath(t)) // within one batch
		require.ErrorIs(t, fresh.Append(t.Context(), signed(t, entries), from(entries, 0)), ErrBreach, name)
		require.Equal(t, string(begun), string(mustText(t, m.Log)), "the bad state is not served")
		requireClean(t, m.Log)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestMirrorRefusesAnotherHistory(t *testing.T) {
	l, other, m := openAt(t, newPath(t)), openAt(t, newPath(t)), openMirror(t, newPath(t))
	write(t, l, author(1), 5)
	text := mustText(t, l)
	require.NoError(t, m.Append(t.Context(), text, from(everything(t, l), 0)))
	write(t, other, author(2), 3)
	assert.ErrorIs(t, m.Append(t.Context(), mustText(t, other), from(everything(t, other), 5)), ErrRolledBack)
	write(t, other, author(3), 2)
	assert.ErrorIs(t, m.Append(t.Context(), mustText(t, other), nil), ErrForked, "of the same size")
	write(t, other, author(4), 2)
	assert.ErrorIs(t, m.Append(t.Context(), mustText(t, other), from(everything(t, other), 5)), ErrForked)
	for name, next := range map[string]func() ([]ledger.Entry, error){
		"nothing": func() ([]ledger.Entry, error) { return nil, nil }, "a gap": from(everything(t, other), 6), "again": from(everything(t, other), 0),
		"none": func() ([]ledger.Entry, error) { return make([]ledger.Entry, 1), nil },
	} {
		assert.ErrorIs(t, m.Append(t.Context(), mustText(t, other), next), ledger.ErrNoPosition, name)
	}
	assert.ErrorIs(t, m.Append(t.Context(), []byte("x"), nil), ledger.ErrInvalidProof)
	assert.Equal(t, string(text), string(mustText(t, m.Log)))
}

// BenchmarkMirror measures how fast verified entries are copied.
func BenchmarkMirror(b *testing.B) {
	l := grown(b, options(b))
	var entries []ledger.Entry
	require.NoError(b, l.Follow(b.Context(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if entries = append(entries, batch...); len(batch) == 0 {
			return ledger.ErrStop
		}
		return nil
	}))
	text := mustText(b, l)
	for n := range b.N {
		m := openMirror(b, filepath.Join(b.TempDir(), fmt.Sprint(n)))
		at := 0
		b.ResetTimer()
		require.NoError(b, m.Append(b.Context(), text, func() ([]ledger.Entry, error) {
			batch := entries[at:min(at+256, len(entries))]
			at += len(batch)
			return batch, nil
		}))
		b.ReportMetric(float64(len(entries))/b.Elapsed().Seconds(), "messages/s")
	}
}

// A copy has what the log has: where that removed a payload, the stub.
func TestMirrorTakesWhatWasRemoved(t *testing.T) {
	l := openWith(t, newPath(t), removing(t))
	messages := write(t, l, author(1), 4)
	require.NoError(t, l.Remove(t.Context(), author(1).Channel(), 2, "asked for"))
	path := newPath(t)
	m := openMirror(t, path)
	checkpoint, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Append(t.Context(), checkpoint, from(everything(t, l), 0)))
	require.NoError(t, m.Close())
	m = openMirror(t, path)
	assert.Equal(t, everything(t, l), everything(t, m.Log))
	requireClean(t, m.Log)
	proof, err := m.Prove(t.Context(), author(1).Channel(), 2)
	require.NoError(t, err)
	_, err = policy(t).Verify(messages[2], proof)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	alter(t, path, "DELETE FROM removal")
	m = openMirror(t, path)
	_, err = m.Range(t.Context(), author(1).Channel(), 2, 1)
	assert.ErrorIs(t, err, ErrCorrupt)
}
