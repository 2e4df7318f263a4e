package tiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Limits of what is read, in bytes.
const (
	maxCheckpoint = 16 << 10
	maxBundle     = width * (2 + ledger.LeafSize)
	maxPayloads   = width * (4 + channel.MaxMessage)
	maxChannel    = 8 << 20 // 256 messages in base64 with their proofs are less than half of it
)

// defaultPoll is how often Follow looks for more.
const defaultPoll = time.Second

// Options say which log is read and who is believed.
type Options struct {
	// URL of the log, as Handler serves it: https, or http on this machine.
	URL string
	// Policy is what a proof has to satisfy.
	Policy ledger.Policy
	// Origin says which log of the policy this is; empty where it has only one.
	Origin string
	// State is a file for the newest checkpoint that was seen; without one it is
	// forgotten at Close. It belongs to this one log, and may be shared by processes
	// that do not run at once.
	State string
	// Known is a checkpoint that was seen elsewhere, and counts while State has none.
	Known []byte
	// PlainHTTP allows http to other machines too.
	PlainHTTP bool
	// Poll is how often Follow looks for more; a second when zero.
	Poll time.Duration
	// Transport, when set, carries the requests.
	Transport http.RoundTripper
}

// Client is a log that others serve, read-only: a ledger.Ledger whose every answer
// was verified under the policy and against the newest checkpoint seen. Its errors
// are those of ledger.Ledger, and *Rewritten.
type Client struct {
	o       Options
	origin  string
	keys    []note.Verifier
	fetch   *fetcher
	history *history
	tiles   cache
	proven  atomic.Pointer[Tree] // one that was found to be the beginning of the newest
	closed  context.Context
	close   context.CancelFunc
}

var _ ledger.Ledger = (*Client)(nil)

// NewClient returns the client of a log. It asks nothing of the log yet.
func NewClient(o Options) (*Client, error) {
	c := &Client{o: o}
	if c.o.Poll <= 0 {
		c.o.Poll = defaultPoll
	}
	err := c.trust()
	if err != nil {
		return nil, fmt.Errorf("reading log %s: %w", o.URL, err)
	}
	if c.fetch, err = newFetcher(o.URL, o.PlainHTTP, o.Transport); err != nil {
		return nil, fmt.Errorf("reading log %s: %w", o.URL, err)
	}
	if c.history, err = readHistory(o, c.origin, c.keys); err != nil {
		return nil, fmt.Errorf("reading log %s: %w", o.URL, err)
	}
	c.closed, c.close = context.WithCancel(context.Background())
	return c, nil
}

// trust finds the log and its keys in the policy.
func (c *Client) trust() error {
	c.origin = c.o.Origin
	for _, k := range c.o.Policy.Logs {
		if c.origin == "" {
			c.origin = k.Origin
		}
		if k.Origin != c.origin && c.o.Origin == "" {
			return errors.New("policy trusts several logs: say which this is by its origin")
		}
		if k.Origin != c.origin {
			continue
		}
		v, err := note.NewVerifier(k.Key)
		if err != nil {
			return fmt.Errorf("key of log %q: %w", k.Origin, err)
		}
		c.keys = append(c.keys, v)
	}
	if len(c.keys) == 0 {
		return fmt.Errorf("policy does not trust log %q", c.origin)
	}
	return nil
}

// begin ties a call to the client's life. done says of the call's error what it
// means, and is to be deferred.
func (c *Client) begin(ctx context.Context, err *error) (context.Context, func()) {
	bound, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.closed, cancel)
	return bound, func() {
		stop()
		cancel()
		switch {
		case *err == nil:
		case c.closed.Err() != nil && ctx.Err() == nil && errors.Is(*err, context.Canceled):
			*err = fmt.Errorf("client of log %s is closed: %w", c.origin, ledger.ErrUnavailable)
		}
	}
}

