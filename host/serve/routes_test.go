package serve_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/serve"
)

// send makes a request and returns the answer with its body read.
func send(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		q.Header.Add(headers[i], headers[i+1])
	}
	r, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(q)
	require.NoError(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, string(text)
}

func TestEveryRoomIsMounted(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, nil)
	for _, c := range []struct {
		path   string
		status int
		kind   string
	}{
		{"/", 200, "text/html"},
		{"/check", 200, "text/html"},
		{"/problems/already_used", 200, "text/html"},
		{"/any/path?i=sCwcVia7OYj7c7jW&c=00000001&s=x", 200, "text/html"},
		{"/nothing", 404, "text/html"},
		{"/office", 303, "text/html"},
		{"/office/signin", 200, "text/html"},
		{"/office/setup", 200, "text/html"},
		{"/openapi.json", 200, "application/openapi+json"},
		{"/v1/issuers", 200, "application/json"},
		{"/v1/cards/sCwcVia7OYj7c7jW", 404, "application/problem+json"},
		{"/v1/nothing", 404, "application/problem+json"},
		{"/.well-known/jwks.json", 200, "application/jwk-set+json"},
		{"/image/" + strings.Repeat("0", 64), 404, ""},
		{"/log/checkpoint", 200, "text/plain"},
		{"/healthz", 200, "text/plain"},
	} {
		r, _ := send(t, "GET", s.url+c.path, "")
		assert.Equal(t, c.status, r.StatusCode, c.path)
		assert.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), c.kind), "%s: %s", c.path, r.Header.Get("Content-Type"))
		assert.NotEmpty(t, r.Header.Get("Content-Security-Policy"), c.path)
		assert.Equal(t, "no-referrer", r.Header.Get("Referrer-Policy"), c.path)
	}
}

func TestPublicDataIsForPagesOfEverySite(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, nil)
	for path, open := range map[string]bool{"/log/checkpoint": true, "/.well-known/jwks.json": true, "/openapi.json": true, "/v1/issuers": false, "/": false, "/office/signin": false} {
		r, _ := send(t, "GET", s.url+path, "", "Origin", "https://shop.example")
		assert.Equal(t, open, r.Header.Get("Access-Control-Allow-Origin") == "*", path)
	}
}

func TestProblemsAreToldInTheCallersForm(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, nil)
	r, body := send(t, "POST", s.url+"/v1/taps", "{}", "Content-Type", "application/json", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, 403, r.StatusCode)
	assert.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	var p struct{ Type, Code, RequestID string }
	require.NoError(t, json.Unmarshal([]byte(body), &p))
	assert.Equal(t, "http://localhost:8080/problems/cross_origin", p.Type)
	assert.Equal(t, r.Header.Get("X-Request-Id"), p.RequestID)

	r, body = send(t, "POST", s.url+"/office/signin", "", "Accept", "text/html", "Accept-Language", "it", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, 403, r.StatusCode)
	assert.Contains(t, body, `<html lang="it"`)

	r, body = send(t, "POST", s.url+"/v1/taps", strings.Repeat("x", 65<<10), "Content-Type", "application/json")
	assert.Equal(t, 413, r.StatusCode)
	assert.Contains(t, body, "too_large")
}

func TestWhoAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, func(o *serve.Options) { o.Rate = 0.5 }) // and five at once
	for _, path := range []string{"/check", "/office/signin", "/v1/issuers"} {
		var last *http.Response
		for range 7 {
			last, _ = send(t, "GET", s.url+path, "")
		}
		assert.Equal(t, 429, last.StatusCode, path)
		assert.NotEmpty(t, last.Header.Get("Retry-After"), path)
	}
	r, _ := send(t, "GET", s.url+"/readyz", "")
	assert.Equal(t, 200, r.StatusCode, "who watches the service is not limited")
}

func TestReportsAndBundlesHaveLimitsOfTheirOwn(t *testing.T) {
	h, _ := house(t)
	s := run(t, h, nil) // its general limit is out of reach
	until := func(status, most int, ask func() *http.Response) (last *http.Response, asked int) {
		for asked = 1; asked <= most; asked++ {
			if last = ask(); last.StatusCode == status {
				return last, asked
			}
		}
		t.Fatalf("%d requests and no %d", most, status)
		return nil, 0
	}
	refused, asked := until(429, 10, func() *http.Response {
		r, body := send(t, "POST", s.url+"/report", "text=copies+are+sold", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
		if r.StatusCode == 429 {
			assert.Contains(t, body, "copies are sold", "what was written is not lost")
		}
		return r
	})
	assert.Equal(t, 6, asked)
	assert.NotEmpty(t, refused.Header.Get("Retry-After"))

	refused, _ = until(429, 20, func() *http.Response {
		r, _ := send(t, "GET", s.url+"/c/sCwcVia7OYj7c7jW/bundle", "", "Accept", "text/html")
		return r
	})
	assert.NotEmpty(t, refused.Header.Get("Retry-After"))
	assert.True(t, strings.HasPrefix(refused.Header.Get("Content-Type"), "text/html"))
	r, body := send(t, "GET", s.url+"/v1/cards/sCwcVia7OYj7c7jW/bundle", "")
	assert.Equal(t, 429, r.StatusCode, "by the API it is as dear")
	assert.NotEmpty(t, r.Header.Get("Retry-After"))
	assert.Contains(t, body, "too_many")
	r, _ = send(t, "GET", s.url+"/c/sCwcVia7OYj7c7jW", "")
	assert.Equal(t, 404, r.StatusCode, "all else is answered")
}
