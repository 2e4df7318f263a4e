package serve_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// moody is a log that can stop answering.
type moody struct {
	*tlog.Log
	away atomic.Bool
}

func (m *moody) Info(ctx context.Context) (ledger.Info, error) {
	if m.away.Load() {
		return ledger.Info{}, ledger.ErrUnavailable
	}
	return m.Log.Info(ctx)
}

// house is an installation in a folder of its own.
func house(t testing.TB) (serve.House, *moody) {
	t.Helper()
	dir := t.TempDir()
	own, err := secrets.New("log.example.com/serve", "Acme", "", rand.Reader, time.Now())
	require.NoError(t, err)
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	log, err := tlog.Open(t.Context(), filepath.Join(dir, "ledger.db"), tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Guard: filepath.Join(dir, "guard"), Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, log.Close()) })
	l := &moody{Log: log}
	r, err := registry.Open(t.Context(), filepath.Join(dir, "registry.db"), registry.Options{Ledger: l, Master: own.Master})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	authors, safe := secrets.NewAuthors(own), secrets.Safe{Dir: dir}
	require.NoError(t, safe.Create(own))
	return serve.House{
		Ledger: l, List: l, Log: log, Registry: r, Authors: authors, Master: own.Master, Safe: safe, Issuers: []channel.ID{own.Issuers[0].Author().Channel()},
		Validation: validation.New(validation.Options{Ledger: l, Registry: r, Authors: authors, Master: own.Master, Now: time.Now, Random: rand.Reader}),
		Store:      func(room string) string { return filepath.Join(dir, room+".db") },
	}, l
}

// running is a service until the test ends it.
type running struct {
	*serve.Service
	url  string
	end  func()
	done chan error
}

