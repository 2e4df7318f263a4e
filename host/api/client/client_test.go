package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/pkg/tap"
)

const key = client.Key("pid_live_abc_secret")

// service answers with one handler after the other, the last one for ever, and counts.
type service struct {
	*client.Client
	asked atomic.Int32
	waits []time.Duration
}

func newService(t *testing.T, answers ...http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(s.asked.Add(1)) - 1
		answers[min(n, len(answers)-1)](w, r)
	}))
	t.Cleanup(server.Close)
	var err error
	s.Client, err = client.New(client.Options{Server: server.URL, Key: key, Agent: "test/1", Wait: func(_ context.Context, d time.Duration) error {
		s.waits = append(s.waits, d)
		return nil
	}})
	require.NoError(t, err)
	return s
}

func problem(status int, code string, retryAfter int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", wire.MediaProblem)
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(wire.Problem{Type: "about:blank", Title: "title of " + code, Status: status, Code: code, RetryAfter: retryAfter})
	}
}

func good(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
}

// cut breaks the connection in place of an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		connection.Close()
	}
}

func TestReadingIsRepeatedUntilItIsAnswered(t *testing.T) {
	s := newService(t, cut, problem(http.StatusServiceUnavailable, "ledger_unavailable", 5), problem(http.StatusTooManyRequests, "too_many", 2), good(wire.Log{Origin: "log"}))
	v, err := s.Log(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "log", v.Origin)
	assert.EqualValues(t, 4, s.asked.Load())
	assert.Equal(t, []time.Duration{5 * time.Second, 2 * time.Second}, s.waits[1:])
}

func TestReadingGivesUp(t *testing.T) {
	s := newService(t, cut)
	_, err := s.Log(t.Context())
	require.ErrorIs(t, err, client.ErrUnavailable)
	assert.NotErrorIs(t, err, client.ErrUncertain)
	assert.EqualValues(t, 4, s.asked.Load())
}

func TestUpdateIsRepeatedOnlyWithAKey(t *testing.T) {
	order := wire.TapRequest{URL: "https://tap.example.com/t?i=x"}
	s := newService(t, cut, good(wire.Tap{Code: "recorded"}))
	_, err := s.UpdateTap(t.Context(), order, "")
	require.ErrorIs(t, err, client.ErrUncertain)
	assert.EqualValues(t, 1, s.asked.Load(), "it may have been recorded: a repetition would say already_used")

	s = newService(t, cut, problem(http.StatusGatewayTimeout, "uncertain", 0), good(wire.Tap{Code: "recorded"}))
	v, err := s.UpdateTap(t.Context(), order, strings.Repeat("k", 22))
	require.NoError(t, err)
	assert.Equal(t, "recorded", v.Code)
	assert.EqualValues(t, 3, s.asked.Load())

	s = newService(t, cut)
	_, err = s.UpdateTap(t.Context(), order, strings.Repeat("k", 22))
	require.ErrorIs(t, err, client.ErrUncertain)
}

func TestRequestsSayWhatIsWanted(t *testing.T) {
	var got *http.Request
	var order wire.TapRequest
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&order))
		good(wire.Tap{Code: "recorded"})(w, r)
	})
	_, err := s.UpdateTap(t.Context(), wire.TapRequest{URL: "https://x/?i=1", Payload: json.RawMessage(`[1]`)}, strings.Repeat("k", 22))
	require.NoError(t, err)
	assert.Equal(t, "POST /v1/taps", got.Method+" "+got.URL.Path)
	assert.Equal(t, "Bearer "+string(key), got.Header.Get("Authorization"))
	assert.Equal(t, strings.Repeat("k", 22), got.Header.Get("Idempotency-Key"))
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	assert.Equal(t, "test/1", got.Header.Get("User-Agent"))
	assert.Equal(t, wire.TapRequest{URL: "https://x/?i=1", Action: "update", Payload: json.RawMessage(`[1]`)}, order)
}

func TestRefusalIsAProblemAndNotRepeated(t *testing.T) {
	s := newService(t, problem(http.StatusConflict, "already_used", 0))
	_, err := s.ValidateTap(t.Context(), "https://x/")
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "already_used", p.Code)
	assert.Equal(t, http.StatusConflict, p.Status)
	assert.NotErrorIs(t, err, client.ErrUnavailable)
	assert.EqualValues(t, 1, s.asked.Load())
}

func TestStrangeAnswersAreNotBelieved(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{")
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 9<<20)) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		},
		"bare 404": func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"no code": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", wire.MediaProblem)
			w.WriteHeader(400)
			fmt.Fprint(w, "{}")
		},
	} {
		s := newService(t, answer)
		_, err := s.CardInfo(t.Context(), tap.CardID{1})
		assert.ErrorIs(t, err, client.ErrStrange, name)
		assert.EqualValues(t, 1, s.asked.Load(), name)
	}
}

func TestProxyInBetweenThatDoesNotReachTheServiceIsNoAnswer(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	_, err := s.Log(t.Context())
	assert.ErrorIs(t, err, client.ErrUnavailable)
	_, err = s.UpdateTap(t.Context(), wire.TapRequest{URL: "https://x/"}, "")
	assert.ErrorIs(t, err, client.ErrUncertain)
}

func TestAddressesThatCannotBeTrustedAreRefused(t *testing.T) {
	for _, address := range []string{"", "tap.example.com", "http://tap.example.com", "ftp://x", "https://", "https://u:p@tap.example.com", "https://tap.example.com/?a=1", "https://x/#f", "http://127.0.0.1.example.com"} {
		_, err := client.New(client.Options{Server: address})
		assert.ErrorIs(t, err, client.ErrAddress, address)
	}
	for _, address := range []string{"https://tap.example.com", "https://tap.example.com/service/", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"} {
		_, err := client.New(client.Options{Server: address})
		assert.NoError(t, err, address)
	}
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(client.Options{Server: server.URL, Tries: 1})
	require.NoError(t, err)
	_, err = c.UpdateTap(t.Context(), wire.TapRequest{URL: "https://tap.example.com/?i=1&s=signature"}, "")
	assert.ErrorIs(t, err, client.ErrUnavailable, "nothing was sent")
}

func TestContextEndsTheWaiting(t *testing.T) {
	server := httptest.NewServer(problem(http.StatusServiceUnavailable, "ledger_unavailable", 30))
	defer server.Close()
	c, err := client.New(client.Options{Server: server.URL})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Log(ctx)
	assert.True(t, errors.Is(err, context.DeadlineExceeded), err)
}

func TestKeyIsNeverPrinted(t *testing.T) {
	for _, format := range []string{"%v", "%s", "%q", "%+v", "%#v", "%x"} {
		assert.NotContains(t, fmt.Sprintf(format, client.Options{Key: key}), "secret", format)
		assert.NotContains(t, fmt.Sprintf(format, key), "secret", format)
	}
}
