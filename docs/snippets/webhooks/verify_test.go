package webhooks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/pkg/channel"
)

// What the service sends is what the snippet reads.
func TestSnippetReadsWhatIsSent(t *testing.T) {
	s, err := notify.Open(t.Context(), filepath.Join(t.TempDir(), "notify.db"), notify.Options{
		Master: channel.Seed{1}, Now: time.Now, Random: rand.Reader, AllowPrivate: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	var secret string
	events := make(chan Event, 1)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := Read(r, secret, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		events <- e
	}))
	t.Cleanup(shop.Close)
	issuer := channel.ID{1}
	_, shown, err := s.AddEndpoint(t.Context(), issuer, shop.URL, []string{notify.AlarmRaised})
	require.NoError(t, err)
	secret = string(shown)
	at := time.Now().UTC().Truncate(time.Millisecond)
	require.NoError(t, s.Publish(t.Context(), notify.Event{ID: "alarm-1", Kind: notify.AlarmRaised, Issuer: issuer, Time: at, Data: json.RawMessage(`{"kind":"gap"}`)}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case e := <-events:
		assert.Equal(t, Event{ID: "alarm-1", Kind: "alarm.raised", Issuer: issuer.String(), Time: at, Data: json.RawMessage(`{"kind":"gap"}`)}, e)
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	stop()
	require.NoError(t, <-ended)
}

// The example of the page holds, and what is changed in it does not.
func TestThePagesExampleHolds(t *testing.T) {
	page, err := os.ReadFile("../../webhooks.md")
	require.NoError(t, err)
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindSubmatch(page)
		require.NotNil(t, m, pattern)
		return string(m[1])
	}
	secret, header, body := find("secret `(whsec_[^`]+)`"), find("(?m)^ProductID-Signature: (.*)$"), find(`(?m)^(\{"id".*\})$`)
	at := time.Unix(1_800_000_000, 0)
	request := func(header, body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("ProductID-Signature", header)
		return r
	}
	e, err := Read(request(header, body), secret, at)
	require.NoError(t, err)
	assert.Equal(t, "alarm.raised", e.Kind)
	assert.NoError(t, notify.CheckSignature(notify.Secret(secret), header, []byte(body), at), "as the service itself reads it")
	for name, try := range map[string]struct {
		header, body, secret string
		now                  time.Time
	}{
		"altered body":   {header, body + " ", secret, at},
		"another secret": {header, body, secret + "x", at},
		"an old one":     {header, body, secret, at.Add(maxAge + time.Second)},
		"from to-morrow": {header, body, secret, at.Add(-maxAge - time.Second)},
		"no signature":   {"", body, secret, at},
		"another time":   {strings.Replace(header, "t=18", "t=17", 1), body, secret, at},
		"two times":      {"t=1800000000," + header, body, secret, at},
		"too long":       {header, body + strings.Repeat(" ", maxBody), secret, at},
		"of version 2":   {strings.Replace(header, "v1=", "v2=", 1), body, secret, at},
	} {
		_, err := Read(request(try.header, try.body), try.secret, try.now)
		assert.ErrorIs(t, err, ErrBadDelivery, name)
	}
	for _, kind := range append(notify.Kinds(), notify.Test) {
		assert.Contains(t, string(page), "`"+kind+"`")
	}
	assert.Contains(t, string(page), "(snippets/webhooks/verify.go)")
}

func FuzzSigned(f *testing.F) {
	at := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		got := Signed(header, body, "whsec_unknown", at)
		err := notify.CheckSignature("whsec_unknown", header, body, at)
		require.False(t, got)
		require.ErrorIs(t, err, notify.ErrBadSignature)
	})
}
