package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store/storetest"
)

func TestKilledAtEachPointNothingAcknowledgedIsLost(t *testing.T) {
	onBoth(t, killedAtEachPoint)
}

func killedAtEachPoint(t *testing.T, fresh func(testing.TB) string) {
	for _, point := range []string{PointBegun, PointApplied, PointCommitted, PointAnswered} {
		for _, passing := range []int{1, 2, 7} {
			t.Run(fmt.Sprintf("%s:%d", point, passing), func(t *testing.T) {
				path := fresh(t)
				a, err := runToEnd(t, childCommand(path, []string{
					envWriters + "=4", envEntries + "=50", fmt.Sprintf("%s=%s:%d", envDieAt, point, passing)}))
				require.ErrorContains(t, err, "signal: killed")
				requireNothingLost(t, path, a)
			})
		}
	}
}

func TestKilledAtRandomNothingAcknowledgedIsLost(t *testing.T) {
	onBoth(t, killedAtRandom)
}

func killedAtRandom(t *testing.T, fresh func(testing.TB) string) {
	const moments = 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := fresh(t)
	stored := 0
	for moment := range moments {
		early := moment%5 == 0 // while it opens the database, or before
		cmd := childCommand(path, []string{envWriters + "=8", envEntries + "=100000"})
		out := &storetest.Output{Answer: "stored "}
		cmd.Stdout = out
		require.NoError(t, cmd.Start())
		if !early {
			storetest.AwaitAnswer(t, out)
		}
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		a := parseAnswers(t, out)
		require.True(t, early || len(a["stored"]) > 0)
		stored += len(a["stored"])
		requireNothingLost(t, path, a)
	}
	t.Logf("%d acknowledged writes over %d kills", stored, moments)
}

func TestThirtyProcessesRacingOneNumber(t *testing.T) {
	onBoth(t, thirtyProcesses)
}

func thirtyProcesses(t *testing.T, fresh func(testing.TB) string) {
	const processes, numbers = 30, 20
	path := fresh(t) // all of them create it, too
	var mu sync.Mutex
	winners := map[int]int{}
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			a, err := runToEnd(t, childCommand(path, []string{envWriters + "=1", envEntries + fmt.Sprint("=", numbers), envRace + "=1"}))
			assert.NoError(t, err)
			assert.Len(t, append(a["stored"], a["taken"]...), numbers, "a refusal is the only other answer")
			mu.Lock()
			defer mu.Unlock()
			for _, e := range a["stored"] {
				winners[e.number]++
			}
		})
	}
	wg.Wait()
	require.Len(t, winners, numbers)
	for number, n := range winners {
		assert.Equal(t, 1, n, "winners of number %d", number)
	}
}

// walOf returns a file and its write-ahead log as a killed process left them,
// with n commits in the log.
func walOf(t *testing.T, n int) (file, wal []byte) {
	path := filepath.Join(t.TempDir(), "test.db")
	_, err := runToEnd(t, childCommand(path, []string{
		envWriters + "=1", envEntries + fmt.Sprint("=", n+1), fmt.Sprintf("%s=%s:%d", envDieAt, PointCommitted, n)}))
	var killed *exec.ExitError
	require.ErrorAs(t, err, &killed)
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	wal, err = os.ReadFile(path + "-wal")
	require.NoError(t, err)
	return file, wal
}

// entriesAfter opens a copy of a file with the log given and counts.
func entriesAfter(t *testing.T, file, wal []byte) int {
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	require.NoError(t, os.WriteFile(path+"-wal", wal, 0o600))
	db, err := Open(t.Context(), path, Options{Migrations: schema()})
	require.NoError(t, err)
	defer db.Close()
	return count(t, db, 0)
}

// The log's layout, sqlite.org/fileformat.html section 4.
const (
	walHeader   = 32
	frameHeader = 24
	pageSize    = 4096
	frame       = frameHeader + pageSize
)

func TestLogCutAnywhereOpensWithAPrefix(t *testing.T) {
	const commits = 10
	file, wal := walOf(t, commits)
	require.Zero(t, (len(wal)-walHeader)%frame)
	want := 0 // commits whose last frame lies before the cut
	for at := walHeader; at <= len(wal); at += frame {
		if at > walHeader && binary.BigEndian.Uint32(wal[at-frame+4:]) != 0 { // a commit frame
			if entriesAfter(t, file, wal[:at]) > want {
				want++
			}
		}
		for _, cut := range []int{at, at + 1, at + frameHeader - 1, at + frameHeader, at + 1237, at + frame - 1} {
			if cut <= len(wal) {
				require.Equal(t, want, entriesAfter(t, file, wal[:cut]), "cut at %d", cut)
			}
		}
	}
	require.Equal(t, commits, want)
	for _, cut := range []int{0, 1, walHeader - 1} {
		require.Zero(t, entriesAfter(t, file, wal[:cut]))
	}
}

func TestLogWithADamagedFrameOpensWithAPrefix(t *testing.T) {
	const commits = 10
	file, wal := walOf(t, commits)
	last := 0
	for at := walHeader; at < len(wal); at += frame {
		damaged := bytes.Clone(wal)
		damaged[at+frameHeader+999] ^= 1
		n := entriesAfter(t, file, damaged)
		require.GreaterOrEqual(t, n, last)
		last = n
	}
	require.Equal(t, commits-1, last)
}
