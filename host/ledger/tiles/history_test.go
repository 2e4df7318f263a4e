package tiles

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

// A log of 600 leaves and the same one 300 leaves later, in one file and its backup.
func grown(t *testing.T) (older, newer *tlog.Log) {
	path := filepath.Join(t.TempDir(), "log.db")
	backup := path + ".backup"
	l, err := tlog.Open(t.Context(), path, tlog.Options{Origin: origin, Signer: signer(t), Now: time.Now, Create: true})
	require.NoError(t, err)
	grow(t, l, 6, 100, "body")
	require.NoError(t, l.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(backup, file, 0o600))
	newer = openLog(t, path)
	grow(t, newer, 6, 50, "more")
	return openLog(t, backup), newer
}

// requireRewritten asks everything that says something of the log's present state.
func requireRewritten(t *testing.T, c *Client) {
	t.Helper()
	ctx, id := t.Context(), author(1).Channel()
	for name, call := range map[string]func() error{
		"Info":   func() error { _, err := c.Info(ctx); return err },
		"Head":   func() error { _, err := c.Head(ctx, id); return err },
		"Range":  func() error { _, err := c.Range(ctx, id, 0, 10); return err },
		"Prove":  func() error { _, err := c.Prove(ctx, id, 3); return err },
		"Follow": func() error { _, err := all(t, c); return err },
	} {
		err := call()
		require.ErrorIs(t, err, ErrRewritten, name)
		r, ok := errors.AsType[*Rewritten](err)
		require.True(t, ok)
		for _, text := range [][]byte{r.Kept, r.Got} {
			_, err := ledger.ParseCheckpoint(text, origin, c.keys...)
			require.NoError(t, err, "both checkpoints are evidence")
		}
		require.NotEqual(t, r.Kept, r.Got)
	}
}

// seen returns a client that has seen a log, closed and begun anew from its file
// alone, on a server that now has another log.
func seen(t *testing.T, first, then *tlog.Log) *Client {
	server, state := serve(t, first), filepath.Join(t.TempDir(), "seen")
	c := reader(t, server.URL, state)
	_, err := c.Info(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	server.set(NewHandler(then))
	return reader(t, server.URL, state)
}

func TestOldBackupIsDetected(t *testing.T) {
	older, newer := grown(t)
	requireRewritten(t, seen(t, newer, older))
}

func TestOldBackupThatGrewAgainIsDetected(t *testing.T) {
	older, newer := grown(t)
	grow(t, older, 6, 60, "another") // longer than what was seen
	requireRewritten(t, seen(t, newer, older))
}

func TestForkOfTheSameSizeIsDetected(t *testing.T) {
	older, newer := grown(t)
	grow(t, older, 6, 50, "another")
	requireRewritten(t, seen(t, newer, older))
}

func TestTruncatedLogIsDetected(t *testing.T) {
	empty, newer := newLog(t), newLog(t)
	grow(t, newer, 1, 3, "body")
	requireRewritten(t, seen(t, newer, empty))
}

func TestRewrittenLogIsDetected(t *testing.T) {
	first, second := newLog(t), newLog(t)
	grow(t, first, 2, 200, "body")
	grow(t, second, 2, 300, "other")
	requireRewritten(t, seen(t, first, second))
}

func TestGrownLogIsTheSame(t *testing.T) {
	older, newer := grown(t)
	c := seen(t, older, newer)
	info, err := c.Info(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 900, info.Size)
}

// TestForkShownToOneReaderOfChannelsIsDetected: the checkpoint is the true one, and
// the proof of the message under another that the key signed too.
func TestForkInProofsIsDetected(t *testing.T) {
	older, newer := grown(t)
	grow(t, older, 6, 20, "another")
	server := serve(t, newer)
	c := reader(t, server.URL, "")
	_, err := c.Info(t.Context())
	require.NoError(t, err)
	truth, fork := NewHandler(newer), NewHandler(older)
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/channel/") {
			fork.ServeHTTP(w, r)
			return
		}
		truth.ServeHTTP(w, r)
	}))
	_, err = c.Head(t.Context(), author(1).Channel())
	assert.ErrorIs(t, err, ErrRewritten)
}

