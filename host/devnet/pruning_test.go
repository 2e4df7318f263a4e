package devnet_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
)

// pruning is a network whose nodes remember some three seconds: time enough for a new node to start.
func pruning(o devnet.Options) devnet.Options {
	o.Nodes, o.Fast, o.Milestone, o.KeepMilestones = 3, true, 50*time.Millisecond, 50
	return o
}

func TestPruningNodeKeepsItsHead(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, pruning(devnet.Options{}))
	require.Eventually(t, func() bool { return n.Status(t.Context()).Nodes[0].Pruned > 10 }, time.Minute, 50*time.Millisecond)
	r, err := http.Get(n.Nodes[0].REST + "/api/core/v2/milestones/by-index/2")
	require.NoError(t, err)
	r.Body.Close()
	assert.Equal(t, http.StatusNotFound, r.StatusCode)

	// nobody has the first milestones any more: a new node begins with a snapshot of the others
	require.NoError(t, n.Kill(2))
	require.NoError(t, n.Replace(2))
	assert.Equal(t, devnet.StateRunning, n.Status(t.Context()).Nodes[2].State)
}

// pruned waits until the first two nodes keep a milestone no more.
func pruned(t *testing.T, n *devnet.Network, milestone uint32) {
	t.Helper()
	require.Eventually(t, func() bool {
		s := n.Status(t.Context())
		return min(s.Nodes[0].Pruned, s.Nodes[1].Pruned) > milestone
	}, time.Minute, 20*time.Millisecond)
}

// TestReplacementThatStartsTooLateIsBegunAnew: what it was given to begin with is pruned everywhere before it runs.
func TestReplacementThatStartsTooLateIsBegunAnew(t *testing.T) {
	t.Parallel()
	real, programs := devnettest.Programs(t), t.TempDir()
	for _, name := range []string{"keeper", "coordinator"} {
		require.NoError(t, os.Symlink(filepath.Join(real, name), filepath.Join(programs, name)))
	}
	script := fmt.Sprintf("#!/bin/sh\nwhile [ -e wait ]; do echo waits >waiting; sleep 0.02; done\nexec '%s/hornet' \"$@\"\n", real)
	require.NoError(t, os.WriteFile(filepath.Join(programs, "hornet"), []byte(script), 0o700))
	n := devnettest.ForTest(t, pruning(devnet.Options{Programs: programs}))
	pruned(t, n, 10)

	require.NoError(t, n.Kill(2))
	node := filepath.Join(n.Dir, "node-3")
	require.NoError(t, os.WriteFile(filepath.Join(node, "wait"), nil, 0o600))
	require.NoError(t, os.Remove(node+".log"))
	replaced := make(chan error, 1)
	go func() { replaced <- n.Replace(2) }()
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(node, "waiting")); return err == nil }, time.Minute, 5*time.Millisecond)
	pruned(t, n, n.Status(t.Context()).Milestone) // whatever snapshot it was given is older
	require.NoError(t, os.Remove(filepath.Join(node, "wait")))
	require.NoError(t, <-replaced)
	assert.Equal(t, devnet.StateRunning, n.Status(t.Context()).Nodes[2].State)
	log, err := os.ReadFile(node + ".log")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, strings.Count(string(log), "Starting HORNET"), 2)
}

// TestNodeThatWasAwayTooLongIsMadeAnewByUp: it was stopped in order, but nobody keeps what it lacks.
func TestNodeThatWasAwayTooLongIsMadeAnewByUp(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, pruning(devnet.Options{}))
	pruned(t, n, 1)
	require.NoError(t, n.Stop(2))
	pruned(t, n, n.Status(t.Context()).Milestone)
	require.ErrorIs(t, n.Start(2), devnet.ErrLeftBehind)
	devnettest.ForTest(t, devnet.Options{Dir: n.Dir, Nodes: 3})
	assert.Equal(t, devnet.StateRunning, n.Status(t.Context()).Nodes[2].State)
}
