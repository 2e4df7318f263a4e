package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Source is the log that a Handler serves. Everything it returns it has verified
// against its newest checkpoint; what its tree has not got is ledger.ErrNoPosition.
type Source interface {
	// Checkpoint returns the newest signed checkpoint, with the cosignatures that
	// witnesses gave to it.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Tile returns the hashes of a tile of height 8.
	Tile(ctx context.Context, t merkle.Tile) ([]byte, error)
	// Leaves returns n entries from an index on.
	Leaves(ctx context.Context, from uint64, n int) ([]ledger.Entry, error)
	// Payload returns a payload by its SHA-256: channel.ErrRemoved, or ledger.ErrNoMessage.
	Payload(ctx context.Context, digest [sha256.Size]byte) ([]byte, error)
	// Head is that of ledger.Ledger.
	Head(ctx context.Context, id channel.ID) (ledger.Entry, error)
	// Evidence returns messages of a channel as Range does, each with its proof.
	Evidence(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Evidence, error)
}

// How long an answer may be kept by caches. What a tree commits to never changes; a
// payload can be removed and then must be gone soon.
const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheShortly = "public, max-age=60"
	cacheNever   = "no-store"
)

const (
	typeText  = "text/plain; charset=utf-8"
	typeBytes = "application/octet-stream"
	typeJSON  = "application/json"
)

// maxEvidence is how many messages of a channel are served at once.
const maxEvidence = 256

// Handler serves a log below the path that it is mounted at (http.StripPrefix), to
// GET and HEAD alone. Any number of requests may come at once.
type Handler struct{ source Source }

// NewHandler returns the handler of a log.
func NewHandler(s Source) *Handler { return &Handler{s} }

// answer is what a resource holds.
type answer struct {
	kind, cache string
	body        []byte
}

// refusal is an HTTP status and one sentence.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

var (
	errNotFound = refusal{http.StatusNotFound, "there is no such resource: / says what there is"}
	errQuery    = refusal{http.StatusBadRequest, "malformed query: from is a number or last, n is 1 to 256"}
)

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a, err := h.answer(r)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", a.cache)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the reader has gone: nobody is to be told
	}
}

// refuse says why there is no answer.
func refuse(w http.ResponseWriter, err error) {
	r, ok := errors.AsType[refusal](err)
	switch {
	case ok:
	case errors.Is(err, channel.ErrRemoved):
		r = refusal{http.StatusGone, "this payload was removed; the tree keeps its hash"}
	case errors.Is(err, ledger.ErrNoPosition), errors.Is(err, ledger.ErrNoMessage), errors.Is(err, ledger.ErrNoChannel):
		r = refusal{http.StatusNotFound, "the log does not have it (yet)"}
	default: // the cause is the operator's and not the world's to read
		r = refusal{http.StatusServiceUnavailable, "the log cannot answer now"}
		w.Header().Set("Retry-After", "5")
	}
	if r.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD")
	}
	w.Header().Set("Content-Type", typeText)
	w.Header().Set("Cache-Control", cacheNever)
	w.WriteHeader(r.status)
	fmt.Fprintln(w, r.text)
}

func (h *Handler) answer(r *http.Request) (answer, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return answer{}, refusal{http.StatusMethodNotAllowed, "this log is read with GET"}
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if r.URL.RawPath != "" { // something was escaped that no path here has
		return answer{}, errNotFound
	}
	ctx := r.Context()
	switch {
	case path == "":
		return answer{typeText, cacheShortly, []byte(about)}, nil
	case path == pathCheckpoint:
		text, err := h.source.Checkpoint(ctx)
		return answer{typeText, cacheNever, text}, err
	case strings.HasPrefix(path, pathTile):
		return h.tile(ctx, path)
	case strings.HasPrefix(path, pathPayloads):
		return h.payloads(ctx, strings.TrimPrefix(path, pathPayloads))
	case strings.HasPrefix(path, pathPayload):
		return h.payload(ctx, strings.TrimPrefix(path, pathPayload))
	case strings.HasPrefix(path, pathChannel):
		return h.channel(ctx, strings.TrimPrefix(path, pathChannel), r.URL.RawQuery)
	}
	return answer{}, errNotFound
}

