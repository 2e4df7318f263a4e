package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/host/validation"
)

// client taps a test card of its own.
type client struct {
	t     testing.TB
	at    *running
	key   string // of the API
	card  sandbox.Card
	agent *http.Client
}

func newClient(t testing.TB, at *running) *client {
	t.Helper()
	card, err := at.Sandbox().Create(t.Context(), "card")
	require.NoError(t, err)
	issuer, err := at.Sandbox().Issuer(t.Context())
	require.NoError(t, err)
	_, key, err := at.People().CreateKey(t.Context(), identity.KeyOrder{Issuer: issuer, Name: "test", Scopes: []identity.Scope{identity.RecordTaps}, Test: true, By: "test"})
	require.NoError(t, err)
	_, _, err = at.People().Authenticate(t.Context(), string(key)) // which notes the key's use, once a minute
	require.NoError(t, err)
	return &client{t, at, string(key), card, &http.Client{Transport: &http.Transport{}}}
}

// tap counts the card up and returns its URL.
func (c *client) tap() string {
	c.t.Helper()
	text, err := c.at.Sandbox().Tap(c.t.Context(), c.card.ID)
	require.NoError(c.t, err)
	return text
}

// byAPI has the API record a tap and returns the answer's code.
func (c *client) byAPI(text string) string {
	c.t.Helper()
	body, err := json.Marshal(wire.TapRequest{URL: text, Action: wire.ActionUpdate})
	require.NoError(c.t, err)
	q, err := http.NewRequest(http.MethodPost, c.at.url+"/v1/taps", bytes.NewReader(body))
	require.NoError(c.t, err)
	q.Header.Set("Authorization", "Bearer "+c.key)
	q.Header.Set("Content-Type", "application/json")
	var answer struct{ Code string }
	require.NoError(c.t, json.Unmarshal(c.send(q), &answer))
	return answer.Code
}

// byWeb presses the button of the tap's page and returns the page that comes.
func (c *client) byWeb(text string) string {
	c.t.Helper()
	u, err := url.Parse(text)
	require.NoError(c.t, err)
	q, err := http.NewRequest(http.MethodPost, c.at.url+u.RequestURI(), http.NoBody)
	require.NoError(c.t, err)
	q.Host = u.Host
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return string(c.send(q))
}

func (c *client) send(q *http.Request) []byte {
	c.t.Helper()
	r, err := c.agent.Do(q)
	require.NoError(c.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	return text
}

// One network that shows the same used tap, or URLs that it made up, on and on does not fill the database of checks. What it does with
// another tap is seen all the same.
func TestOneNetworkDoesNotFillTheChecks(t *testing.T) {
	h, _ := house(t)
	r := run(t, h, nil)
	c := newClient(t, r)
	skipped, used := c.tap(), c.tap()
	require.Contains(t, c.byWeb(used), "<h1>A test card, and it works</h1>")
	forged := used[:len(used)-8] + "AAAAAAAA"
	for range 100 {
		require.Contains(t, c.byWeb(used), "<h1>Used before</h1>")
		require.Contains(t, c.byWeb(forged), "<h1>Not genuine</h1>")
	}
	issuer, err := r.Sandbox().Issuer(t.Context())
	require.NoError(t, err)
	require.Contains(t, c.byWeb(skipped), "<h1>Out of date</h1>")
	checks, _, err := r.Watch().Checks(t.Context(), alarm.Filter{Issuer: issuer, N: 500})
	require.NoError(t, err)
	count := map[string]int{}
	for _, check := range checks {
		count[check.Code]++
	}
	assert.Equal(t, 1, count["recorded"])
	for _, code := range []string{"already_used", "bad_signature"} {
		assert.GreaterOrEqual(t, count[code], 30, code)
		assert.Less(t, count[code], 60, code)
	}
	assert.Equal(t, 1, count["superseded"])
}

// BenchmarkTap is a tap that is recorded: by the decision alone, over HTTP by the API, and by the tap's page, on the embedded log, each
// with one client and with 64. The ratio of the latter two to the first is what the service adds.
func BenchmarkTap(b *testing.B) {
	h, _ := house(b)
	r := run(b, h, func(o *serve.Options) { o.Rate = 1e9 })
	r.Unlimit()
	alone := func(c *client, text string) {
		v, err := h.Validation.Update(c.t.Context(), validation.Request{URL: text})
		if err != nil || v.Code != validation.Recorded {
			c.t.Errorf("%v, %v", v.Code, err)
		}
	}
	api := func(c *client, text string) {
		if code := c.byAPI(text); code != "recorded" {
			c.t.Errorf("by the API: %s", code)
		}
	}
	web := func(c *client, text string) {
		if answer := c.byWeb(text); !strings.Contains(answer, "<h1>A test card, and it works</h1>") {
			c.t.Errorf("by the page: %.2000s", answer)
		}
	}
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("by=decision/clients=%d", n), func(b *testing.B) { tapAll(b, r, n, alone) })
		b.Run(fmt.Sprintf("by=api/clients=%d", n), func(b *testing.B) { tapAll(b, r, n, api) })
		b.Run(fmt.Sprintf("by=page/clients=%d", n), func(b *testing.B) { tapAll(b, r, n, web) })
	}
}

// tapAll has n clients record b.N taps.
func tapAll(b *testing.B, r *running, n int, record func(*client, string)) {
	taps, clients := make([][]string, n), make([]*client, n)
	for i := range n {
		clients[i] = newClient(b, r)
		for range (b.N + n - 1 - i) / n {
			taps[i] = append(taps[i], clients[i].tap())
		}
	}
	b.ResetTimer()
	done := make(chan struct{})
	for i, c := range clients {
		go func() {
			defer func() { done <- struct{}{} }()
			for _, text := range taps[i] {
				record(c, text)
			}
		}()
	}
	for range clients {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "taps/s")
}
