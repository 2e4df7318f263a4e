package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/pkg/ledger"
)

// Published is a log whose checkpoints are taken to witnesses: *tlog.Log.
type Published interface {
	// Checkpoint returns the newest checkpoint.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Consistency returns the proof that one size of the log is the beginning of another.
	Consistency(ctx context.Context, older, newer uint64) (merkle.TreeProof, error)
	// Cosign keeps a checkpoint with its cosignatures.
	Cosign(ctx context.Context, cosigned []byte) error
}

// Asked is a witness that a log asks.
type Asked struct {
	URL string // submission prefix, C2SP tlog-witness
	Key string // verifier key, C2SP tlog-cosignature
}

// PublisherOptions say whose checkpoints go to whom.
type PublisherOptions struct {
	Log       Published
	Key       ledger.LogKey // the log's own
	Witnesses []Asked
	// Every is the least time between two checkpoints; a second when zero.
	Every time.Duration
	// Report is told when a witness gave no cosignature, and why.
	Report func(error)
	// PlainHTTP allows http to other machines too.
	PlainHTTP bool
	// Transport, when set, carries the requests.
	Transport http.RoundTripper
}

// Publisher takes each new checkpoint of a log to its witnesses and brings back what
// they cosigned. One for each log: of two, each does the other's work again.
type Publisher struct {
	o         PublisherOptions
	verifier  note.Verifier
	witnesses []*asked
	done      ledger.Checkpoint // cosigned by all of them
}

// asked is a witness and where it is, as far as this process knows.
type asked struct {
	url    *url.URL
	key    string
	client *http.Client
	size   uint64
}

