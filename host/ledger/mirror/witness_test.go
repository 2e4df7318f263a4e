package mirror

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/productid/productid/pkg/ledger"
)

const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az" // for tests alone
)

func logSigner() ledger.Signer {
	s, err := ledger.NewSigner(signerKey)
	if err != nil {
		panic(err)
	}
	return s
}

func logKey() ledger.LogKey { return ledger.LogKey{Origin: origin, Key: logSigner().VerifierKey()} }

func witnessSigner() ledger.WitnessSigner {
	s, err := ledger.NewWitnessSigner("witness.example/w1", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	return s
}

func openWitness(t testing.TB, path string) *Witness {
	w, err := OpenWitness(context.Background(), path, WitnessOptions{Logs: []ledger.LogKey{logKey()}, Signer: witnessSigner(), Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	return w
}

// trees are the hashes of a log whose leaves are all of one content.
type trees []merkle.Hash

func (s trees) ReadHashes(indexes []int64) ([]merkle.Hash, error) {
	hashes := make([]merkle.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = s[index]
	}
	return hashes, nil
}

// growTrees returns the tree of leaves of a kind behind the first few of another.
func growTrees(size int, common int, kind string) (s trees) {
	for n := range int64(size) {
		leaf := kind
		if n < int64(common) {
			leaf = "common"
		}
		hashes, err := merkle.StoredHashes(n, fmt.Appendf(nil, "%s %d", leaf, n), s)
		if err != nil {
			panic(err)
		}
		s = append(s, hashes...)
	}
	return s
}

func (s trees) checkpoint(size uint64) []byte {
	root, err := merkle.TreeHash(int64(size), s)
	if err != nil {
		panic(err)
	}
	text, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: size, Root: root}, logSigner())
	if err != nil {
		panic(err)
	}
	return text
}

func (s trees) request(older, newer uint64) Request {
	r := Request{Old: older, Checkpoint: s.checkpoint(newer)}
	if older > 0 && older < newer {
		var err error
		if r.Proof, err = merkle.ProveTree(int64(newer), int64(older), s); err != nil {
			panic(err)
		}
	}
	return r
}

// requireCosigned checks a witness's line below a checkpoint.
func requireCosigned(t testing.TB, checkpoint, line []byte) {
	t.Helper()
	found, err := ledger.Cosignatures(append(bytes.Clone(checkpoint), line...), witnessSigner().VerifierKey())
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.WithinDuration(t, time.Now(), found[0].Time, time.Minute)
}

func TestWitnessCosignsWhatContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness.db")
	w, s := openWitness(t, path), growTrees(40, 0, "")
	var old uint64
	for _, size := range []uint64{0, 1, 1, 2, 7, 8, 40, 40} {
		r := s.request(old, size)
		line, err := w.Add(t.Context(), r)
		require.NoError(t, err, "from %d to %d", old, size)
		requireCosigned(t, r.Checkpoint, line)
		latest, err := w.Latest(t.Context(), origin)
		require.NoError(t, err)
		assert.Equal(t, string(r.Checkpoint)+string(line), string(latest))
		old = size
	}
	again := openWitness(t, path) // a restart
	_, err := again.Add(t.Context(), s.request(7, 8))
	conflict, ok := errors.AsType[*Conflict](err)
	require.True(t, ok, "%v", err)
	assert.EqualValues(t, 40, conflict.Size)
}

func TestWitnessRefuses(t *testing.T) {
	s, fork := growTrees(40, 0, ""), growTrees(50, 10, "fork")
	w := openWitness(t, filepath.Join(t.TempDir(), "witness.db"))
	_, err := w.Add(t.Context(), s.request(0, 20))
	require.NoError(t, err)
	stranger, _, err := note.GenerateKey(zeros{}, origin)
	require.NoError(t, err)
	other, err := note.NewSigner(stranger)
	require.NoError(t, err)
	c, err := ledger.ParseCheckpoint(s.checkpoint(30), origin, verifier(t))
	require.NoError(t, err)
	sign := func(c ledger.Checkpoint, by note.Signer) []byte {
		text, err := ledger.SignCheckpoint(c, by)
		require.NoError(t, err)
		return text
	}
	good := s.request(20, 30)
	for name, row := range map[string]struct {
		change func(*Request)
		want   error
	}{
		"another log": {func(r *Request) {
			r.Checkpoint = bytes.Replace(r.Checkpoint, []byte("log.example"), []byte("gol.example"), 1)
		}, ErrUnknownLog},
		"another key":  {func(r *Request) { r.Checkpoint = sign(c, other) }, ErrUnsigned},
		"another root": {func(r *Request) { r.Checkpoint = bytes.Replace(r.Checkpoint, []byte("30\n"), []byte("31\n"), 1) }, ErrUnsigned},
		"no note":      {func(r *Request) { r.Checkpoint = []byte(origin + "\n30\n") }, ErrMalformed},
		"nothing":      {func(r *Request) { r.Checkpoint = nil }, ErrUnknownLog},
		"size beyond arithmetic": {func(r *Request) {
			r.Checkpoint = sign(ledger.Checkpoint{Origin: origin, Size: 1<<63 - 1, Root: c.Root}, logSigner())
		}, ErrMalformed},
		"smaller than old":        {func(r *Request) { *r = s.request(20, 20); r.Checkpoint = s.checkpoint(19) }, ErrMalformed},
		"no proof":                {func(r *Request) { r.Proof = nil }, ErrInconsistent},
		"long proof":              {func(r *Request) { r.Proof = append(r.Proof, r.Proof[0]) }, ErrInconsistent},
		"a fork":                  {func(r *Request) { *r = fork.request(20, 30) }, ErrInconsistent},
		"a fork of the same size": {func(r *Request) { *r = fork.request(20, 20) }, ErrInconsistent},
		"proof of the same size":  {func(r *Request) { p := r.Proof; *r = s.request(20, 20); r.Proof = p }, ErrInconsistent},
	} {
		r := good
		r.Proof = append(merkle.TreeProof(nil), good.Proof...)
		row.change(&r)
		_, err := w.Add(t.Context(), r)
		assert.ErrorIs(t, err, row.want, name)
	}
	line, err := w.Add(t.Context(), good)
	require.NoError(t, err, "nothing of this moved it")
	requireCosigned(t, good.Checkpoint, line)

	fresh := openWitness(t, filepath.Join(t.TempDir(), "fresh.db"))
	r := s.request(0, 20)
	r.Proof = good.Proof
	_, err = fresh.Add(t.Context(), r)
	assert.ErrorIs(t, err, ErrInconsistent, "a proof from the empty tree")
	_, err = fresh.Add(t.Context(), Request{Checkpoint: sign(ledger.Checkpoint{Origin: origin, Root: merkle.Hash{1}}, logSigner())})
	assert.ErrorIs(t, err, ErrInconsistent, "another root of the empty tree")
	latest, err := fresh.Latest(t.Context(), origin)
	assert.NoError(t, err)
	assert.Nil(t, latest)
}

