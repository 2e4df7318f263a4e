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
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

// serve serves a log, which may be exchanged for another, and counts requests.
type served struct {
	*httptest.Server
	handler atomic.Pointer[http.Handler]
	count   atomic.Int64
}

func (s *served) set(h http.Handler) { s.handler.Store(&h) }

func serve(t testing.TB, source Source) *served {
	s := &served{}
	s.set(NewHandler(source))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count.Add(1)
		(*s.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// reader returns a client that loses no time.
func reader(t testing.TB, url, state string) *Client {
	c, err := NewClient(Options{URL: url, Policy: policy(t), State: state, Poll: 10 * time.Millisecond})
	require.NoError(t, err)
	c.fetch.pause = time.Millisecond
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// both writes to a log and reads it over the web, as the suite wants one ledger.
type both struct {
	*Client
	log *tlog.Log
}

func (b both) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if b.closed.Err() != nil { // as one ledger: the log is closed a moment later
		return ledger.Receipt{}, ledger.ErrUnavailable
	}
	return b.log.Submit(ctx, m)
}

func (b both) List(ctx context.Context, ids ...channel.ID) error {
	if b.closed.Err() != nil {
		return ledger.ErrUnavailable
	}
	return b.log.List(ctx, ids...)
}

func (b both) Close() error { return errors.Join(b.Client.Close(), b.log.Close()) }

func TestClientIsALedger(t *testing.T) {
	ledgertest.Run(t, ledgertest.Backend{Open: func(t *testing.T) ledgertest.Under {
		l := newLog(t)
		b := both{reader(t, serve(t, l).URL, ""), l}
		return ledgertest.Under{Ledger: b, List: b.List, Policy: policy(t)}
	}})
}

func TestClientRefusesToWrite(t *testing.T) {
	c := reader(t, "http://localhost:1", "")
	_, err := c.Submit(t.Context(), channel.Message{})
	assert.ErrorIs(t, err, ErrReadOnly)
	_, err = c.Await(t.Context(), ledger.Receipt{}, ledger.Anchored)
	assert.ErrorIs(t, err, ledger.ErrNoPhase)
}

// all follows a log to its present end.
func all(t testing.TB, l ledger.Ledger) (entries []ledger.Entry, err error) {
	err = l.Follow(t.Context(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		entries = append(entries, batch...)
		return nil
	})
	return entries, err
}

func TestFollowIsTheWholeLog(t *testing.T) {
	l := newLog(t)
	grow(t, l, 20, 40, "body")
	c := reader(t, serve(t, l).URL, "")
	want, err := all(t, l)
	require.NoError(t, err)
	got, err := all(t, c)
	require.NoError(t, err)
	require.Len(t, got, 800)
	assert.Equal(t, want, got)
	payload, err := c.Payload(t.Context(), got[0].Message.Stub().PayloadHash())
	require.NoError(t, err)
	assert.Equal(t, got[0].Message.Payload(), payload)
	_, err = c.Payload(t.Context(), [32]byte{1})
	assert.ErrorIs(t, err, ledger.ErrNoMessage)
}

// TestWhatTheServerAltersIsNeverBelieved flips each of many bytes that the server sends.
func TestWhatTheServerAltersIsNeverBelieved(t *testing.T) {
	l := newLog(t)
	grow(t, l, 2, 150, "body")
	server := serve(t, l)
	want, err := all(t, l)
	require.NoError(t, err)
	for _, prefix := range []string{"/checkpoint", "/tile/0", "/tile/entries", "/payloads", "/channel"} {
		for at := range 40 {
			server.set(altering{NewHandler(l), prefix, at * 13})
			c := reader(t, server.URL, "")
			if got, err := all(t, c); prefix != "/channel" {
				require.Error(t, err, "%s byte %d", prefix, at*13)
			} else {
				require.Equal(t, want, got)
			}
			if head, err := c.Head(t.Context(), author(1).Channel()); err == nil {
				require.EqualValues(t, 149, head.Message.Number())
				require.NotEqual(t, "/channel", prefix)
			}
		}
	}
}

// altering changes one byte of what another handler answers below a path.
type altering struct {
	http.Handler
	prefix string
	at     int
}

func (a altering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, a.prefix) {
		a.Handler.ServeHTTP(w, r)
		return
	}
	true := httptest.NewRecorder()
	a.Handler.ServeHTTP(true, r)
	b := true.Body.Bytes()
	b[a.at%len(b)] ^= 1
	w.WriteHeader(true.Code)
	_, _ = w.Write(b)
}

func TestServerThatFailsIsAskedAgain(t *testing.T) {
	l := newLog(t)
	grow(t, l, 1, 3, "body")
	server := serve(t, l)
	c := reader(t, server.URL, "")
	var asked atomic.Int64
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%tries != 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		NewHandler(l).ServeHTTP(w, r)
	}))
	_, err := c.Info(t.Context())
	require.NoError(t, err)
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	before := server.count.Load()
	_, err = c.Head(t.Context(), author(0).Channel())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.EqualValues(t, tries, server.count.Load()-before)
	server.set(http.NotFoundHandler())
	_, err = c.Head(t.Context(), author(0).Channel())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.NotErrorIs(t, err, ledger.ErrNoChannel, "a server that is no log says nothing of channels")
	server.Close()
	_, err = c.Head(t.Context(), author(0).Channel())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
}

