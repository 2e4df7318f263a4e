package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
)

// envPath names the outbox from which this test binary, started again, delivers until it is killed.
const envPath = "NOTIFY_TEST_PATH"

func TestMain(m *testing.M) {
	if os.Getenv(envPath) == "" {
		os.Exit(m.Run())
	}
	o := Options{Master: channel.Seed{5}, Now: time.Now, Random: rand.Reader, AllowPrivate: true, Hook: func(point string) {
		if point == PointDelivered {
			runtime.LockOSThread()
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
	s, err := Open(context.Background(), os.Getenv(envPath), o)
	if err == nil {
		err = s.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Killed between a delivery and its note, it delivers again: under the same id, and nothing is lost.
func TestKilledBeforeTheNoteItDeliversAgain(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.clock.Store(time.Now().UnixNano())
		r := newReceiver(t, nil)
		w.endpoint(r.URL)
		w.publish("1")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envPath+"="+w.place)
		require.ErrorContains(t, cmd.Run(), "signal: killed")
		assert.Equal(t, []string{"1"}, r.ids())
		list, err := w.Deliveries(t.Context(), acme, 10)
		require.NoError(t, err)
		assert.Equal(t, Waiting, list[0].State)
		w.run(w.Service)
		time.Sleep(2 * poll)
		assert.Equal(t, []string{"1"}, r.ids(), "as long as the lease lasts nobody else delivers there")
		w.clock.Store(time.Now().Add(leasedFor + time.Second).UnixNano())
		w.settled()
		assert.Equal(t, []string{"1", "1"}, r.ids())
	})
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		r := newReceiver(t, func(_ *http.Request, n int) int { return []int{500, 404, 302, 200}[min(n, 4)-1] })
		e, _ := w.endpoint(r.URL)
		w.run(w.Service)
		w.publish("1")
		for n := 1; n <= 3; n++ {
			eventually(t, func() bool {
				list, err := w.Deliveries(t.Context(), acme, 1)
				return err == nil && list[0].Attempts == n
			})
			list, err := w.Deliveries(t.Context(), acme, 1)
			require.NoError(t, err)
			assert.Equal(t, Waiting, list[0].State)
			assert.Equal(t, fmt.Sprintf("endpoint answered %d", []int{500, 404, 302}[n-1]), list[0].Error)
			assert.True(t, list[0].Next.After(w.now()))
			endpoints, err := w.Endpoints(t.Context(), acme)
			require.NoError(t, err)
			assert.Equal(t, n, endpoints[0].Failures)
			w.advance(maxPause)
		}
		list := w.settled()
		assert.Equal(t, Delivered, list[0].State)
		assert.Equal(t, 4, list[0].Attempts)
		assert.Empty(t, list[0].Error)
		endpoints, err := w.Endpoints(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, []Endpoint{{ID: e.ID, URL: r.URL, Kinds: Kinds(), Created: e.Created}}, endpoints)
	})
}

func TestAfterThreeDaysItIsGivenUpAndStaysVisible(t *testing.T) {
	w := memory(t)
	r := newReceiver(t, func(*http.Request, int) int { return 503 })
	w.endpoint(r.URL)
	w.publish("1")
	w.run(w.Service)
	eventually(t, func() bool { return len(r.ids()) == 1 })
	w.advance(giveUpAfter)
	list := w.settled()
	require.Len(t, list, 1)
	assert.Equal(t, GivenUp, list[0].State)
	assert.Equal(t, "endpoint answered 503", list[0].Error)
	assert.Equal(t, 2, list[0].Attempts)
	assert.Zero(t, list[0].Next)
}

