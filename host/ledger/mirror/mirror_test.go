package mirror

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// served serves a log, which may be exchanged for another.
type served struct {
	*httptest.Server
	handler atomic.Pointer[http.Handler]
}

func (s *served) set(h http.Handler) { s.handler.Store(&h) }

func serve(t testing.TB, h http.Handler) *served {
	s := &served{}
	s.set(h)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	return s
}

func mirrorOptions(url, dir string) Options {
	signer := witnessSigner()
	return Options{URL: url, Key: logKey(), Dir: dir, Witness: &signer, Interval: 10 * time.Millisecond, Now: time.Now}
}

func openMirror(t testing.TB, url, dir string) *Mirror {
	m, err := Open(context.Background(), mirrorOptions(url, dir))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	return m
}

// everything follows a ledger to its present end.
func everything(t testing.TB, l ledger.Ledger) (entries []ledger.Entry) {
	require.NoError(t, l.Follow(context.Background(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		entries = append(entries, batch...)
		return nil
	}))
	return entries
}

// TestMirrorServesTheLogAndVouchesForIt: who reads from the mirror gets the same, with
// proofs that its witness cosigned.
func TestMirrorServesTheLogAndVouchesForIt(t *testing.T) {
	l := newLog(t)
	m := openMirror(t, serve(t, tiles.NewHandler(l)).URL, t.TempDir())
	copied := serve(t, m)
	trusted := ledger.Policy{Logs: []ledger.LogKey{logKey()}, Witnesses: []string{witnessSigner().VerifierKey()}, Quorum: 1}
	reader, err := tiles.NewClient(tiles.Options{URL: copied.URL, Policy: trusted})
	require.NoError(t, err)
	defer reader.Close()
	r, err := http.Get(copied.URL + "/checkpoint")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, http.StatusServiceUnavailable, r.StatusCode, "nothing was copied yet")
	for round := range 3 {
		last := extend(t, l, author(round), 300*round, "body")
		c, err := m.Sync(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 150*round*(round+1), c.Size)
		require.Equal(t, everything(t, l), everything(t, reader))
		if last.IsZero() {
			continue
		}
		head, err := reader.Head(t.Context(), last.Channel())
		require.NoError(t, err)
		assert.Equal(t, last.Hash(), head.Message.Hash())
		proof, err := reader.Prove(t.Context(), last.Channel(), last.Number())
		require.NoError(t, err)
		receipt, err := trusted.Verify(last, proof)
		require.NoError(t, err)
		assert.Equal(t, ledger.Witnessed, receipt.Phase)
		text, err := m.Log().Checkpoint(t.Context())
		require.NoError(t, err)
		found, err := ledger.Cosignatures(text, trusted.Witnesses...)
		require.NoError(t, err)
		assert.Len(t, found, 1)
	}
	report, err := m.Log().Check(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
}

// signedBad is a log with a leaf that no honest log has, signed like any other.
func signedBad(t testing.TB, l *tlog.Log) *dishonest {
	entries := everything(t, l)
	last := entries[len(entries)-1]
	fork, err := author(1).Sign(channel.Draft{Number: last.Message.Number(), Prev: last.Message.Prev(), Time: last.Time, Body: []byte("another")})
	require.NoError(t, err)
	return &dishonest{l, ledger.Entry{Message: fork, Time: last.Time, Index: uint64(len(entries))}}
}