func verifier(t testing.TB) note.Verifier {
	v, err := note.NewVerifier(logSigner().VerifierKey())
	require.NoError(t, err)
	return v
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestWitnessOnTheWeb(t *testing.T) {
	s, fork := growTrees(40, 0, ""), growTrees(50, 10, "fork")
	server := httptest.NewServer(openWitness(t, filepath.Join(t.TempDir(), "witness.db")))
	defer server.Close()
	post := func(body []byte) (int, string, string) {
		r, err := http.Post(server.URL+"/add-checkpoint", "", bytes.NewReader(body))
		require.NoError(t, err)
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(text), r.Header.Get("Content-Type")
	}
	hash := sha256.Sum256([]byte(origin))
	monitor := server.URL + "/" + hex.EncodeToString(hash[:]) + "/checkpoint"
	get := func(url string) (int, string) {
		r, err := http.Get(url)
		require.NoError(t, err)
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(text)
	}
	status, _ := get(monitor)
	assert.Equal(t, http.StatusNotFound, status)

	first := s.request(0, 20)
	status, line, _ := post(first.Marshal())
	require.Equal(t, http.StatusOK, status)
	requireCosigned(t, first.Checkpoint, []byte(line))
	assert.Equal(t, 1, strings.Count(line, "\n"))
	assert.True(t, strings.HasPrefix(line, "— witness.example/w1 "))
	status, text := get(monitor)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, string(first.Checkpoint)+line, text)

	status, text, kind := post(s.request(0, 30).Marshal())
	assert.Equal(t, http.StatusConflict, status)
	assert.Equal(t, "20\n", text)
	assert.Equal(t, "text/x.tlog.size", kind)
	for name, row := range map[string]struct {
		body   []byte
		status int
	}{
		"a fork":      {fork.request(20, 30).Marshal(), http.StatusUnprocessableEntity},
		"another log": {bytes.Replace(s.request(20, 30).Marshal(), []byte("log.example"), []byte("gol.example"), 1), http.StatusNotFound},
		"unsigned":    {bytes.Replace(s.request(20, 30).Marshal(), []byte("\n30\n"), []byte("\n31\n"), 1), http.StatusForbidden},
		"old > size":  {Request{Old: 20, Checkpoint: s.checkpoint(19)}.Marshal(), http.StatusBadRequest},
		"nothing":     {nil, http.StatusBadRequest},
		"endless":     {make([]byte, 1<<20), http.StatusBadRequest},
	} {
		status, _, _ := post(row.body)
		assert.Equal(t, row.status, status, name)
	}
	for path, want := range map[string]int{"/": 404, "/add-checkpoint": 405, "/checkpoint": 404, "/" + strings.Repeat("0", 64) + "/checkpoint": 404} {
		status, _ := get(server.URL + path)
		assert.Equal(t, want, status, path)
	}
}

// FuzzRequest: what is read is written again as it came.
func FuzzRequest(f *testing.F) {
	s := growTrees(8, 0, "")
	f.Add(s.request(0, 8).Marshal())
	f.Add(s.request(3, 8).Marshal())
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, body, r.Marshal())
		require.LessOrEqual(t, len(r.Proof), maxProof)
	})
}

// Anybody can put a line below a checkpoint that he brings: what a witness keeps and shows has none of strangers.
func TestWitnessKeepsNoStrangersLine(t *testing.T) {
	w, s := openWitness(t, filepath.Join(t.TempDir(), "witness.db")), growTrees(3, 3, "leaf")
	r := s.request(0, 3)
	alone := bytes.Clone(r.Checkpoint)
	r.Checkpoint = append(r.Checkpoint, "— stranger.example AAAAAAAAAAAAAAAA\n"...)
	line, err := w.Add(t.Context(), r)
	require.NoError(t, err)
	kept, err := w.Latest(t.Context(), origin)
	require.NoError(t, err)
	assert.Equal(t, string(alone)+string(line), string(kept))
}