// Info describes the log as its newest checkpoint does.
func (c *Client) Info(ctx context.Context) (info ledger.Info, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	t, err := c.refresh(ctx)
	if err != nil {
		return ledger.Info{}, err
	}
	key := slices.IndexFunc(c.o.Policy.Logs, func(k ledger.LogKey) bool { return k.Origin == c.origin })
	return ledger.Info{
		Kind:        "tlog",
		Origin:      c.origin,
		VerifierKey: c.o.Policy.Logs[key].Key,
		Size:        t.Size,
		MaxMessage:  channel.MaxMessage,
		Highest:     c.highest(),
		Uniqueness:  "the log's key: what it signed before is held against it",
		Retention:   "as long as " + c.fetch.base.Redacted() + " serves it",
		Finality:    "when a signed checkpoint covers it",
	}, nil
}

// Submit refuses: ErrReadOnly.
func (c *Client) Submit(context.Context, channel.Message) (ledger.Receipt, error) {
	if c.closed.Err() != nil {
		return ledger.Receipt{}, fmt.Errorf("client of log %s is closed: %w", c.origin, ledger.ErrUnavailable)
	}
	return ledger.Receipt{}, fmt.Errorf("submitting to %s: %w", c.fetch.base.Redacted(), ErrReadOnly)
}

// highest is the last phase that this policy can find out about.
func (c *Client) highest() ledger.Phase {
	if c.o.Policy.Quorum > 0 {
		return ledger.Witnessed
	}
	return ledger.Final
}

// Await returns the receipt of a message that the log has. Where the policy asks for
// witnesses, whatever the client returns is Witnessed.
func (c *Client) Await(ctx context.Context, r ledger.Receipt, phase ledger.Phase) (receipt ledger.Receipt, err error) {
	if phase > c.highest() {
		return ledger.Receipt{}, fmt.Errorf("awaiting %s on a log served by others: %w", phase, ledger.ErrNoPhase)
	}
	ctx, done := c.begin(ctx, &err)
	defer done()
	found, err := c.message(ctx, r.Channel, r.Number)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if found.Message.Hash() != r.Hash {
		return ledger.Receipt{}, &ledger.Conflict{Winner: found.Entry}
	}
	return found.Receipt, nil
}

// Head returns the newest message of a channel.
func (c *Client) Head(ctx context.Context, id channel.ID) (head ledger.Entry, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	found, err := c.head(ctx, id)
	return found.Entry, err
}

// Range returns messages of a channel in order.
func (c *Client) Range(ctx context.Context, id channel.ID, from uint64, n int) (entries []ledger.Entry, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	for len(entries) < n {
		page, err := c.page(ctx, id, from+uint64(len(entries)), min(n-len(entries), maxEvidence))
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			entries = append(entries, p.Entry)
		}
	}
	if len(entries) == 0 { // none here, or none at all
		_, err = c.head(ctx, id)
	}
	return entries, err
}

// Prove returns a proof of message n of a channel, as the log made it.
func (c *Client) Prove(ctx context.Context, id channel.ID, n uint64) (proof ledger.Proof, err error) {
	ctx, done := c.begin(ctx, &err)
	defer done()
	found, err := c.message(ctx, id, n)
	return found.Receipt.Proof, err
}

// Close ends every call.
func (c *Client) Close() error {
	c.close()
	return nil
}

// proved is a message with what its proof amounts to.
type proved struct {
	ledger.Entry
	Receipt ledger.Receipt
}

// message returns message n of a channel.
func (c *Client) message(ctx context.Context, id channel.ID, n uint64) (proved, error) {
	page, err := c.page(ctx, id, n, 1)
	if err == nil && len(page) == 0 {
		if _, err = c.head(ctx, id); err == nil {
			err = fmt.Errorf("message %d of channel %s: %w", n, id, ledger.ErrNoMessage)
		}
	}
	if err != nil {
		return proved{}, err
	}
	return page[0], nil
}

// head returns the newest message of a channel.
func (c *Client) head(ctx context.Context, id channel.ID) (proved, error) {
	page, err := c.evidence(ctx, id, url.Values{queryFrom: {fromLast}})
	if err == nil && len(page) == 0 {
		err = fmt.Errorf("channel %s: %w", id, ledger.ErrNoChannel)
	}
	if err == nil && len(page) > 1 {
		err = c.confused("answered with %d newest messages of a channel", len(page))
	}
	if err != nil {
		return proved{}, err
	}
	return page[0], nil
}