func run(t testing.TB, h serve.House, change func(*serve.Options)) *running {
	t.Helper()
	l, err := edge.Listen(t.Context(), edge.Listening{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	o := serve.Options{House: h, Listener: l, Base: &url.URL{Scheme: "http", Host: "localhost:8080"}, Rate: 1e6}
	if change != nil {
		change(&o)
	}
	s, err := serve.Open(t.Context(), o)
	require.NoError(t, err)
	ctx, end := context.WithCancel(context.Background())
	r := &running{s, "http://" + l.Addr().String(), end, make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- s.Run(ctx)
	}()
	t.Cleanup(func() {
		end()
		<-ended
		assert.NoError(t, s.Close())
	})
	return r
}

func get(t *testing.T, url string, headers ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		q.Header.Add(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(q)
	require.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(body)
}

func TestReadinessFollowsTheLedger(t *testing.T) {
	h, l := house(t)
	s := run(t, h, nil)
	status, body := get(t, s.url+"/readyz")
	require.Equal(t, 200, status, body)
	var v struct {
		Ready  bool
		Checks map[string]struct {
			OK  bool
			Age *float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	for _, name := range []string{"ledger", "registry", "people", "products"} {
		assert.True(t, v.Checks[name].OK, name)
	}
	require.NotNil(t, v.Checks["registry"].Age)
	assert.Less(t, *v.Checks["registry"].Age, 5.0)

	l.away.Store(true)
	assert.Eventually(t, func() bool { status, _ := get(t, s.url+"/readyz"); return status == 503 }, 5*time.Second, 100*time.Millisecond)
	status, _ = get(t, s.url+"/healthz")
	assert.Equal(t, 200, status, "it is alive all the same")
	l.away.Store(false)
	assert.Eventually(t, func() bool { status, _ := get(t, s.url+"/readyz"); return status == 200 }, 5*time.Second, 100*time.Millisecond)
}

func TestServiceSaysThatItEndsBeforeItDoes(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, func(o *serve.Options) { o.BehindProxy = true })
	status, _ := get(t, s.url+"/readyz")
	require.Equal(t, 200, status)
	begun := time.Now()
	s.end()
	assert.Eventually(t, func() bool {
		r, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == 503
	}, 900*time.Millisecond, 10*time.Millisecond)
	assert.NoError(t, <-s.done)
	assert.Less(t, time.Since(begun), 10*time.Second)
}

func TestWhatCannotGoOnEndsTheService(t *testing.T) {
	h, _ := house(t)
	forked := errors.New("the log was put back")
	trigger := make(chan struct{})
	s := run(t, h, func(o *serve.Options) {
		o.Jobs = []serve.Job{func(ctx context.Context) error {
			select {
			case <-trigger:
				return forked
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
	})
	status, _ := get(t, s.url+"/readyz")
	require.Equal(t, 200, status)
	close(trigger)
	assert.ErrorIs(t, <-s.done, forked)
}

func TestHaltedLogIsNotReady(t *testing.T) {
	h, l := house(t)
	s := run(t, h, nil)
	l.Halt(errors.New("a witness has seen another one"))
	assert.Eventually(t, func() bool { status, _ := get(t, s.url+"/readyz"); return status == 503 }, 5*time.Second, 100*time.Millisecond)
}

func TestMetricsAreShownToThisMachineOrWhereTheyWereAskedFor(t *testing.T) {
	h, _ := house(t)
	status, body := get(t, run(t, h, nil).url+"/metrics")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, "productid_registry_behind_seconds")

	h, _ = house(t)
	status, _ = get(t, run(t, h, func(o *serve.Options) { o.BehindProxy = true }).url+"/metrics", "X-Forwarded-For", "127.0.0.1")
	assert.Equal(t, 404, status)

	h, _ = house(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	status, _ = get(t, run(t, h, func(o *serve.Options) { o.Metrics = l }).url+"/metrics")
	assert.Equal(t, 404, status)
	status, body = get(t, "http://"+l.Addr().String()+"/metrics")
	assert.Equal(t, 200, status)
	assert.Contains(t, body, `productid_http_request_seconds_count{method="GET",route="GET /metrics",status="404"}`)
	status, _ = get(t, "http://"+l.Addr().String()+"/readyz")
	assert.Equal(t, 404, status)
}

func TestSetupLinkIsOneAtATime(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, nil)
	first, err := s.Setup(t.Context())
	require.NoError(t, err)
	second, err := s.Setup(t.Context())
	require.NoError(t, err)
	require.Len(t, second, 1)
	assert.NotEqual(t, first[0].URL.Reveal(), second[0].URL.Reveal())
	assert.True(t, strings.HasPrefix(second[0].URL.Reveal(), "http://localhost:8080/office/setup#"))
	assert.Equal(t, h.Issuers[0], second[0].Issuer)
}

func TestBaseIsSchemeAndHost(t *testing.T) {
	for _, text := range []string{"https://tap.example.com", "http://localhost:8080"} {
		u, err := url.Parse(text)
		require.NoError(t, err)
		assert.NoError(t, serve.CheckBase(u), text)
	}
	for _, text := range []string{"", "tap.example.com", "ftp://tap.example.com", "https://", "https://tap.example.com/", "https://tap.example.com?", "https://u@tap.example.com", "https://tap.example.com#x"} {
		u, err := url.Parse(text)
		require.NoError(t, err)
		assert.ErrorIs(t, serve.CheckBase(u), serve.ErrBase, text)
	}
	assert.ErrorIs(t, serve.CheckBase(nil), serve.ErrBase)
}

func TestTogetherWaitsForAllAndReturnsTheFirst(t *testing.T) {
	first := errors.New("first")
	var ended atomic.Int32
	waits := func(ctx context.Context) error {
		<-ctx.Done()
		ended.Add(1)
		return context.Cause(ctx)
	}
	err := serve.Together(t.Context(), waits, waits, func(context.Context) error { return first })
	assert.ErrorIs(t, err, first)
	assert.EqualValues(t, 2, ended.Load())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, serve.Together(ctx, waits))
}
