package mirror

import (
	"bytes"
	"context"
	"crypto/ed25519"
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

func openLog(t testing.TB, path string, witnesses ...string) *tlog.Log {
	l, err := tlog.Open(context.Background(), path, tlog.Options{Origin: origin, Signer: logSigner(), Now: time.Now, Create: true, Witnesses: witnesses, Quorum: len(witnesses)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func newLog(t testing.TB, witnesses ...string) *tlog.Log {
	return openLog(t, filepath.Join(t.TempDir(), "log.db"), witnesses...)
}

// author returns the author of a public channel, always the same for a number.
func author(n int) *channel.Author {
	return channel.NewAuthor(channel.Seed{byte(n), byte(n >> 8), 1}, channel.Public)
}

// extend records n more messages on a channel and returns the last.
func extend(t testing.TB, l *tlog.Log, a *channel.Author, n int, body string) (last channel.Message) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, l.List(ctx, a.Channel()))
	d := channel.Draft{Time: time.UnixMilli(1790000000000)}
	if head, err := l.Head(ctx, a.Channel()); err == nil {
		d.Number, d.Prev = head.Message.Number()+1, head.Message.Hash()
	}
	for range n {
		d.Body = fmt.Appendf(nil, "%s %d", body, d.Number)
		m, err := a.Sign(d)
		require.NoError(t, err)
		_, err = l.Submit(ctx, m)
		require.NoError(t, err)
		d.Number, d.Prev, last = d.Number+1, m.Hash(), m
	}
	return last
}

// backup copies a log's file when nobody has it open, and opens both.
func backup(t testing.TB, fill func(*tlog.Log), witnesses ...string) (current, old *tlog.Log) {
	path := filepath.Join(t.TempDir(), "log.db")
	l, err := tlog.Open(context.Background(), path, tlog.Options{Origin: origin, Signer: logSigner(), Now: time.Now, Create: true})
	require.NoError(t, err)
	fill(l)
	require.NoError(t, l.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".old", file, 0o600))
	return openLog(t, path, witnesses...), openLog(t, path+".old", witnesses...)
}

func publisher(t testing.TB, l Published, witnesses ...Asked) *Publisher {
	p, err := NewPublisher(PublisherOptions{Log: l, Key: logKey(), Witnesses: witnesses, Every: 10 * time.Millisecond})
	require.NoError(t, err)
	return p
}

// witnessed serves a witness.
func witnessed(t testing.TB) (Asked, *Witness) {
	w := openWitness(t, filepath.Join(t.TempDir(), "witness.db"))
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return Asked{server.URL, witnessSigner().VerifierKey()}, w
}

func TestPublishedMessagesBecomeWitnessed(t *testing.T) {
	l := newLog(t, witnessSigner().VerifierKey())
	asked, _ := witnessed(t)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- publisher(t, l, asked).Run(ctx) }()
	trusted := ledger.Policy{Logs: []ledger.LogKey{logKey()}, Witnesses: []string{witnessSigner().VerifierKey()}, Quorum: 1}
	for range 5 {
		m := extend(t, l, author(1), 3, "body")
		r, err := l.Await(t.Context(), ledger.Receipt{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash()}, ledger.Witnessed)
		require.NoError(t, err)
		_, err = trusted.Verify(m, r.Proof)
		require.NoError(t, err)
	}
	cancel()
	assert.ErrorIs(t, <-stopped, context.Canceled)
}

func TestNothingNewIsNotPublishedAgain(t *testing.T) {
	l := newLog(t)
	w := openWitness(t, filepath.Join(t.TempDir(), "witness.db"))
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.ServeHTTP(rw, r)
	}))
	defer server.Close()
	p := publisher(t, l, Asked{server.URL, witnessSigner().VerifierKey()})
	extend(t, l, author(1), 3, "body")
	for range 3 {
		require.NoError(t, p.Publish(t.Context()))
	}
	assert.EqualValues(t, 1, requests.Load())
	extend(t, l, author(1), 3, "body")
	require.NoError(t, publisher(t, l, Asked{server.URL, witnessSigner().VerifierKey()}).Publish(t.Context()), "a new process learns where the witness is")
	assert.EqualValues(t, 3, requests.Load())
}

