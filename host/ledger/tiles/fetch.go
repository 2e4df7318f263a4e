package tiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

const (
	// tries is how often a request is made before it counts as unanswered.
	tries = 4
	// patience bounds one try, from connecting to the last byte.
	patience = 30 * time.Second
	// firstPause comes before the second try, and three times as long before each further one.
	firstPause = 200 * time.Millisecond
	// maxRedirects within one host.
	maxRedirects = 3
)

var errAbsent = errors.New("it is not there")

// fetcher gets resources below one URL, and from no other host.
type fetcher struct {
	base   *url.URL
	client *http.Client
	pause  time.Duration
}

// ParseURL reads the URL of a log or a witness: https, and http on the machine itself
// or where plain is set. Nothing that comes from there is believed, but who reads what
// would be anybody's to see. It ends with a slash.
func ParseURL(text string, plain bool) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	switch {
	case base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%w: %q", ErrURL, text)
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, fmt.Errorf("%w: %q is neither https nor http", ErrURL, text)
	case base.Scheme == "http" && !plain && !loopback(base.Hostname()):
		return nil, fmt.Errorf("%w: %q is plain http to another machine", ErrURL, text)
	}
	return base.JoinPath("/"), nil
}

func newFetcher(text string, plain bool, transport http.RoundTripper) (*fetcher, error) {
	base, err := ParseURL(text, plain)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || len(via) > maxRedirects {
			return fmt.Errorf("redirected to %s", r.URL.Redacted())
		}
		return nil
	}}
	return &fetcher{base, client, firstPause}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// get returns a resource of at most limit bytes: errAbsent, channel.ErrRemoved, or
// ledger.ErrUnavailable when several tries gave none.
func (f *fetcher) get(ctx context.Context, path, query string, limit int64) ([]byte, error) {
	target := f.base.JoinPath(path)
	target.RawQuery = query
	for try, pause := 1, f.pause; ; try, pause = try+1, 3*pause {
		body, again, err := f.try(ctx, target.String(), limit)
		if err == nil || ctx.Err() == nil && !again {
			return body, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if try == tries {
			return nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// try makes one request, and says whether another may give what this one did not.
func (f *fetcher) try(ctx context.Context, target string, limit int64) (body []byte, again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	response, err := f.client.Do(r)
	if err != nil {
		return nil, true, err // names the URL
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
		if err == nil && int64(len(body)) > limit {
			return nil, false, fmt.Errorf("%w: reading %s: more than %d bytes", ledger.ErrUnavailable, target, limit)
		}
		return body, true, err
	case http.StatusNotFound:
		return nil, false, fmt.Errorf("reading %s: %w", target, errAbsent)
	case http.StatusGone:
		return nil, false, fmt.Errorf("reading %s: %w", target, channel.ErrRemoved)
	}
	again = response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests
	return nil, again, fmt.Errorf("%w: reading %s: %.100s", ledger.ErrUnavailable, target, strings.ToLower(response.Status))
}

// sleep waits, at most until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