// TestCacheOnTheWayMayBeAMomentBehind: an older checkpoint is asked for again.
func TestCacheOnTheWayMayBeAMomentBehind(t *testing.T) {
	older, newer := grown(t)
	server := serve(t, newer)
	c := reader(t, server.URL, "")
	_, err := c.Info(t.Context())
	require.NoError(t, err)
	var asked atomic.Int64
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < tries {
			NewHandler(older).ServeHTTP(w, r)
			return
		}
		NewHandler(newer).ServeHTTP(w, r)
	}))
	_, err = c.Info(t.Context())
	assert.NoError(t, err)
}

func TestWhatWasKnownElsewhereCounts(t *testing.T) {
	older, newer := grown(t)
	known, err := newer.Checkpoint(t.Context())
	require.NoError(t, err)
	c, err := NewClient(Options{URL: serve(t, older).URL, Policy: policy(t), State: filepath.Join(t.TempDir(), "seen"), Known: known})
	require.NoError(t, err)
	c.fetch.pause = time.Millisecond
	requireRewritten(t, c)
}

// TestWhatIsInMemoryHidesNoFork: whole tiles of the old history fit no new one.
func TestWhatIsInMemoryHidesNoFork(t *testing.T) {
	first, second := newLog(t), newLog(t)
	grow(t, first, 2, 300, "body")
	grow(t, second, 2, 400, "other")
	server := serve(t, first)
	c := reader(t, server.URL, "")
	_, err := all(t, c)
	require.NoError(t, err)
	server.set(NewHandler(second))
	requireRewritten(t, c)
}

// TestSlowAnswerIsNoShorterLog: what others of the process learned while one waits for
// its answer is not held against that.
func TestSlowAnswerIsNoShorterLog(t *testing.T) {
	l := newLog(t)
	extend(t, l, author(1), 3, "body")
	server := serve(t, l)
	c := reader(t, server.URL, "")
	var within atomic.Bool
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/checkpoint" || !within.CompareAndSwap(false, true) {
			NewHandler(l).ServeHTTP(w, r)
			return
		}
		old := httptest.NewRecorder()
		NewHandler(l).ServeHTTP(old, r)
		extend(t, l, author(1), 3, "more")
		_, err := c.Info(context.Background())
		assert.NoError(t, err)
		_, _ = w.Write(old.Body.Bytes())
		within.Store(false)
	}))
	for range 3 {
		_, err := c.Head(t.Context(), author(1).Channel())
		require.NoError(t, err)
	}
}

// Log and guard were put back together: only who serves a copy knows that more was signed.
func TestRecoverTakesWhatOnlyTheServedCopyHasSeen(t *testing.T) {
	path, guard := filepath.Join(t.TempDir(), "log.db"), filepath.Join(t.TempDir(), "guard")
	_, newer := grown(t)
	o := tlog.Options{Origin: origin, Signer: signer(t), Now: time.Now, Guard: guard, Create: true}
	l, err := tlog.Open(t.Context(), path, o)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	r, err := tlog.Recover(t.Context(), path, o, reader(t, serve(t, newer).URL, ""))
	require.NoError(t, err)
	assert.Equal(t, tlog.Recovery{Before: 0, After: 900}, r)
	kept, err := tlog.ReadGuard(guard)
	require.NoError(t, err)
	signed, err := newer.Checkpoint(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(signed), string(kept), "what it signed, and nothing new")

	o.Guard = filepath.Join(t.TempDir(), "guard") // a machine that remembers nothing
	_, err = tlog.Recover(t.Context(), path, o, reader(t, serve(t, newer).URL, ""))
	assert.ErrorIs(t, err, tlog.ErrNoGuard)
	o.AdoptGuard = true
	_, err = tlog.Recover(t.Context(), path, o, reader(t, serve(t, newer).URL, ""))
	assert.NoError(t, err)
	_, err = tlog.Recover(t.Context(), path, o, reader(t, "http://127.0.0.1:1", ""))
	assert.ErrorIs(t, err, ledger.ErrUnavailable, "who does not answer has not said that nothing is missing")
}