func TestPausesGrowAndAreRandom(t *testing.T) {
	w := memory(t)
	for failures := range 40 {
		longest := min(firstPause<<min(failures, 20), maxPause)
		seen := map[time.Duration]bool{}
		for range 20 {
			p := w.pause(firstPause, failures)
			assert.GreaterOrEqual(t, p, firstPause/10)
			assert.LessOrEqual(t, p, longest+firstPause/10)
			seen[p] = true
		}
		assert.Greater(t, len(seen), 10, "full jitter")
	}
	w.Random = strings.NewReader("")
	assert.Positive(t, w.pause(firstPause, 3), "also without randomness")
}

func TestSlowEndpointHoldsUpNoOther(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		let := make(chan struct{})
		slow := newReceiver(t, func(*http.Request, int) int { <-let; return 200 })
		quick := newReceiver(t, nil)
		w.endpoint(slow.URL)
		w.endpoint(quick.URL)
		w.run(w.Service)
		var want []string
		for n := range 30 {
			w.publish(fmt.Sprint(n))
			want = append(want, fmt.Sprint(n))
		}
		eventually(t, func() bool { return len(quick.ids()) == len(want) })
		assert.ElementsMatch(t, want, quick.ids())
		assert.Len(t, slow.ids(), 1, "one delivery at a time")
		close(let)
		w.settled()
		assert.ElementsMatch(t, want, slow.ids())
	})
}

// What an endpoint does not take does not keep it from getting the rest.
func TestOneBadEventHoldsUpNoOther(t *testing.T) {
	w := memory(t)
	r := newReceiver(t, func(q *http.Request, _ int) int {
		if q.Header.Get(HeaderEvent) == "bad" {
			return 500
		}
		return 200
	})
	w.endpoint(r.URL)
	w.run(w.Service)
	w.publish("bad", "1", "2", "3")
	eventually(t, func() bool {
		w.advance(time.Second)
		n, _, err := w.Length(t.Context())
		return err == nil && n == 1
	})
	assert.Subset(t, r.ids(), []string{"1", "2", "3"})
}

// Two processes that share a database deliver each event once, and to one target one at a time.
func TestSeveralProcessesDeliverEachOnce(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		const events, endpoints = 60, 3
		var receivers []*receiver
		for range endpoints {
			var busy atomic.Int32
			r := newReceiver(t, func(*http.Request, int) int {
				assert.Equal(t, int32(1), busy.Add(1), "two deliveries at once")
				time.Sleep(time.Millisecond)
				busy.Add(-1)
				return 200
			})
			receivers = append(receivers, r)
			w.endpoint(r.URL)
		}
		second := w.open()
		w.run(w.Service)
		w.run(second)
		var all sync.WaitGroup
		var want []string
		for n := range events {
			want = append(want, fmt.Sprint(n))
			all.Go(func() {
				s := []*Service{w.Service, second}[n%2]
				assert.NoError(t, s.Publish(t.Context(), w.event(fmt.Sprint(n), AlarmRaised)))
			})
		}
		all.Wait()
		assert.Len(t, w.settled(), events*endpoints)
		for _, r := range receivers {
			assert.ElementsMatch(t, want, r.ids())
		}
	})
}

func TestRemovedEndpointGetsNothingMore(t *testing.T) {
	w := memory(t)
	r := newReceiver(t, nil)
	e, _ := w.endpoint(r.URL)
	w.publish("1")
	for _, err := range []error{
		w.RemoveEndpoint(t.Context(), bell, e.ID), w.RemoveEndpoint(t.Context(), acme, "x"), w.RemoveEndpoint(t.Context(), acme, ""),
	} {
		assert.ErrorIs(t, err, ErrUnknownEndpoint)
	}
	require.NoError(t, w.RemoveEndpoint(t.Context(), acme, e.ID))
	assert.ErrorIs(t, w.RemoveEndpoint(t.Context(), acme, e.ID), ErrUnknownEndpoint)
	w.publish("2")
	w.run(w.Service)
	list := w.settled()
	require.Len(t, list, 1)
	assert.Equal(t, GivenUp, list[0].State)
	time.Sleep(2 * poll)
	assert.Empty(t, r.ids())
}

