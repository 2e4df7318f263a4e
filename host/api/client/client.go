// Package client asks a ProductID service over its HTTP API.
//
// # Yes, no, don't know, maybe
//
// A *Problem is the service's answer that is no success: a verdict on a tap, or a request that it refuses. ErrUnavailable says that
// nobody answered, or not now, and nothing was done. ErrUncertain says that something may have been done: the same call with the
// same idempotency key finds out.
//
// # Retries
//
// What changes nothing is asked again when the service does not answer, and so is an update that has an idempotency key; nothing
// else is, because it might be done twice. Between two tries the client waits as long as the service says, else longer each time.
//
// # Concurrency
//
// A Client may be used by many goroutines.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/productid/productid/host/api/wire"
)

// What happened to a request that the service did not answer.
var (
	// ErrUnavailable says that the service cannot be reached, or does not answer now; nothing was done.
	ErrUnavailable = errors.New("service does not answer")
	// ErrUncertain says that it may have been done, or may yet be.
	ErrUncertain = errors.New("not known whether the service did it")
	// ErrStrange says that what answers is no ProductID service, or one of another version.
	ErrStrange = errors.New("not the answer of a ProductID service")
	// ErrAddress refuses an address that no service has.
	ErrAddress = errors.New("not the address of a service")
)

// Key is an API key. It prints redacted; only String of what it was made of tells it.
type Key string

// Format prints the key without its secret.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, "[API key]") }

// Options say which service is asked, and how. Server is needed.
type Options struct {
	Server string // its address: https://, or http:// on this machine
	Key    Key    // "" asks as anybody
	Agent  string // what the client calls itself; a word and a version
	// HTTP carries the requests; nil is a client of our own that follows no redirection.
	HTTP *http.Client
	// Tries is how often something is asked at most; 0 is 4.
	Tries int
	// Wait pauses between two tries; nil sleeps.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client asks one service.
type Client struct {
	Options
	base *url.URL
}

// maxAnswer bounds what is read of an answer; only bundles are larger.
const maxAnswer = 8 << 20

// New returns a client. The error is ErrAddress.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Server)
	switch {
	case err != nil, base.Host == "", base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, fmt.Errorf("%q: %w", o.Server, ErrAddress)
	case base.Scheme == "https", base.Scheme == "http" && isHere(base.Hostname()):
	default:
		return nil, fmt.Errorf("%q is neither https:// nor on this machine: %w", o.Server, ErrAddress)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{
			Timeout:       time.Minute, // a ledger that needs time takes seconds
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if o.Tries <= 0 {
		o.Tries = 4
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	return &Client{Options: o, base: base}, nil
}

// isHere reports whether a host is this machine, where nobody listens in.
func isHere(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Problem is an answer that is no success.
type Problem struct{ wire.Problem }

// Error says what the service said.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return "the service answered " + p.Code + ": " + p.Title
	}
	return "the service answered " + p.Code + ": " + p.Title + ": " + p.Detail
}

// Is makes a Problem one of the errors that say whether something was done.
func (p *Problem) Is(target error) bool {
	switch target {
	case ErrUncertain:
		return p.Code == wire.CodeUncertain
	case ErrUnavailable:
		return p.Code == wire.CodeLedgerUnavailable
	}
	return false
}

// request is one call before it is sent.
type request struct {
	method string
	path   []string
	query  url.Values
	body   any    // nil for none
	key    string // Idempotency-Key, or ""
	again  bool   // it may be sent again: it changes nothing, or has a key
	limit  int64  // bytes of the answer; 0 is maxAnswer
}

// do sends a request until it is answered, as often as it may, and reads the answer into v: JSON, or all of it for a *[]byte.
func (c *Client) do(ctx context.Context, r request, v any) error {
	var text []byte
	if r.body != nil {
		var err error
		if text, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	for try := 1; ; try++ {
		wait, err := c.once(ctx, r, text, v)
		if err == nil || !r.again || try >= c.Tries || !mayPass(err) {
			return err
		}
		if wait == 0 {
			wait = time.Duration(rand.Int64N(int64(time.Second) << try / 4)) // full jitter: 0.5 s, 1 s, 2 s at most
		}
		if waitErr := c.Wait(ctx, min(wait, maxWait)); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
}

// maxWait bounds how long a service can make a client wait between two tries.
const maxWait = 30 * time.Second

// mayPass reports whether the same request may be answered otherwise a little later.
func mayPass(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUncertain) || ok && p.Status == http.StatusTooManyRequests
}

// once sends a request one time. It also returns how long the service wants one to wait, or 0.
func (c *Client) once(ctx context.Context, r request, text []byte, v any) (time.Duration, error) {
	target := c.base.JoinPath(r.path...)
	target.RawQuery = r.query.Encode()
	q, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("writing the request: %w", err)
	}
	q.Header.Set("Accept", "application/json")
	if r.body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if c.Key != "" {
		q.Header.Set("Authorization", "Bearer "+string(c.Key))
	}
	if c.Agent != "" {
		q.Header.Set("User-Agent", c.Agent)
	}
	if r.key != "" {
		q.Header.Set(wire.HeaderIdempotencyKey, r.key)
	}
	answer, err := c.HTTP.Do(q)
	if err != nil {
		return 0, r.unanswered(err)
	}
	defer answer.Body.Close()
	limit := r.limit
	if limit == 0 {
		limit = maxAnswer
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return 0, r.unanswered(err)
	}
	if int64(len(body)) > limit {
		return 0, fmt.Errorf("an answer of more than %d bytes: %w", limit, ErrStrange)
	}
	if answer.StatusCode >= 300 {
		return r.refused(answer, body)
	}
	return 0, read(answer, body, v)
}

// unanswered says what is known of a request that got no answer: nothing was done if it was never sent, or changes nothing.
func (r request) unanswered(err error) error {
	kind := ErrUncertain
	if r.method == http.MethodGet || r.idle() || notSent(err) {
		kind = ErrUnavailable
	}
	var why *url.Error
	if errors.As(err, &why) {
		err = why.Err // without the address, which may hold a tap's signature
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// idle reports whether the request asks for nothing to be changed.
func (r request) idle() bool {
	t, ok := r.body.(wire.TapRequest)
	return ok && t.Action == wire.ActionValidate
}

// notSent reports whether no connection was made.
func notSent(err error) bool {
	var o *net.OpError
	var dns *net.DNSError
	return errors.As(err, &o) && o.Op == "dial" || errors.As(err, &dns)
}

// refused reads an answer that is no success.
func (r request) refused(answer *http.Response, body []byte) (time.Duration, error) {
	p := &Problem{}
	media, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if media == wire.MediaProblem && json.Unmarshal(body, &p.Problem) == nil && p.Code != "" {
		p.Status = answer.StatusCode
		return time.Duration(p.RetryAfter) * time.Second, p
	}
	switch answer.StatusCode { // of a proxy in between
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, r.unanswered(fmt.Errorf("status %s", answer.Status))
	}
	return 0, fmt.Errorf("status %s: %w", answer.Status, ErrStrange)
}

// read reads an answer that is a success.
func read(answer *http.Response, body []byte, v any) error {
	if raw, ok := v.(*[]byte); ok {
		*raw = body
		return nil
	}
	if v == nil {
		return nil
	}
	media, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if media != "application/json" {
		return fmt.Errorf("an answer of type %.50q: %w", media, ErrStrange)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrStrange, err)
	}
	return nil
}