// page returns at most n messages of a channel.
func (c *Client) page(ctx context.Context, id channel.ID, from uint64, n int) ([]proved, error) {
	page, err := c.evidence(ctx, id, url.Values{queryFrom: {strconv.FormatUint(from, 10)}, queryCount: {strconv.Itoa(n)}})
	if err != nil {
		return nil, err
	}
	if len(page) > n || len(page) > 0 && page[0].Message.Number() != from {
		return nil, c.confused("answered with other messages than it was asked for")
	}
	return page, nil
}

// evidence reads consecutive messages of a channel. What witnesses have not cosigned
// yet is asked for again: a log gets their word a moment after it recorded a message.
func (c *Client) evidence(ctx context.Context, id channel.ID, query url.Values) ([]proved, error) {
	for try, pause := 1, c.fetch.pause; ; try, pause = try+1, 3*pause {
		page, err := c.tryEvidence(ctx, id, query)
		if try == tries || !errors.Is(err, errUnwitnessed) {
			return page, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// errUnwitnessed comes with ledger.ErrInvalidProof.
var errUnwitnessed = errors.New("fewer witnesses than the policy asks for have cosigned it so far")

// tryEvidence reads consecutive messages of a channel and verifies their proofs. The
// newest checkpoint is looked at too: an old state of the log proves all that it has.
func (c *Client) tryEvidence(ctx context.Context, id channel.ID, query url.Values) ([]proved, error) {
	body, err := c.fetch.get(ctx, pathChannel+id.String(), query.Encode(), maxChannel)
	if err != nil {
		return nil, c.absent(err)
	}
	var page []ledger.Evidence
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, c.confused("answered with what is no evidence: %w", err)
	}
	if _, err := c.refresh(ctx); err != nil {
		return nil, err
	}
	all := make([]proved, len(page))
	for i, e := range page {
		if e.Message.Channel() != id || i > 0 && e.Message.Number() != page[i-1].Message.Number()+1 {
			return nil, c.confused("answered with other messages than it was asked for")
		}
		r, err := c.verify(e)
		if err == nil {
			err = c.checkProof(ctx, e.Proof)
		}
		if err != nil {
			return nil, err
		}
		all[i] = proved{ledger.Entry{Message: e.Message, Time: r.Time, Index: r.Index}, r}
	}
	return all, nil
}

// verify checks evidence under the policy, and says so when only witnesses are missing.
func (c *Client) verify(e ledger.Evidence) (ledger.Receipt, error) {
	r, err := e.Verify(c.o.Policy)
	if err == nil || c.o.Policy.Quorum == 0 {
		return r, err
	}
	alone := c.o.Policy
	alone.Quorum = 0
	if _, otherwise := e.Verify(alone); otherwise == nil {
		err = fmt.Errorf("message %d of channel %s: %w: %w", e.Message.Number(), e.Message.Channel(), errUnwitnessed, err)
	}
	return r, err
}

// checkProof reports whether the checkpoint of a proof is one of the history that
// was seen, and takes note of it when it is newer.
func (c *Client) checkProof(ctx context.Context, p ledger.Proof) error {
	parsed, err := ledger.ParseLogProof(p.Text)
	if err != nil {
		return err
	}
	t, err := parseTree(parsed.Checkpoint, c.origin, c.keys)
	if err != nil {
		return err
	}
	_, err = c.advance(ctx, t)
	return err
}

// absent says of what every log has and this one has not that it does not answer.
func (c *Client) absent(err error) error {
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return err
}

// confused says that a log's answer is not one. Who serves a log can only withhold it.
func (c *Client) confused(format string, args ...any) error {
	return fmt.Errorf("%w: log %s %w", ledger.ErrUnavailable, c.fetch.base.Redacted(), fmt.Errorf(format, args...))
}
