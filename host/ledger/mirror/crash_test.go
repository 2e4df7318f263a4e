package mirror

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
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

	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
)

// A child is this test binary started again to cosign and to be killed.
const (
	envWitness = "MIRROR_TEST_WITNESS"
	envDieAt   = "MIRROR_TEST_DIE_AT" // point:passing at which it kills itself
	envFork    = "MIRROR_TEST_FORK"
	envMirror  = "MIRROR_TEST_URL"
	envDir     = "MIRROR_TEST_DIR"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envWitness); path != "" {
		if err := cosignAll(path, os.Getenv(envFork)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if url := os.Getenv(envMirror); url != "" {
		m, err := Open(context.Background(), mirrorOptions(url, os.Getenv(envDir)))
		if err == nil {
			err = m.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
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

// TestKilledMirrorGoesOn: whenever it is killed, its copy is sound, and it is the log in
// the end. It is killed at each of its first requests, and a little later.
func TestKilledMirrorGoesOn(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	server, handler := serve(t, nil), tiles.NewHandler(l)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range 8 {
		extend(t, l, author(round), 200, "body")
		asked, reached := 0, make(chan struct{})
		var mu sync.Mutex
		server.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if asked++; asked == round+1 {
				close(reached)
			}
			mu.Unlock()
			handler.ServeHTTP(w, r)
		}))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), envMirror+"="+server.URL, envDir+"="+dir)
		require.NoError(t, cmd.Start())
		select {
		case <-reached:
		case <-time.After(2 * time.Minute):
			t.Fatal("it asks for nothing")
		}
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.ErrorContains(t, cmd.Wait(), "signal: killed")
		m := openMirror(t, server.URL, dir)
		report, err := m.Log().Check(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, report.Findings)
		require.NoError(t, m.Close())
	}
	m := openMirror(t, server.URL, dir)
	_, err := m.Sync(t.Context())
	require.NoError(t, err)
	assert.Equal(t, everything(t, l), everything(t, m.Log()))
}

// BenchmarkMirror copies a log of 20,000 messages over HTTP: tiles, leaves and payloads
// are read, every signature, proof and place is checked, everything is written.
func BenchmarkMirror(b *testing.B) {
	l := newLog(b)
	done := make(chan struct{})
	for n := range 100 {
		go func() { extend(b, l, author(n), 200, strings.Repeat("x", 300)); done <- struct{}{} }()
	}
	for range 100 {
		<-done
	}
	server := serve(b, tiles.NewHandler(l))
	for range b.N {
		m := openMirror(b, server.URL, b.TempDir())
		b.ResetTimer()
		c, err := m.Sync(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(c.Size)/b.Elapsed().Seconds(), "messages/s")
	}
}