func TestMirrorDetects(t *testing.T) {
	fill := func(l *tlog.Log) { extend(t, l, author(1), 300, "body") }
	for name, happens := range map[string]func(current, old *tlog.Log) http.Handler{
		"old backup": func(_, old *tlog.Log) http.Handler { return tiles.NewHandler(old) },
		"old backup that grew": func(_, old *tlog.Log) http.Handler {
			extend(t, old, author(2), 100, "other")
			return tiles.NewHandler(old)
		},
		"fork of the same size": func(_, old *tlog.Log) http.Handler {
			extend(t, old, author(2), 10, "other")
			return tiles.NewHandler(old)
		},
		"truncated": func(_, _ *tlog.Log) http.Handler { return tiles.NewHandler(newLog(t)) },
		"rewritten from nothing": func(_, _ *tlog.Log) http.Handler {
			l := newLog(t)
			extend(t, l, author(3), 400, "new")
			return tiles.NewHandler(l)
		},
		"a number given twice": func(current, _ *tlog.Log) http.Handler { return tiles.NewHandler(signedBad(t, current)) },
	} {
		t.Run(name, func(t *testing.T) {
			current, old := backup(t, fill)
			extend(t, current, author(1), 10, "more")
			server, dir := serve(t, tiles.NewHandler(current)), t.TempDir()
			m := openMirror(t, server.URL, dir)
			_, err := m.Sync(t.Context())
			require.NoError(t, err)
			before, good := latest(t, m.witness), everything(t, current)

			server.set(happens(current, old))
			err = m.Run(t.Context())
			e, ok := errors.AsType[*Evidence](err)
			require.True(t, ok, "%v", err)
			require.ErrorIs(t, err, ErrBroken)
			for _, text := range []string{e.Kept, e.Got} {
				_, err := ledger.ParseCheckpoint([]byte(text), origin, verifier(t))
				assert.NoError(t, err, "both checkpoints are evidence")
			}
			assert.NotEqual(t, e.Kept, e.Got)
			var kept Evidence
			text, err := os.ReadFile(filepath.Join(dir, "mirror.evidence.json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &kept))
			assert.Equal(t, e.Got, kept.Got)

			assert.Equal(t, good, everything(t, m.Log()), "the bad state is not served")
			assert.Equal(t, string(before), string(latest(t, m.witness)), "nor cosigned")
			require.NoError(t, m.Close())
			server.set(tiles.NewHandler(current))
			_, err = Open(t.Context(), mirrorOptions(server.URL, dir))
			assert.ErrorIs(t, err, ErrBroken, "it does not begin again by itself")
		})
	}
}

// TestForkShownToTheWitnessAloneIsDetected: the log brings its witness another history
// than it shows its readers.
func TestForkShownToTheWitnessAloneIsDetected(t *testing.T) {
	current, old := backup(t, func(l *tlog.Log) { extend(t, l, author(1), 30, "body") })
	extend(t, current, author(1), 10, "more")
	extend(t, old, author(2), 10, "other")
	m := openMirror(t, serve(t, tiles.NewHandler(current)).URL, t.TempDir())
	require.NoError(t, publisher(t, old, Asked{serve(t, m).URL, witnessSigner().VerifierKey()}).Publish(t.Context()))
	_, err := m.Sync(t.Context())
	assert.ErrorIs(t, err, ErrBroken)
}

// TestCopyPutBackFromAnOldBackupIsMendedFromTheLog, but what its witness cosigned it knows.
func TestDeletedStateIsNoWayRound(t *testing.T) {
	current, old := backup(t, func(l *tlog.Log) { extend(t, l, author(1), 30, "body") })
	extend(t, current, author(1), 10, "more")
	server, dir := serve(t, tiles.NewHandler(current)), t.TempDir()
	m := openMirror(t, server.URL, dir)
	_, err := m.Sync(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, "mirror.checkpoint")))
	extend(t, old, author(2), 20, "other")
	server.set(tiles.NewHandler(old))
	_, err = openMirror(t, server.URL, dir).Sync(t.Context())
	assert.ErrorIs(t, err, ErrBroken)
}

func TestMirrorWaitsForALogThatDoesNotAnswer(t *testing.T) {
	l := newLog(t)
	extend(t, l, author(1), 3, "body")
	server := serve(t, http.NotFoundHandler())
	o := mirrorOptions(server.URL, t.TempDir())
	reports := make(chan error, 100)
	o.Report = func(err error) { reports <- err }
	m, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer m.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	assert.ErrorIs(t, <-reports, ledger.ErrUnavailable)
	server.set(tiles.NewHandler(l))
	require.Eventually(t, func() bool {
		info, err := m.Log().Info(context.Background())
		return err == nil && info.Size == 3
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	assert.ErrorIs(t, <-done, context.Canceled)
}

// TestLogMirrorAndWitnessTogether: the log pushes, the mirror copies and cosigns, both
// at once and all the time.
func TestLogMirrorAndWitnessTogether(t *testing.T) {
	l := newLog(t, witnessSigner().VerifierKey())
	m := openMirror(t, serve(t, tiles.NewHandler(l)).URL, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- m.Run(ctx) }()
	go func() { done <- publisher(t, l, Asked{serve(t, m).URL, witnessSigner().VerifierKey()}).Run(ctx) }()
	for n := range 10 {
		last := extend(t, l, author(n), 20, "body")
		_, err := l.Await(ctx, ledger.Receipt{Channel: last.Channel(), Number: last.Number(), Hash: last.Hash()}, ledger.Witnessed)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		text, err := m.Log().Checkpoint(ctx)
		if err != nil {
			return false
		}
		c, err := ledger.ParseCheckpoint(text, origin, verifier(t))
		found, _ := ledger.Cosignatures(text, witnessSigner().VerifierKey())
		return err == nil && c.Size == 200 && len(found) == 1
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	for range 2 {
		assert.ErrorIs(t, <-done, context.Canceled)
	}
	assert.Equal(t, everything(t, l), everything(t, m.Log()))
}

func TestMirrorWithoutAKeyIsNoWitness(t *testing.T) {
	l := newLog(t)
	extend(t, l, author(1), 3, "body")
	o := mirrorOptions(serve(t, tiles.NewHandler(l)).URL, t.TempDir())
	o.Witness = nil
	m, err := Open(t.Context(), o)
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Sync(t.Context())
	require.NoError(t, err)
	r, err := http.Post(serve(t, m).URL+"/add-checkpoint", "", nil)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
}

func TestWitnessKeys(t *testing.T) {
	text, err := NewWitnessKey("witness.example/w1", rand.Reader)
	require.NoError(t, err)
	signer, err := ParseWitnessKey(text)
	require.NoError(t, err)
	assert.Equal(t, "witness.example/w1", signer.Name())
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", signer, signer, signer), text[len(text)-20:])
	for _, bad := range []string{"", "x", signerKey, text[:len(text)-4], text + "A", "PRIVATE+KEY+other" + text[len("PRIVATE+KEY+witness.example/w1"):], signer.VerifierKey()} {
		_, err := ParseWitnessKey(bad)
		assert.ErrorIs(t, err, errWitnessKey, bad)
	}
	_, err = NewWitnessKey("two words", rand.Reader)
	assert.Error(t, err)
}
