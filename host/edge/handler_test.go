package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/edge"
)

// request is one to a handler behind the edge.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "203.0.113.9:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestClientIsWhoConnectedUnlessAProxySaysOtherwise(t *testing.T) {
	const peer = "203.0.113.9"
	for _, c := range []struct {
		name    string
		proxy   bool
		headers []string
		want    string
	}{
		{"no proxy, no header", false, nil, peer},
		{"no proxy, a header made up", false, []string{"X-Forwarded-For", "198.51.100.1"}, peer},
		{"a proxy that says nothing", true, nil, peer},
		{"a proxy", true, []string{"X-Forwarded-For", "198.51.100.1"}, "198.51.100.1"},
		{"what the client sent stands before", true, []string{"X-Forwarded-For", "10.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"in a line of its own", true, []string{"X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "198.51.100.1"}, "198.51.100.1"},
		{"Forwarded is the client's", true, []string{"Forwarded", "for=198.51.100.1"}, peer},
		{"with a port", true, []string{"X-Forwarded-For", "198.51.100.1:99"}, "198.51.100.1"},
		{"IPv6", true, []string{"X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", true, []string{"X-Forwarded-For", "[2001:db8::1]:99"}, "2001:db8::1"},
		{"IPv4 in IPv6", true, []string{"X-Forwarded-For", "::ffff:198.51.100.1"}, "198.51.100.1"},
		{"with a zone", true, []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1"},
		{"no address", true, []string{"X-Forwarded-For", "198.51.100.1, unknown"}, peer},
		{"empty at the end", true, []string{"X-Forwarded-For", "198.51.100.1,"}, peer},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got netip.Addr
			h := edge.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = edge.Client(r.Context()) }), edge.Options{BehindProxy: c.proxy})
			answer(h, request("GET", "/", c.headers...))
			assert.Equal(t, c.want, got.String())
		})
	}
}

func TestNetworkIsSharedByNeighbours(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.0/24", "::ffff:203.0.113.9": "203.0.113.0/24",
		"2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48",
	} {
		assert.Equal(t, want, edge.Network(netip.MustParseAddr(address)))
	}
	assert.Empty(t, edge.Network(netip.Addr{}))
	assert.False(t, edge.Client(context.Background()).IsValid())
	assert.Empty(t, edge.RequestID(context.Background()))
}

func TestEveryAnswerBearsTheHeaders(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /own", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "public, max-age=60") })
	mux.HandleFunc("GET /panic", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "half=done")
		w.Header().Set("Cache-Control", "public")
		panic("no")
	})
	h := edge.Handler(mux, edge.Options{Secure: true})
	for path, cache := range map[string]string{"/own": "public, max-age=60", "/none": "no-store", "/panic": "no-store"} {
		head := answer(h, request("GET", path)).Header()
		assert.Equal(t, edge.ContentPolicy, head.Get("Content-Security-Policy"), path)
		assert.Equal(t, "no-referrer", head.Get("Referrer-Policy"), path)
		assert.Equal(t, "nosniff", head.Get("X-Content-Type-Options"), path)
		assert.NotEmpty(t, head.Get("Strict-Transport-Security"), path)
		assert.Equal(t, cache, head.Get("Cache-Control"), path)
		assert.Regexp(t, "^[0-9a-f]{32}$", head.Get("X-Request-Id"), path)
		assert.Empty(t, head.Get("Set-Cookie"), path)
	}
	plain := answer(edge.Handler(mux, edge.Options{}), request("GET", "/own"))
	assert.Empty(t, plain.Header().Get("Strict-Transport-Security"), "a browser would never come back to plain HTTP on localhost")
}

func TestPanicIsAnsweredAndCounted(t *testing.T) {
	registry, log := prometheus.NewRegistry(), &bytes.Buffer{}
	secret := strings.Repeat("Zx9", 12)
	h := edge.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at ?s=" + secret) }),
		edge.Options{Metrics: edge.NewMetrics(registry), Log: slog.New(slog.NewJSONHandler(log, nil))})

	w := answer(h, request("GET", "/v1/cards/x"))
	assert.Equal(t, 500, w.Code)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var problem map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem))
	assert.Equal(t, "internal", problem["code"])
	assert.Equal(t, w.Header().Get("X-Request-Id"), problem["requestId"])

	page := answer(h, request("GET", "/t?s="+secret, "Accept", "text/html,application/json"))
	assert.Equal(t, 500, page.Code)
	assert.Contains(t, page.Header().Get("Content-Type"), "text/html")

	assert.Contains(t, log.String(), "a handler panicked")
	assert.NotContains(t, log.String(), secret)
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "productid_http_panics_total" {
			assert.EqualValues(t, 2, f.GetMetric()[0].GetCounter().GetValue())
			return
		}
	}
	assert.Fail(t, "panics are not counted")
}

