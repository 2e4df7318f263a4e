package mirror

import (
	"bufio"
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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
)

const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az" // for tests alone
)

// A child is this test binary started again to cosign and to be killed.
const (
	envWitness = "MIRROR_TEST_WITNESS"
	envDieAt   = "MIRROR_TEST_DIE_AT" // point:passing at which it kills itself
	envFork    = "MIRROR_TEST_FORK"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envWitness); path != "" {
		if err := cosignAll(path, os.Getenv(envFork)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

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

// TestRacingForksNeverBothCosigned: many at once, over two witnesses on one file,
// offer two histories. What is cosigned is one of them.
func TestRacingForksNeverBothCosigned(t *testing.T) {
	const size, racers = 60, 16
	path := filepath.Join(t.TempDir(), "witness.db")
	witnesses := []*Witness{openWitness(t, path), openWitness(t, path)}
	forks := []trees{growTrees(size, 5, "one"), growTrees(size, 5, "two")}
	var mu sync.Mutex
	cosigned := map[uint64]map[string]bool{}
	var wait sync.WaitGroup
	for racer := range racers {
		wait.Go(func() {
			w, s := witnesses[racer%2], forks[racer/2%2]
			var old uint64
			for newer := uint64(1); newer <= size; {
				r := s.request(old, newer)
				_, err := w.Add(context.Background(), r)
				conflict, conflicts := errors.AsType[*Conflict](err)
				switch {
				case err == nil:
					mu.Lock()
					if cosigned[newer] == nil {
						cosigned[newer] = map[string]bool{}
					}
					cosigned[newer][string(r.Checkpoint)] = true
					mu.Unlock()
					old, newer = newer, newer+1
				case conflicts:
					assert.GreaterOrEqual(t, conflict.Size, old, "it went back")
					old, newer = conflict.Size, max(newer, conflict.Size+1)
				default:
					assert.ErrorIs(t, err, ErrInconsistent)
					return
				}
			}
		})
	}
	wait.Wait()
	last, err := ledger.ParseCheckpoint(latest(t, witnesses[0]), origin, verifier(t))
	require.NoError(t, err)
	winner := forks[0]
	if string(winner.checkpoint(last.Size)) != string(bareCheckpoint(t, witnesses[0])) {
		winner = forks[1]
	}
	for n, texts := range cosigned {
		require.Len(t, texts, 1, "two roots of size %d", n)
		require.True(t, texts[string(winner.checkpoint(n))], "size %d is of the other history", n)
	}
	require.EqualValues(t, size, last.Size)
}

func latest(t testing.TB, w *Witness) []byte {
	text, err := w.Latest(context.Background(), origin)
	require.NoError(t, err)
	return text
}

// bareCheckpoint is the witness's newest without its own signature.
func bareCheckpoint(t testing.TB, w *Witness) []byte {
	text := latest(t, w)
	return text[:bytes.LastIndex(text[:len(text)-1], []byte("\n"))+1]
}

// cosignAll is the child: it cosigns one size after the other and tells of each.
func cosignAll(path, kind string) error {
	point, passing, _ := strings.Cut(os.Getenv(envDieAt), ":")
	var n int
	fmt.Sscan(passing, &n)
	hook := func(at string) {
		if at != point {
			return
		}
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	ctx := context.Background()
	w, err := OpenWitness(ctx, path, WitnessOptions{Logs: []ledger.LogKey{logKey()}, Signer: witnessSigner(), Now: time.Now, Hook: hook})
	if err != nil {
		return err
	}
	s := growTrees(200, 5, kind)
	var old uint64
	for size := uint64(1); size <= 200; size++ {
		r := s.request(old, size)
		if _, err := w.Add(ctx, r); err != nil {
			return err
		}
		old = size
		fmt.Printf("cosigned %d %x\n", size, sha256.Sum256(r.Checkpoint))
	}
	return w.Close()
}

// TestKilledWitnessForgetsNothingItSigned: whatever left it before it was killed,
// it is not behind, and no other history gets its word.
func TestKilledWitnessForgetsNothingItSigned(t *testing.T) {
	s, fork := growTrees(200, 5, "one"), growTrees(200, 5, "two")
	for _, point := range []string{store.PointBegun, store.PointApplied, store.PointCommitted} {
		for _, passing := range []int{9, 60} {
			path := filepath.Join(t.TempDir(), "witness.db")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), envWitness+"="+path, envFork+"=one", fmt.Sprintf("%s=%s:%d", envDieAt, point, passing))
			out, err := cmd.Output()
			require.ErrorContains(t, err, "signal: killed")
			var signed uint64
			for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
				_, err := fmt.Sscanf(lines.Text(), "cosigned %d", &signed)
				require.NoError(t, err)
			}
			require.NotZero(t, signed)
			w := openWitness(t, path)
			c, err := ledger.ParseCheckpoint(latest(t, w), origin, verifier(t))
			require.NoError(t, err)
			require.GreaterOrEqual(t, c.Size, signed, "it forgot what it signed")
			require.LessOrEqual(t, c.Size, signed+1)
			_, err = w.Add(t.Context(), fork.request(c.Size, 200))
			require.ErrorIs(t, err, ErrInconsistent)
			_, err = w.Add(t.Context(), s.request(c.Size, 200))
			require.NoError(t, err)
		}
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