// NewPublisher returns the publisher of a log. It asks nobody yet.
func NewPublisher(o PublisherOptions) (*Publisher, error) {
	p := &Publisher{o: o}
	if p.o.Every <= 0 {
		p.o.Every = time.Second
	}
	var err error
	if p.verifier, err = note.NewVerifier(o.Key.Key); err != nil {
		return nil, fmt.Errorf("publishing log %q: %w", o.Key.Origin, err)
	}
	client := &http.Client{Transport: o.Transport, Timeout: requestTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for _, w := range o.Witnesses {
		var base *url.URL
		if _, err = ledger.Cosignatures(nil, w.Key); err == nil || errors.Is(err, ledger.ErrInvalidProof) {
			base, err = tiles.ParseURL(w.URL, o.PlainHTTP)
		}
		if err != nil {
			return nil, fmt.Errorf("asking witness %s: %w", w.URL, err)
		}
		p.witnesses = append(p.witnesses, &asked{url: base, key: w.Key, client: client})
	}
	return p, nil
}

// Run publishes what is new until ctx ends, and returns its error; or *tiles.Rewritten
// when a witness shows a checkpoint, signed by this log's key, that is not of this log:
// the log was put back from an old copy or forked, and must write nothing more.
func (p *Publisher) Run(ctx context.Context) error {
	every := time.NewTicker(p.o.Every)
	defer every.Stop()
	for {
		if err := p.Publish(ctx); errors.Is(err, tiles.ErrRewritten) {
			return err
		} else if err != nil && ctx.Err() == nil {
			p.report(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
	}
}

func (p *Publisher) report(err error) {
	if p.o.Report != nil {
		p.o.Report(err)
	}
}

// Publish takes the newest checkpoint to those who have not cosigned it, and keeps
// what they give. Its error is of those who gave nothing.
func (p *Publisher) Publish(ctx context.Context) error {
	c, text, err := p.newest(ctx)
	if err != nil || c == p.done {
		return err
	}
	lines := make([][]byte, len(p.witnesses))
	failed := make([]error, len(p.witnesses))
	var wait sync.WaitGroup
	for i, w := range p.witnesses {
		wait.Go(func() {
			if lines[i], failed[i] = p.ask(ctx, w, c, text); failed[i] != nil {
				failed[i] = fmt.Errorf("asking witness %s: %w", w.url, failed[i])
			}
		})
	}
	wait.Wait()
	if got := bytes.Join(lines, nil); len(got) > 0 {
		if err := p.o.Log.Cosign(ctx, append(text, got...)); err != nil {
			return errors.Join(append(failed, err)...)
		}
	}
	err = errors.Join(failed...)
	if err == nil {
		p.done = c
	}
	return err
}

// newest returns the log's checkpoint without cosignatures.
func (p *Publisher) newest(ctx context.Context) (ledger.Checkpoint, []byte, error) {
	text, err := p.o.Log.Checkpoint(ctx)
	if err != nil {
		return ledger.Checkpoint{}, nil, err
	}
	c, err := ledger.ParseCheckpoint(text, p.o.Key.Origin, p.verifier)
	if err != nil {
		return c, nil, err
	}
	opened, err := note.Open(text, note.VerifierList(p.verifier))
	if err != nil {
		return c, nil, err
	}
	text, err = note.Sign(&note.Note{Text: opened.Text, Sigs: opened.Sigs})
	return c, text, err
}

// ask gets the cosignature of one witness. A witness that is elsewhere than thought
// says where, and is asked from there.
func (p *Publisher) ask(ctx context.Context, w *asked, c ledger.Checkpoint, text []byte) ([]byte, error) {
	for range 3 {
		r := Request{Old: w.size, Checkpoint: text}
		if w.size > 0 && w.size < c.Size {
			var err error
			if r.Proof, err = p.o.Log.Consistency(ctx, w.size, c.Size); err != nil {
				return nil, err
			}
		}
		line, err := w.add(ctx, r)
		conflict, conflicts := errors.AsType[*Conflict](err)
		switch {
		case err == nil:
			w.size = c.Size
			return line, nil
		case conflicts && conflict.Size <= c.Size:
			w.size = conflict.Size
			continue
		case conflicts || errors.Is(err, ErrInconsistent):
			return nil, errors.Join(err, p.compare(ctx, w))
		}
		return nil, err
	}
	return nil, fmt.Errorf("%w: it says each time that it is elsewhere", ledger.ErrUnavailable)
}

// compare looks at what a witness cosigned that does not fit. Its word alone is no
// reason to stop: only what this log's key signed is.
func (p *Publisher) compare(ctx context.Context, w *asked) error {
	text, err := w.latest(ctx, p.o.Key.Origin)
	if err != nil {
		return err
	}
	theirs, err := ledger.ParseCheckpoint(text, p.o.Key.Origin, p.verifier)
	if err != nil {
		return err
	}
	ours, own, err := p.newest(ctx) // after theirs was read: another process may have been faster
	if err != nil {
		return err
	}
	if theirs.Size <= ours.Size {
		proof, err := p.o.Log.Consistency(ctx, theirs.Size, ours.Size)
		if err != nil || theirs.Size == 0 || merkle.CheckTree(proof, int64(ours.Size), ours.Root, int64(theirs.Size), theirs.Root) == nil {
			return err
		}
	}
	return &tiles.Rewritten{Kept: text, Got: own, Why: fmt.Sprintf("log %s signed a tree of %d leaves that a witness knows, and its own of %d does not continue it",
		ours.Origin, theirs.Size, ours.Size)}
}

// add asks for a cosignature and returns the witness's line.
func (w *asked) add(ctx context.Context, r Request) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.JoinPath(pathAdd).String(), bytes.NewReader(r.Marshal()))
	if err != nil {
		return nil, err
	}
	status, body, err := w.do(request)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return w.cosignature(r.Checkpoint, body)
	case status == http.StatusConflict:
		size, err := strconv.ParseUint(strings.TrimSuffix(string(body), "\n"), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%w: it answers with the size %.30q", ledger.ErrUnavailable, body)
		}
		return nil, &Conflict{size}
	case status == http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("from size %d: %w", r.Old, ErrInconsistent)
	}
	return nil, fmt.Errorf("%w: status %d, %.100q", ledger.ErrUnavailable, status, body)
}

// latest asks for the newest checkpoint that the witness cosigned.
func (w *asked) latest(ctx context.Context, origin string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.JoinPath(pathLatest(origin)).String(), nil)
	if err != nil {
		return nil, err
	}
	status, body, err := w.do(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%w: it shows no checkpoint: status %d", ledger.ErrUnavailable, status)
	}
	return body, err
}

func (w *asked) do(r *http.Request) (status int, body []byte, err error) {
	response, err := w.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxRequest)); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return response.StatusCode, body, nil
}

// cosignature takes the witness's own line out of what it answered.
func (w *asked) cosignature(checkpoint, body []byte) ([]byte, error) {
	for line := range bytes.Lines(body) {
		found, err := ledger.Cosignatures(append(bytes.Clone(checkpoint), line...), w.key)
		if err != nil {
			return nil, err
		}
		if len(found) == 1 {
			return line, nil
		}
	}
	return nil, fmt.Errorf("%w: it answers without a cosignature by its key", ledger.ErrUnavailable)
}