func TestAnswersAreBounded(t *testing.T) {
	server := serve(t, newLog(t))
	server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	}))
	c := reader(t, server.URL, "")
	_, err := c.Info(t.Context())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	_, err = c.Head(t.Context(), author(0).Channel())
	assert.ErrorContains(t, err, "more than")
}

func TestOtherHostsAreNotAsked(t *testing.T) {
	l := newLog(t)
	elsewhere, server := serve(t, l), serve(t, l)
	server.set(http.RedirectHandler(elsewhere.URL+"/checkpoint", http.StatusFound))
	_, err := reader(t, server.URL, "").Info(t.Context())
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.Zero(t, elsewhere.count.Load())
}

func TestAddresses(t *testing.T) {
	for _, url := range []string{"https://log.example/a/", "http://127.0.0.1:8000", "http://[::1]:8000/log", "http://localhost/"} {
		_, err := NewClient(Options{URL: url, Policy: policy(t)})
		assert.NoError(t, err, url)
	}
	for _, url := range []string{"", "log.example", "ftp://log.example", "http://log.example", "http://localhost.log.example", "https://", "https://a:b@log.example", "https://log.example?x", "https://log.example#x", "https://%zz"} {
		_, err := NewClient(Options{URL: url, Policy: policy(t)})
		assert.ErrorIs(t, err, ErrURL, url)
	}
	_, err := NewClient(Options{URL: "http://log.example", Policy: policy(t), PlainHTTP: true})
	assert.NoError(t, err)
}

func TestWhomToTrustIsSaid(t *testing.T) {
	two := policy(t)
	two.Logs = append(two.Logs, ledger.LogKey{Origin: "other.example", Key: two.Logs[0].Key})
	for name, o := range map[string]Options{
		"nobody":     {},
		"which":      {Policy: two},
		"another":    {Policy: policy(t), Origin: "other.example"},
		"broken key": {Policy: ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: "x"}}}},
	} {
		o.URL = "https://log.example"
		_, err := NewClient(o)
		assert.Error(t, err, name)
	}
	_, err := NewClient(Options{URL: "https://log.example", Policy: two, Origin: origin})
	assert.NoError(t, err)
}

func TestDamagedStateIsNotForgotten(t *testing.T) {
	state := filepath.Join(t.TempDir(), "seen")
	for _, content := range []string{"", "damaged"} {
		require.NoError(t, os.WriteFile(state, []byte(content), 0o600))
		_, err := NewClient(Options{URL: "https://log.example", Policy: policy(t), State: state})
		assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	}
}

// stripped is a log of which one payload was removed.
type stripped struct {
	*tlog.Log
	leaf uint64
}

func (s stripped) Leaves(ctx context.Context, from uint64, n int) ([]ledger.Entry, error) {
	entries, err := s.Log.Leaves(ctx, from, n)
	for i, e := range entries {
		if e.Index == s.leaf {
			entries[i].Message = channel.Tombstone(e.Message.Stub())
		}
	}
	return entries, err
}

func TestRemovedPayloadLeavesItsMessage(t *testing.T) {
	l := newLog(t)
	grow(t, l, 1, 5, "body")
	got, err := all(t, reader(t, serve(t, stripped{l, 2}).URL, ""))
	require.NoError(t, err)
	require.Len(t, got, 5)
	for i, e := range got {
		assert.Equal(t, i == 2, e.Message.Removed())
		assert.EqualValues(t, i, e.Message.Number())
	}
}