// tile answers with hashes or with a bundle of entries.
func (h *Handler) tile(ctx context.Context, path string) (answer, error) {
	t, err := parseTilePath(path)
	if err != nil {
		return answer{}, refusal{http.StatusBadRequest, err.Error()}
	}
	if t.L != levelEntries {
		data, err := h.source.Tile(ctx, t)
		return answer{typeBytes, cacheForever, data}, err
	}
	entries, err := h.bundle(ctx, t)
	if err != nil {
		return answer{}, err
	}
	var body []byte
	for _, e := range entries {
		body = binary.BigEndian.AppendUint16(body, uint16(ledger.LeafSize))
		body = ledger.AppendLeaf(body, ledger.Leaf{Time: e.Time, Stub: e.Message.Stub()})
	}
	return answer{typeBytes, cacheForever, body}, nil
}

// payloads answers with those of an entry bundle, in its order.
func (h *Handler) payloads(ctx context.Context, rest string) (answer, error) {
	t, err := parseTilePath(pathEntries + rest)
	if err != nil {
		return answer{}, refusal{http.StatusBadRequest, err.Error()}
	}
	entries, err := h.bundle(ctx, t)
	if err != nil {
		return answer{}, err
	}
	var body []byte
	for _, e := range entries {
		if e.Message.Removed() {
			body = binary.BigEndian.AppendUint32(body, removed)
			continue
		}
		payload := e.Message.Payload()
		body = binary.BigEndian.AppendUint32(body, uint32(len(payload)))
		body = append(body, payload...)
	}
	return answer{typeBytes, cacheShortly, body}, nil
}

func (h *Handler) bundle(ctx context.Context, t merkle.Tile) ([]ledger.Entry, error) {
	if t.N > 1<<(62-height) {
		return nil, fmt.Errorf("bundle %d: %w", t.N, ledger.ErrNoPosition)
	}
	return h.source.Leaves(ctx, uint64(t.N)<<height, t.W)
}

func (h *Handler) payload(ctx context.Context, text string) (answer, error) {
	digest, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(digest) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return answer{}, refusal{http.StatusBadRequest, "malformed hash: a payload is named by its SHA-256 in base64url"}
	}
	payload, err := h.source.Payload(ctx, [sha256.Size]byte(digest))
	return answer{typeBytes, cacheShortly, payload}, err
}

// channel answers with evidence in JSON. A channel without messages has none.
func (h *Handler) channel(ctx context.Context, text, query string) (answer, error) {
	id, err := channel.ParseID(text)
	if err != nil {
		return answer{}, refusal{http.StatusBadRequest, "malformed id of a channel"}
	}
	from, n, last, err := parseQuery(query)
	if err != nil {
		return answer{}, err
	}
	if last {
		head, err := h.source.Head(ctx, id)
		if err != nil && !errors.Is(err, ledger.ErrNoChannel) {
			return answer{}, err
		}
		if err == nil {
			from, n = head.Message.Number(), 1
		}
	}
	evidence, err := h.source.Evidence(ctx, id, from, n)
	if err != nil && !errors.Is(err, ledger.ErrNoChannel) {
		return answer{}, err
	}
	if evidence == nil {
		evidence = []ledger.Evidence{}
	}
	body, err := json.Marshal(evidence)
	return answer{typeJSON, cacheNever, body}, err
}

// parseQuery reads from and n, each at most once and nothing else.
func parseQuery(query string) (from uint64, n int, last bool, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0, 0, false, errQuery
	}
	n = maxEvidence
	for name, v := range values {
		switch {
		case len(v) != 1:
			err = errQuery
		case name == queryFrom && v[0] == fromLast:
			last = true
		case name == queryFrom:
			from, err = strconv.ParseUint(v[0], 10, 64)
		case name == queryCount:
			n, err = strconv.Atoi(v[0])
		default:
			err = errQuery
		}
		if err != nil || n < 1 || n > maxEvidence {
			return 0, 0, false, errQuery
		}
	}
	return from, n, last, nil
}

// about is the page at the log's own address.
const about = `This is a ProductID log: an append-only Merkle tree (RFC 6962) over signed messages.

GET checkpoint                    its size and root, signed (c2sp.org/tlog-checkpoint)
    tile/<L>/<N>[.p/<W>]          the tree's hashes (c2sp.org/tlog-tiles)
    tile/entries/<N>[.p/<W>]      leaves, 201 bytes each behind a be16 length
    payloads/<N>[.p/<W>]          what these carry, each behind a be32 length, 2^32-1 where it was removed
    payload/<SHA-256, base64url>  one of them
    channel/<id>?from=<number>    a channel's messages with proofs, JSON, at most 256; from=last is the newest

Trust nothing of it that you have not verified: docs/formats/log.md of github.com/productid/productid.
`