func TestPanicAfterTheAnswerBeganBreaksItOff(t *testing.T) {
	s := httptest.NewServer(edge.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic("no")
	}), edge.Options{}))
	defer s.Close()
	r, err := http.Get(s.URL)
	require.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	assert.Error(t, err, "got %q as if it were whole", body)
}

func TestBodyIsLimited(t *testing.T) {
	var failed error
	h := edge.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, failed = io.ReadAll(r.Body) }),
		edge.Options{Body: func(r *http.Request) int64 {
			if r.URL.Path == "/large" {
				return 1 << 20
			}
			return 0
		}})
	send := func(path string, size int, declared bool) int {
		r := httptest.NewRequest("POST", path, strings.NewReader(strings.Repeat("x", size)))
		if !declared {
			r.ContentLength = -1
		}
		failed = nil
		return answer(h, r).Code
	}
	assert.Equal(t, 200, send("/", edge.MaxBody, true))
	assert.NoError(t, failed)
	assert.Equal(t, 413, send("/", edge.MaxBody+1, true))
	send("/", edge.MaxBody+1, false)
	tooLarge, ok := errors.AsType[*http.MaxBytesError](failed)
	require.True(t, ok)
	assert.EqualValues(t, edge.MaxBody, tooLarge.Limit)
	assert.Equal(t, 200, send("/large", 1<<20, true))
	assert.NoError(t, failed)
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	h := edge.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), edge.Options{Origins: []string{"https://public.example"}})
	for _, c := range []struct {
		name    string
		method  string
		headers []string
		want    int
	}{
		{"a program", "POST", nil, 200},
		{"own page", "POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"another site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site of the same owner", "POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser on another site", "POST", []string{"Origin", "https://evil.example"}, 403},
		{"an old browser, no origin", "POST", []string{"Origin", "null"}, 403},
		{"the public origin behind a proxy", "POST", []string{"Origin", "https://public.example"}, 200},
		{"a link", "GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"DELETE", "DELETE", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		assert.Equal(t, c.want, answer(h, request(c.method, "/v1/taps", c.headers...)).Code, c.name)
	}
	assert.Panics(t, func() { edge.Handler(nil, edge.Options{Origins: []string{"no origin/at/all"}}) })
}

func TestDurationsAreCountedByPatternAndNotByPath(t *testing.T) {
	registry := prometheus.NewRegistry()
	inner := http.NewServeMux()
	inner.HandleFunc("GET /v1/cards/{id}", func(http.ResponseWriter, *http.Request) {})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /c/{card}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		edge.Route(inner).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), struct{}{}, 1)))
	})
	h := edge.Handler(mux, edge.Options{Metrics: edge.NewMetrics(registry)})
	for range 3 {
		answer(h, request("GET", "/c/"+strings.Repeat("x", 9)))
		answer(h, request("GET", "/v1/cards/y"))
		answer(h, request("GET", "/nothing/"+edge.RequestID(context.Background())))
		answer(h, request("BREW", "/nothing"))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	var got []string
	for _, f := range families {
		if f.GetName() != "productid_http_request_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			assert.EqualValues(t, 3, m.GetHistogram().GetSampleCount())
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got = append(got, strings.Join(labels, " "))
		}
	}
	assert.ElementsMatch(t, []string{"GET GET /c/{card} 200", "GET GET /v1/cards/{id} 200", "GET none 404", "other none 404"}, got)
}

func TestLogHoldsNeitherSignatureNorAddress(t *testing.T) {
	log := &bytes.Buffer{}
	h := edge.Handler(http.NotFoundHandler(), edge.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	signature := "biDyTFh7H2-z2z9moWk4fipxpqEeZoRWZvctsth3dDuWDBSAfoLkySzm5gttI1OWooEZHYtHSySktaWO0lmzgQ"
	r := request("GET", "/t?i=sCwcVia7OYj7c7jW&c=000000FF&s="+signature, "Referer", "https://x.example/?s="+signature, "User-Agent", "Phone/1.0\nforged=line")
	answer(h, r)
	line := log.String()
	assert.Contains(t, line, "i=sCwcVia7OYj7c7jW&c=000000FF&s=…")
	assert.Contains(t, line, "network=203.0.113.0/24")
	assert.NotContains(t, line, "203.0.113.9")
	assert.Equal(t, 1, strings.Count(line, "\n"))
	for i := 0; i+20 <= len(signature); i++ {
		assert.NotContains(t, line, signature[i:i+20])
	}
}

func TestProbesDoNotFillTheLog(t *testing.T) {
	log := &bytes.Buffer{}
	h := edge.Handler(http.NotFoundHandler(), edge.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	answer(h, request("GET", "/readyz"))
	assert.Empty(t, log.String())
}
