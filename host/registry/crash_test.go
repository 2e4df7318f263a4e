//go:build unix

package registry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
)

// historyLedger returns the same ledger in every process: more than one batch of good and bad records.
func historyLedger(t require.TestingT) *ledger.Memory {
	l, choices := newLedger(t), rand.New(rand.NewPCG(1, 2))
	h := recordtest.History{Choose: choices.IntN}
	for range 300 {
		tell(t, l, h.Next())
	}
	return l
}

// Set in the child processes that these tests start: the registry file, and at which point to die (0: at none).
const (
	fileVariable  = "REGISTRY_TEST_FILE"
	pointVariable = "REGISTRY_TEST_POINT"
)

// TestMain runs the tests, or in a child process what the tests want of it.
func TestMain(m *testing.M) {
	if path := os.Getenv(fileVariable); path != "" {
		syncAndRebuild(child{}, path)
		return
	}
	os.Exit(m.Run())
}

// child ends the process where a test would fail.
type child struct{}

func (child) Errorf(format string, args ...any) { fmt.Printf(format, args...) }

func (child) FailNow() { os.Exit(1) }

func syncAndRebuild(t child, path string) {
	dieAt, err := strconv.Atoi(os.Getenv(pointVariable))
	require.NoError(t, err)
	var passed atomic.Int32
	r, err := registry.Open(context.Background(), path, registry.Options{
		Ledger: historyLedger(t), Master: master,
		Report: func(found registry.Tampered) { require.Fail(t, found.String()) },
		Hook: func(string) {
			if passed.Add(1) == int32(dieAt) {
				require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
				select {} // until the signal comes
			}
		},
	})
	require.NoError(t, err)
	require.NoError(t, r.Sync(context.Background()))
	require.NoError(t, r.Rebuild(context.Background()))
	require.NoError(t, r.Close())
}

// runChild reports whether the child was killed.
func runChild(t *testing.T, path string, dieAt int) bool {
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), fileVariable+"="+path, pointVariable+"="+strconv.Itoa(dieAt))
	output, err := process.CombinedOutput()
	if err == nil {
		return false
	}
	status, isStatus := process.ProcessState.Sys().(syscall.WaitStatus)
	if !assert.True(t, isStatus && status.Signal() == syscall.SIGKILL, "%s", output) {
		return false
	}
	return true
}

// Killed with -9 at each point that a write passes, a registry goes on where it was: nothing lost, nothing folded twice.
func TestKilledAtEveryPointOfASyncAndARebuild(t *testing.T) {
	onBoth(t, killedAtEveryPointOfASyncAndARebuild)
}

func killedAtEveryPointOfASyncAndARebuild(t *testing.T, fresh func(testing.TB) string) {
	l := historyLedger(t)
	want, ignored := folded(t, l)
	kills := 0
	for ; ; kills++ {
		path := fresh(t)
		if !runChild(t, path, kills+1) {
			break
		}
		r := open(t, l, path, func(found registry.Tampered) { t.Error(found) })
		require.NoError(t, r.Sync(context.Background()))
		assert.Equal(t, want, dump(t, r), "killed at point %d", kills+1)
		got, err := r.Ignored(context.Background())
		require.NoError(t, err)
		assert.Equal(t, ignored, got, "killed at point %d", kills+1)
		require.NoError(t, r.Close())
	}
	assert.GreaterOrEqual(t, kills, 10)
	t.Logf("killed at %d points", kills)
}

func TestManyProcessesSyncOneFile(t *testing.T) { onBoth(t, manyProcessesSyncOneFile) }

func manyProcessesSyncOneFile(t *testing.T, fresh func(testing.TB) string) {
	path := fresh(t)
	var children sync.WaitGroup
	for range 4 {
		children.Go(func() { assert.False(t, runChild(t, path, 0)) })
	}
	children.Wait()
	l := historyLedger(t)
	r := open(t, l, path, func(found registry.Tampered) { t.Error(found) })
	defer r.Close()
	want, ignored := folded(t, l)
	assert.Equal(t, want, dump(t, r))
	got, err := r.Ignored(context.Background())
	require.NoError(t, err)
	assert.Equal(t, ignored, got)
}