func TestWitnessThatFailsIsReportedAndOthersCount(t *testing.T) {
	l := newLog(t, witnessSigner().VerifierKey())
	good, _ := witnessed(t)
	dead := httptest.NewServer(http.NotFoundHandler())
	defer dead.Close()
	other, err := ledger.NewWitnessSigner("witness.example/w2", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	require.NoError(t, err)
	m := extend(t, l, author(1), 3, "body")
	err = publisher(t, l, Asked{dead.URL, other.VerifierKey()}, good).Publish(t.Context())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.ErrorContains(t, err, dead.URL)
	_, err = l.Await(t.Context(), ledger.Receipt{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash()}, ledger.Witnessed)
	assert.NoError(t, err)
}

func TestWitnessDetects(t *testing.T) {
	fill := func(l *tlog.Log) { extend(t, l, author(1), 20, "body") }
	for name, happens := range map[string]func(current, old *tlog.Log) (then *tlog.Log){
		"old backup":             func(_, old *tlog.Log) *tlog.Log { return old },
		"old backup that grew":   func(_, old *tlog.Log) *tlog.Log { extend(t, old, author(2), 30, "other"); return old },
		"fork of the same size":  func(_, old *tlog.Log) *tlog.Log { extend(t, old, author(2), 10, "other"); return old },
		"truncated":              func(_, _ *tlog.Log) *tlog.Log { return newLog(t) },
		"rewritten from nothing": func(_, _ *tlog.Log) *tlog.Log { l := newLog(t); extend(t, l, author(3), 50, "new"); return l },
	} {
		t.Run(name, func(t *testing.T) {
			current, old := backup(t, fill)
			extend(t, current, author(1), 10, "more")
			asked, w := witnessed(t)
			require.NoError(t, publisher(t, current, asked).Publish(t.Context()))
			kept := latest(t, w)
			err := publisher(t, happens(current, old), asked).Run(t.Context())
			r, ok := errors.AsType[*tiles.Rewritten](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, string(kept), string(r.Kept))
			for _, text := range [][]byte{r.Kept, r.Got} {
				_, err := ledger.ParseCheckpoint(text, origin, verifier(t))
				assert.NoError(t, err, "both checkpoints are evidence")
			}
			assert.Equal(t, string(kept), string(latest(t, w)), "the witness stays with what it saw")
		})
	}
}

// TestWitnessAloneStopsNoLog: without a checkpoint that the log's own key signed, what
// a witness says is its word.
func TestWitnessAloneStopsNoLog(t *testing.T) {
	l := newLog(t)
	extend(t, l, author(1), 3, "body")
	for name, row := range map[string]struct {
		status int
		body   string
	}{
		"far ahead":            {http.StatusConflict, "1000000\n"},
		"nowhere":              {http.StatusConflict, "x"},
		"elsewhere each time":  {http.StatusConflict, "2\n"},
		"refuses each proof":   {http.StatusUnprocessableEntity, "no"},
		"empty":                {http.StatusOK, ""},
		"another's signature":  {http.StatusOK, "— witness.example/w9 AAAAAAAA\n"},
		"forged":               {http.StatusOK, "— witness.example/w1 " + string(bytes.Repeat([]byte("A"), 100)) + "\n"},
		"endless":              {http.StatusOK, string(make([]byte, 1<<20))},
		"sends somewhere else": {http.StatusFound, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Location", "https://example.com")
			rw.WriteHeader(row.status)
			_, _ = rw.Write([]byte(row.body))
		}))
		err := publisher(t, l, Asked{server.URL, witnessSigner().VerifierKey()}).Publish(t.Context())
		assert.Error(t, err, name)
		assert.NotErrorIs(t, err, tiles.ErrRewritten, name)
		server.Close()
	}
}

// Each history begins with the empty tree, and with whatever the log itself showed: who shows that again shows no other one.
func TestWitnessThatShowsAnEarlierCheckpointStopsNoLog(t *testing.T) {
	l := newLog(t)
	checkpoint := func() []byte {
		text, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		return text
	}
	empty := checkpoint()
	extend(t, l, author(1), 3, "body")
	early := checkpoint()
	extend(t, l, author(1), 3, "more")
	for _, shown := range [][]byte{empty, early, checkpoint()} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				rw.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			_, _ = rw.Write(shown)
		}))
		err := publisher(t, l, Asked{server.URL, witnessSigner().VerifierKey()}).Publish(t.Context())
		assert.ErrorIs(t, err, ErrInconsistent)
		assert.NotErrorIs(t, err, tiles.ErrRewritten)
		server.Close()
	}
}

func TestTwoPublishersAreNotAFork(t *testing.T) {
	l := newLog(t)
	asked, _ := witnessed(t)
	one, two := publisher(t, l, asked), publisher(t, l, asked)
	for n := range 20 {
		extend(t, l, author(n), 3, "body")
		done := make(chan error, 2)
		for _, p := range []*Publisher{one, two} {
			go func() { done <- p.Publish(context.Background()) }()
		}
		for range 2 {
			err := <-done
			assert.NotErrorIs(t, err, tiles.ErrRewritten)
		}
	}
	require.NoError(t, one.Publish(t.Context()))
}

func TestWitnessesOfAPublisherAreChecked(t *testing.T) {
	for name, a := range map[string]Asked{
		"no key": {"https://witness.example", "x"}, "no URL": {"witness.example", witnessSigner().VerifierKey()},
		"plain http": {"http://witness.example", witnessSigner().VerifierKey()},
	} {
		_, err := NewPublisher(PublisherOptions{Key: logKey(), Witnesses: []Asked{a}})
		assert.Error(t, err, name)
	}
}
