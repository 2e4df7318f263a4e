package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az" // for tests alone
)

func signer(t testing.TB) ledger.Signer {
	s, err := ledger.NewSigner(signerKey)
	require.NoError(t, err)
	return s
}

func policy(t testing.TB) ledger.Policy {
	return ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: signer(t).VerifierKey()}}}
}

func openLog(t testing.TB, path string) *tlog.Log {
	l, err := tlog.Open(context.Background(), path, tlog.Options{Origin: origin, Signer: signer(t), Now: time.Now, Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func newLog(t testing.TB) *tlog.Log { return openLog(t, filepath.Join(t.TempDir(), "log.db")) }

// author returns the author of a public channel, always the same for a number.
func author(n int) *channel.Author {
	return channel.NewAuthor(channel.Seed{byte(n), byte(n >> 8), 1}, channel.Public)
}

// extend records n more messages on a channel.
func extend(t testing.TB, l ledger.Ledger, a *channel.Author, n int, body string) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, l.(interface {
		List(context.Context, ...channel.ID) error
	}).List(ctx, a.Channel()))
	d := channel.Draft{Time: time.UnixMilli(1790000000000)}
	head, err := l.Head(ctx, a.Channel())
	if err == nil {
		d.Number, d.Prev = head.Message.Number()+1, head.Message.Hash()
	}
	messages := make([]channel.Message, n)
	for i := range messages {
		d.Body = fmt.Appendf(nil, "%s %d", body, d.Number)
		messages[i], err = a.Sign(d)
		require.NoError(t, err)
		d.Number, d.Prev = d.Number+1, messages[i].Hash()
	}
	for _, m := range messages {
		_, err := l.Submit(ctx, m)
		require.NoError(t, err)
	}
}

// grow records messages on many channels at once, which share transactions.
func grow(t testing.TB, l ledger.Ledger, channels, each int, body string) {
	done := make(chan struct{})
	for c := range channels {
		go func() { extend(t, l, author(c), each, body); done <- struct{}{} }()
	}
	for range channels {
		<-done
	}
}

// get makes one request to a handler.
func get(t testing.TB, h http.Handler, method, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// stranger reads a log as any client of C2SP tlog-tiles does: with the Merkle tree
// of the Go checksum database and paths of its own making, and with none of ours.
type stranger struct {
	t   *testing.T
	url string
}

func (s stranger) get(path string) []byte {
	r, err := http.Get(s.url + path)
	require.NoError(s.t, err)
	defer r.Body.Close()
	require.Equal(s.t, http.StatusOK, r.StatusCode, path)
	b, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	return b
}

// path is <L>/<N>[.p/<W>] as the specification says it.
func (s stranger) path(level string, n int64, w int) string {
	elements := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		elements = fmt.Sprintf("x%03d/%s", n%1000, elements)
	}
	if w < 256 {
		elements += fmt.Sprintf(".p/%d", w)
	}
	return "/tile/" + level + "/" + elements
}

func (s stranger) Height() int { return 8 }

func (s stranger) ReadTiles(tiles []merkle.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		data = append(data, s.get(s.path(fmt.Sprint(t.L), t.N, t.W)))
	}
	return data, nil
}

func (s stranger) SaveTiles([]merkle.Tile, [][]byte) {}

func TestAnyClientOfTiledLogsReadsIt(t *testing.T) {
	l := newLog(t)
	grow(t, l, 20, 40, "body") // 800 leaves: whole and partial tiles on two levels
	server := httptest.NewServer(NewHandler(l))
	defer server.Close()
	s := stranger{t, server.URL}

	verifier, err := note.NewVerifier(signer(t).VerifierKey())
	require.NoError(t, err)
	opened, err := note.Open(s.get("/checkpoint"), note.VerifierList(verifier))
	require.NoError(t, err)
	lines := strings.Split(opened.Text, "\n")
	require.Equal(t, []string{origin, "800"}, lines[:2])
	root, err := merkle.ParseHash(lines[2])
	require.NoError(t, err)

	const size = 800
	var indexes []int64
	for i := range int64(size) {
		indexes = append(indexes, merkle.StoredHashIndex(0, i))
	}
	hashes, err := merkle.TileHashReader(merkle.Tree{N: size, Hash: root}, s).ReadHashes(indexes)
	require.NoError(t, err)
	for i := range int64(size) {
		if i%256 != 0 {
			continue
		}
		bundle := s.get(s.path("entries", i/256, int(min(256, size-i))))
		for n := i; len(bundle) > 0; n++ {
			length := binary.BigEndian.Uint16(bundle)
			require.Equal(t, hashes[n], merkle.RecordHash(bundle[2:2+length]))
			bundle = bundle[2+length:]
		}
	}
	older, err := l.Consistency(t.Context(), 300, size)
	require.NoError(t, err)
	proof, err := merkle.ProveTree(size, 300, merkle.TileHashReader(merkle.Tree{N: size, Hash: root}, s))
	require.NoError(t, err)
	assert.Equal(t, older, proof)
}

