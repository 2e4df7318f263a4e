package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
)

// world is an outbox with a clock that a test moves.
type world struct {
	*Service
	t     testing.TB
	clock *atomic.Int64
	place string
}

func newWorld(t testing.TB, place string, change ...func(*Options)) *world {
	w := &world{t: t, clock: new(atomic.Int64), place: place}
	w.clock.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	w.Service = w.open(change...)
	return w
}

func (w *world) open(change ...func(*Options)) *Service {
	w.t.Helper()
	o := Options{Master: channel.Seed{5}, Now: w.now, Random: rand.Reader, AllowPrivate: true}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(w.t.Context(), w.place, o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, s.Close()) })
	return s
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

// run runs a service until the test ends.
func (w *world) run(s *Service) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		assert.NoError(w.t, <-ended)
	})
}

// places are the two kinds of databases.
func places(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, filepath.Join(t.TempDir(), "notify.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, storetest.Postgres(t))) })
}

func memory(t testing.TB, change ...func(*Options)) *world {
	return newWorld(t, filepath.Join(t.TempDir(), "notify.db"), change...)
}

var acme, bell = channel.ID{1}, channel.ID{2}

func (w *world) event(id, kind string) Event {
	return Event{ID: id, Kind: kind, Issuer: acme, Time: w.now(), Data: json.RawMessage(`{"n":"` + id + `"}`)}
}

func (w *world) publish(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		require.NoError(w.t, w.Publish(context.Background(), w.event(id, AlarmRaised)))
	}
}

// receiver is the other side of a webhook.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []delivered
	answer func(r *http.Request, n int) int // status of the n-th request; nil: 204
}

type delivered struct {
	header http.Header
	body   []byte
}

func newReceiver(t testing.TB, answer func(r *http.Request, n int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		assert.NoError(t, err)
		r.mu.Lock()
		r.got = append(r.got, delivered{q.Header, body})
		n := len(r.got)
		r.mu.Unlock()
		status := http.StatusNoContent
		if r.answer != nil {
			status = r.answer(q, n)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) deliveries() []delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]delivered{}, r.got...)
}

// ids are those of the events, in the order in which they came.
func (r *receiver) ids() (ids []string) {
	for _, d := range r.deliveries() {
		ids = append(ids, d.header.Get(HeaderEvent))
	}
	return ids
}

func (w *world) endpoint(url string, kinds ...string) (Endpoint, Secret) {
	w.t.Helper()
	e, secret, err := w.AddEndpoint(context.Background(), acme, url, kinds)
	require.NoError(w.t, err)
	return e, secret
}

func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, 2*time.Millisecond)
}

// settled returns the deliveries of Acme once none of them waits.
func (w *world) settled() []Delivery {
	w.t.Helper()
	eventually(w.t, func() bool { n, _, err := w.Length(context.Background()); return err == nil && n == 0 })
	list, err := w.Deliveries(context.Background(), acme, 1000)
	require.NoError(w.t, err)
	return list
}

func TestEventReachesWhoAskedForIt(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		alarms, taps, others := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		endpoint, secret := w.endpoint(alarms.URL+"/hook?a=b", AlarmRaised)
		w.endpoint(taps.URL, TapRecorded, TapRefused)
		_, _, err := w.AddEndpoint(t.Context(), bell, others.URL, nil)
		require.NoError(t, err)
		w.run(w.Service)
		w.publish("alarm-1", "alarm-1") // the same event twice is one
		list := w.settled()
		require.Len(t, list, 1)
		d := list[0]
		assert.Equal(t, Delivery{Event: w.event("alarm-1", AlarmRaised), Target: endpoint.ID, Address: alarms.URL + "/hook?a=b", State: Delivered, Attempts: 1, Done: w.now()}, d)
		got := alarms.deliveries()
		require.Len(t, got, 1)
		assert.Empty(t, taps.deliveries())
		assert.Empty(t, others.deliveries())
		assert.Equal(t, "application/json", got[0].header.Get("Content-Type"))
		assert.Equal(t, "alarm-1", got[0].header.Get(HeaderEvent))
		assert.JSONEq(t, fmt.Sprintf(`{"id":"alarm-1","kind":"alarm.raised","issuer":%q,"time":"2026-11-24T09:00:00Z","data":{"n":"alarm-1"}}`, acme), string(got[0].body))
		assert.NoError(t, CheckSignature(secret, got[0].header.Get(HeaderSignature), got[0].body, w.now()))
		assert.ErrorIs(t, CheckSignature(secret+"x", got[0].header.Get(HeaderSignature), got[0].body, w.now()), ErrBadSignature)
	})
}

func TestWhereNobodyAsksNothingIsWritten(t *testing.T) {
	w := memory(t)
	w.publish("1")
	var rows int
	require.NoError(t, w.db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&rows))
	assert.Zero(t, rows)
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	w := memory(t)
	for _, change := range []func(*Event){
		func(e *Event) { e.ID = "" }, func(e *Event) { e.ID = "a b" }, func(e *Event) { e.ID = "a\r\nSet-Cookie: x" }, func(e *Event) { e.ID = string(make([]byte, 300)) },
		func(e *Event) { e.Kind = "" }, func(e *Event) { e.Kind = "%" }, func(e *Event) { e.Kind = "other" },
		func(e *Event) { e.Data = nil }, func(e *Event) { e.Data = []byte("{") }, func(e *Event) { e.Data = append([]byte(`"`), make([]byte, 20000)...) },
	} {
		e := w.event("1", AlarmRaised)
		change(&e)
		assert.ErrorIs(t, w.Publish(t.Context(), e), ErrBadEvent)
	}
}