func TestEndpointCanBeTried(t *testing.T) {
	w := memory(t)
	r := newReceiver(t, func(_ *http.Request, n int) int { return []int{200, 500}[n-1] })
	e, secret := w.endpoint(r.URL, TapRecorded)
	d, err := w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, Delivered, d.State)
	got := r.deliveries()[0]
	assert.Contains(t, string(got.body), `"kind":"test"`)
	assert.NoError(t, CheckSignature(secret, got.header.Get(HeaderSignature), got.body, w.now()))
	d, err = w.TestEndpoint(t.Context(), acme, e.ID)
	require.NoError(t, err)
	assert.Equal(t, GivenUp, d.State)
	assert.Equal(t, "endpoint answered 500", d.Error)
	_, err = w.TestEndpoint(t.Context(), bell, e.ID)
	assert.ErrorIs(t, err, ErrUnknownEndpoint)
	list, err := w.Deliveries(t.Context(), acme, 10)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		r := newReceiver(t, nil)
		w.endpoint(r.URL)
		w.publish("1")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		w.settled()
		stop()
		require.NoError(t, <-ended)
		w.publish("2") // waits
		w.advance(Kept + time.Millisecond)
		require.NoError(t, w.prune(t.Context()))
		list, err := w.Deliveries(t.Context(), acme, 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, "2", list[0].Event.ID)
		var events int
		require.NoError(t, w.db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&events))
		assert.Equal(t, 1, events)
	})
}

func TestEndpointsAndRecipientsAreLimited(t *testing.T) {
	w := memory(t)
	for n := range maxTargets {
		w.endpoint(fmt.Sprintf("https://shop.example/%d", n))
	}
	_, _, err := w.AddEndpoint(t.Context(), acme, "https://shop.example/", nil)
	assert.ErrorIs(t, err, ErrTooMany)
	_, _, err = w.AddEndpoint(t.Context(), bell, "https://shop.example/", nil)
	assert.NoError(t, err, "each issuer has his own")
	many := make([]string, maxTargets+1)
	for i := range many {
		many[i] = fmt.Sprintf("jo%d@example.com", i)
	}
	assert.ErrorIs(t, w.SetRecipients(t.Context(), acme, many), ErrTooMany)
}

// The secret is shown once, prints as nothing, and stands in no file.
func TestSecretIsShownOnce(t *testing.T) {
	w := memory(t)
	_, secret := w.endpoint("https://shop.example/")
	text := string(secret)
	assert.True(t, strings.HasPrefix(text, "whsec_") && len(text) == 49)
	marshalled, err := secret.MarshalText()
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(secret), fmt.Sprintf("%s %q %x %#v", secret, secret, secret, secret), string(marshalled), secret.LogValue().String()} {
		assert.NotContains(t, shown, text[6:20])
		assert.Contains(t, shown, redacted)
	}
	_, other := w.endpoint("https://shop.example/")
	assert.NotEqual(t, text, string(other))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.place), "*"))
	require.NoError(t, err)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		assert.False(t, slices.Contains([]bool{strings.Contains(string(content), text), strings.Contains(string(content), text[6:])}, true), f)
	}
}

// A database that is away for a while holds up deliveries, and loses none.
func TestRunOutlivesTheDatabasesAbsence(t *testing.T) {
	line, place := storetest.NewLine(t, storetest.Postgres(t))
	w := newWorld(t, place)
	r := newReceiver(t, nil)
	w.endpoint(r.URL)
	w.publish("1")
	line.Cut()
	assert.ErrorIs(t, w.Publish(t.Context(), w.event("2", AlarmRaised)), store.ErrUnavailable)
	w.run(w.Service)
	time.Sleep(2 * poll)
	assert.Empty(t, r.ids())
	line.Mend()
	w.settled()
	assert.Equal(t, []string{"1"}, r.ids())
}