func TestResources(t *testing.T) {
	l := newLog(t)
	grow(t, l, 1, 300, "body")
	h := NewHandler(l)
	for path, want := range map[string]struct{ kind, cache string }{
		"/":                          {typeText, cacheShortly},
		"/checkpoint":                {typeText, cacheNever},
		"/tile/0/000":                {typeBytes, cacheForever},
		"/tile/0/000.p/17":           {typeBytes, cacheForever},
		"/tile/0/001.p/44":           {typeBytes, cacheForever},
		"/tile/1/000.p/1":            {typeBytes, cacheForever},
		"/tile/entries/001.p/44":     {typeBytes, cacheForever},
		"/payloads/001.p/44":         {typeBytes, cacheShortly},
		"/channel/" + id(0):          {typeJSON, cacheNever},
		"/payload/" + hash("body 7"): {typeBytes, cacheShortly},
	} {
		r := get(t, h, http.MethodGet, path)
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		assert.Equal(t, want.kind, r.Header.Get("Content-Type"), path)
		assert.Equal(t, want.cache, r.Header.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		whole := body(t, r)
		assert.Equal(t, fmt.Sprint(len(whole)), r.Header.Get("Content-Length"), path)
		head := get(t, h, http.MethodHead, path)
		assert.Equal(t, http.StatusOK, head.StatusCode)
		assert.Empty(t, body(t, head), path)
	}
	assert.Equal(t, "body 7", body(t, get(t, h, http.MethodGet, "/payload/"+hash("body 7"))))
	assert.Len(t, body(t, get(t, h, http.MethodGet, "/tile/0/000")), 8192)
	assert.Equal(t, body(t, get(t, h, http.MethodGet, "/tile/0/000"))[:17*32], body(t, get(t, h, http.MethodGet, "/tile/0/000.p/17")))

	r := get(t, http.StripPrefix("/log", h), http.MethodGet, "/log/checkpoint")
	assert.Equal(t, http.StatusOK, r.StatusCode, "mounted below a path")
}

func id(n int) string { return author(n).Channel().String() }

func hash(payload string) string {
	h := sha256.Sum256([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

func TestChannelWithProofs(t *testing.T) {
	l := newLog(t)
	grow(t, l, 2, 300, "body")
	h := NewHandler(l)
	read := func(query string) (all []ledger.Evidence) {
		r := get(t, h, http.MethodGet, "/channel/"+id(0)+query)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.NoError(t, json.Unmarshal([]byte(body(t, r)), &all))
		for _, e := range all {
			_, err := e.Verify(policy(t))
			require.NoError(t, err)
		}
		return all
	}
	all := read("")
	require.Len(t, all, 256)
	assert.EqualValues(t, 0, all[0].Message.Number())
	assert.Len(t, read("?from=256"), 44)
	assert.Empty(t, read("?from=300"))
	assert.Len(t, read("?from=10&n=3"), 3)
	last := read("?from=last")
	require.Len(t, last, 1)
	assert.EqualValues(t, 299, last[0].Message.Number())
	for _, query := range []string{"", "?from=last", "?from=7"} {
		assert.Equal(t, "[]", body(t, get(t, h, http.MethodGet, "/channel/"+id(9)+query)), "a channel without messages")
	}
}

func TestRefusals(t *testing.T) {
	l := newLog(t)
	grow(t, l, 1, 3, "body")
	h := NewHandler(l)
	for path, status := range map[string]int{
		"/nothing": http.StatusNotFound, "//": http.StatusNotFound, "/checkpoint/": http.StatusNotFound, "/checkpoint%2F": http.StatusNotFound,
		"/tile": http.StatusNotFound, "/tile/": http.StatusBadRequest, "/tile/0/../../checkpoint": http.StatusBadRequest,
		"/tile/0/000": http.StatusNotFound, "/tile/0/000.p/4": http.StatusNotFound, "/tile/0/001.p/1": http.StatusNotFound, "/tile/1/000.p/1": http.StatusNotFound,
		"/tile/63/000.p/1": http.StatusNotFound, "/tile/0/x036/x028/x797/x018/x963/967": http.StatusNotFound, "/tile/entries/x036/x028/x797/x018/x963/967": http.StatusNotFound,
		"/tile/entries/x009/x223/x372/x036/x854/x775/807": http.StatusNotFound, "/tile/entries/000.p/4": http.StatusNotFound, "/payloads/000": http.StatusNotFound,
		"/payloads/": http.StatusBadRequest, "/payloads/entries/000": http.StatusBadRequest, "/payload/": http.StatusBadRequest, "/payload/AAAA": http.StatusBadRequest,
		"/payload/" + hash("other"): http.StatusNotFound, "/channel/": http.StatusBadRequest, "/channel/x": http.StatusBadRequest,
		"/channel/" + id(0) + "?from=-1": http.StatusBadRequest, "/channel/" + id(0) + "?from=1&from=2": http.StatusBadRequest, "/channel/" + id(0) + "?n=0": http.StatusBadRequest,
		"/channel/" + id(0) + "?n=257": http.StatusBadRequest, "/channel/" + id(0) + "?to=1": http.StatusBadRequest, "/channel/" + id(0) + "?from=18446744073709551616": http.StatusBadRequest,
		"/channel/" + id(0) + "?from=%zz": http.StatusBadRequest,
	} {
		r := get(t, h, http.MethodGet, path)
		assert.Equal(t, status, r.StatusCode, path)
		assert.Equal(t, cacheNever, r.Header.Get("Cache-Control"), path)
		assert.NotEmpty(t, body(t, r), path)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		r := get(t, h, method, "/checkpoint")
		assert.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, method)
		assert.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
	}
}

// broken is a source that has nothing but an error.
type broken struct{ err error }

func (b broken) Checkpoint(context.Context) ([]byte, error)                  { return nil, b.err }
func (b broken) Tile(context.Context, merkle.Tile) ([]byte, error)           { return nil, b.err }
func (b broken) Leaves(context.Context, uint64, int) ([]ledger.Entry, error) { return nil, b.err }
func (b broken) Payload(context.Context, [sha256.Size]byte) ([]byte, error)  { return nil, b.err }
func (b broken) Head(context.Context, channel.ID) (ledger.Entry, error)      { return ledger.Entry{}, b.err }
func (b broken) Evidence(context.Context, channel.ID, uint64, int) ([]ledger.Evidence, error) {
	return nil, b.err
}

func TestErrorsOfTheLogInTheWordsOfTheWeb(t *testing.T) {
	for _, path := range []string{"/checkpoint", "/tile/0/000", "/tile/entries/000", "/payloads/000", "/payload/" + hash(""), "/channel/" + id(0), "/channel/" + id(0) + "?from=last"} {
		for err, status := range map[error]int{
			ledger.ErrUnavailable: http.StatusServiceUnavailable, tlog.ErrCorrupt: http.StatusServiceUnavailable, channel.ErrRemoved: http.StatusGone,
			ledger.ErrNoPosition: http.StatusNotFound, context.Canceled: http.StatusServiceUnavailable, errors.New("secret path"): http.StatusServiceUnavailable,
		} {
			r := get(t, NewHandler(broken{fmt.Errorf("inside: %w", err)}), http.MethodGet, path)
			assert.Equal(t, status, r.StatusCode, "%s: %v", path, err)
			assert.NotContains(t, body(t, r), "inside", "the cause is not the world's to read")
		}
	}
}
