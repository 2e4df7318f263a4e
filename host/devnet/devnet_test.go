package devnet_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
)

// grow waits until the network has confirmed some more milestones.
func grow(t *testing.T, n *devnet.Network, more uint32) devnet.Status {
	t.Helper()
	want := n.Status(t.Context()).Milestone + more
	var s devnet.Status
	require.Eventually(t, func() bool {
		s = n.Status(t.Context())
		return s.Milestone >= want
	}, 30*time.Second, 20*time.Millisecond, "no milestone %d", want)
	return s
}

// pids are the keeper, the nodes and the coordinator of a network that is up, in this order.
func pids(t *testing.T, n *devnet.Network) (all []int) {
	t.Helper()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(n.Dir, "processes.json"))
		require.NoError(t, err)
		all = nil
		for part := range strings.SplitSeq(string(text), `"pid": `) {
			var pid int
			if _, err := fmt.Sscanf(part, "%d", &pid); err == nil {
				all = append(all, pid)
			}
		}
		return len(all) == len(n.Nodes)+2
	}, 5*time.Second, time.Millisecond)
	return all
}

// gone says whether a process has ended; one that nobody has waited for yet has, too.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestNetworkComesUpAndGoesWithoutATrace(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	s := grow(t, n, 3)
	assert.True(t, s.Up)
	assert.Equal(t, devnet.StateRunning, s.Nodes[0].State)
	assert.Equal(t, devnet.StateRunning, s.Coordinator)
	assert.Regexp(t, `^devnet-[0-9a-f]{8}$`, n.Name)
	all := pids(t, n)

	require.NoError(t, n.Down())
	for _, pid := range all {
		assert.True(t, gone(pid), "process %d is left", pid)
	}
	for _, address := range []string{strings.TrimPrefix(n.Nodes[0].REST, "http://"), n.Nodes[0].INX} {
		_, err := net.Dial("tcp", address)
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	}
	s = n.Status(t.Context())
	assert.False(t, s.Up)
	assert.Contains(t, strings.Join(s.Advice, "\n"), "is not up")
	require.NoError(t, n.Down(), "what is down stays down")
}

func TestFundsAreOnTheFundingKey(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	key, err := os.ReadFile(filepath.Join(n.Dir, devnet.FundingKey))
	require.NoError(t, err)
	assert.Equal(t, hex.EncodeToString(n.Funding.Seed())+"\n", string(key))
	info, err := os.Stat(filepath.Join(n.Dir, devnet.FundingKey))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	// the first output of the genesis: transaction zero, index 0
	answer := get(t, n.Nodes[0].REST+"/api/core/v2/outputs/0x"+strings.Repeat("00", 34))
	assert.Contains(t, answer, `"amount":"2779530283277761"`)
	assert.Contains(t, answer, n.FundingAddress())
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", url, text)
	return string(text)
}

func TestMilestoneTimesAreTrueUnlessFast(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{})
	s := grow(t, n, 2)
	assert.WithinDuration(t, time.Now(), s.MilestoneTime, 2*time.Second)
	assert.NotContains(t, strings.Join(s.Advice, "\n"), "fast")
}

func TestNetworkIsFoundByItsFolder(t *testing.T) {
	t.Parallel()
	first := devnettest.ForTest(t, devnet.Options{Fast: true})
	second, err := devnet.Open(first.Dir)
	require.NoError(t, err)
	assert.Equal(t, first.Nodes, second.Nodes)
	assert.Equal(t, first.Funding, second.Funding)
	assert.Equal(t, first.Coordinator, second.Coordinator)
	before := grow(t, second, 1)

	// down by one, up by another: the network goes on where it ended, on the same ports
	require.NoError(t, second.Down())
	again := devnettest.ForTest(t, devnet.Options{Dir: first.Dir, Fast: true})
	assert.Equal(t, first.Nodes, again.Nodes)
	assert.Greater(t, again.Status(t.Context()).Milestone, before.Milestone)

	// up again where it is up changes nothing
	pid := again.Status(t.Context()).Nodes[0].PID
	devnettest.ForTest(t, devnet.Options{Dir: first.Dir, Fast: true})
	assert.Equal(t, pid, again.Status(t.Context()).Nodes[0].PID)
}

func TestKilledNodeIsLostAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Nodes: 3, Fast: true})
	grow(t, n, 2)
	for i := range n.Nodes { // also the one that the coordinator computes on
		require.NoError(t, n.Kill(i))
		s := n.Status(t.Context())
		assert.Equal(t, devnet.StateKilled, s.Nodes[i].State)
		assert.Contains(t, strings.Join(s.Advice, "\n"), fmt.Sprintf("node %d was killed, its database is lost: productid devnet up", i+1))
		grow(t, n, 5)

		require.NoError(t, n.Replace(i))
		s = n.Status(t.Context())
		assert.Equal(t, devnet.StateRunning, s.Nodes[i].State)
		grow(t, n, 2)
	}
}

func TestStoppedNodeIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Nodes: 3, Fast: true})
	require.NoError(t, n.Stop(1))
	s := n.Status(t.Context())
	assert.Equal(t, devnet.StateStopped, s.Nodes[1].State)
	assert.Contains(t, strings.Join(s.Advice, "\n"), "node 2 was stopped, its database is whole: productid devnet up")
	grow(t, n, 5)
	require.NoError(t, n.Start(1))
	assert.Equal(t, devnet.StateRunning, n.Status(t.Context()).Nodes[1].State)
}

func TestUpReplacesWhatWasKilled(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Nodes: 3, Fast: true})
	require.NoError(t, n.Kill(0))
	require.NoError(t, n.Stop(2))
	devnettest.ForTest(t, devnet.Options{Dir: n.Dir, Nodes: 3})
	for _, node := range n.Status(t.Context()).Nodes {
		assert.Equal(t, devnet.StateRunning, node.State, "node %d", node.Node)
	}
}

func TestNetworkOfOneIsLostWithItsNode(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	require.NoError(t, n.Kill(0))
	assert.Contains(t, strings.Join(n.Status(t.Context()).Advice, "\n"), "every node was killed")
	require.ErrorIs(t, n.Replace(0), devnet.ErrLost)
	_, err := devnet.Up(t.Context(), devnet.Options{Dir: n.Dir, Programs: devnettest.Programs(t), Bound: true})
	require.ErrorIs(t, err, devnet.ErrLost)
}

func TestCutNetworkHoldsPacketsBack(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Nodes: 3, Fast: true})
	if !n.Status(t.Context()).Own {
		require.ErrorIs(t, n.Cut(), devnet.ErrNoNamespace)
	}
	devnettest.Namespace(t, n)
	before := grow(t, n, 1)
	require.NoError(t, n.Cut())
	assert.True(t, n.Status(t.Context()).Cut)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Nodes[0].REST+"/api/core/v2/info", nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(r)
	require.ErrorIs(t, err, context.DeadlineExceeded, "nothing answers, and nothing refuses")

	require.NoError(t, n.Heal())
	s := grow(t, n, 3)
	assert.Greater(t, s.Milestone, before.Milestone)
	assert.False(t, s.Cut)
}

func TestNodesOpenNothingOutsideTheirNetwork(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	s := n.Status(t.Context())
	devnettest.Namespace(t, n)
	ours, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", s.Nodes[0].PID))
	require.NoError(t, err)
	assert.NotEqual(t, ours, theirs)
	interfaces, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", s.Nodes[0].PID))
	require.NoError(t, err)
	for line := range strings.Lines(string(interfaces)) {
		if name, _, is := strings.Cut(line, ":"); is {
			assert.Equal(t, "lo", strings.TrimSpace(name))
		}
	}
}

func TestKeeperThatDiesTakesTheNetworkAlong(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	all := pids(t, n)
	require.NoError(t, syscall.Kill(all[0], syscall.SIGKILL)) // the keeper comes first
	require.Eventually(t, func() bool { return !n.Status(t.Context()).Up }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, n.Down())
	for _, pid := range all[1:] {
		assert.True(t, gone(pid), "process %d is left", pid)
	}
	// its nodes were told in order: what they hold is whole
	devnettest.ForTest(t, devnet.Options{Dir: n.Dir})
}

func TestFolderOfSomethingElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	programs := devnettest.Programs(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "diary.txt"), nil, 0o600))
	_, err := devnet.Up(t.Context(), devnet.Options{Dir: dir, Programs: programs, Bound: true})
	require.ErrorIs(t, err, devnet.ErrForeign)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "network.json"), []byte(`{"version":1,"nodes":-1}`), 0o600))
	_, err = devnet.Open(dir)
	require.ErrorIs(t, err, devnet.ErrForeign)

	_, err = devnet.Open(filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, devnet.ErrNoNetwork)
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]devnet.Options{
		"two nodes":                    {Nodes: 2},
		"below a second but not fast":  {Milestone: 100 * time.Millisecond},
		"too fast":                     {Fast: true, Milestone: time.Millisecond},
		"fewer milestones than a node": {KeepMilestones: 10},
		"no folder":                    {},
	} {
		if name != "no folder" {
			o.Dir = filepath.Join(t.TempDir(), "devnet")
		}
		_, err := devnet.Up(t.Context(), o)
		require.Error(t, err, name)
		assert.NotErrorIs(t, err, devnet.ErrNotBuilt, name)
	}
	_, err := devnet.Up(t.Context(), devnet.Options{Dir: filepath.Join(t.TempDir(), "devnet"), Programs: t.TempDir()})
	require.ErrorIs(t, err, devnet.ErrNotBuilt)
}

// TestWithoutNamespaceItSaysSo: the keeper of this test may make none.
func TestWithoutNamespaceItSaysSo(t *testing.T) {
	t.Parallel()
	real, programs := devnettest.Programs(t), t.TempDir()
	for _, name := range []string{"hornet", "coordinator"} {
		require.NoError(t, os.Symlink(filepath.Join(real, name), filepath.Join(programs, name)))
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != probe ] || exit 1\nexec '%s/keeper' \"$@\"\n", real)
	require.NoError(t, os.WriteFile(filepath.Join(programs, "keeper"), []byte(script), 0o700))
	n := devnettest.ForTest(t, devnet.Options{Programs: programs, Fast: true})
	s := grow(t, n, 2)
	assert.False(t, s.Own)
	assert.Contains(t, strings.Join(s.Advice, "\n"), "the system allows no network namespace")
	require.ErrorIs(t, n.Cut(), devnet.ErrNoNamespace)
	grow(t, n, 2)
}

func TestUpFromTwoSidesMakesOneNetwork(t *testing.T) {
	t.Parallel()
	o := devnet.Options{Dir: filepath.Join(t.TempDir(), "devnet"), Fast: true, Programs: devnettest.Programs(t), Bound: true}
	names := make(chan string, 2)
	for range 2 {
		go func() {
			n, err := devnet.Up(t.Context(), o)
			if assert.NoError(t, err) {
				names <- fmt.Sprint(n.Name, n.Nodes, n.Status(t.Context()).Nodes[0].PID)
			} else {
				names <- ""
			}
		}()
	}
	assert.Equal(t, <-names, <-names)
	n, err := devnet.Open(o.Dir)
	require.NoError(t, err)
	require.NoError(t, n.Down())
}

func TestCoordinatorComesAgain(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	grow(t, n, 2)
	all := pids(t, n)
	require.NoError(t, syscall.Kill(all[len(all)-1], syscall.SIGKILL)) // the coordinator comes last
	grow(t, n, 10)
}

func TestNodeKilledByOthersIsSeenAsKilled(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Nodes: 3, Fast: true})
	require.NoError(t, syscall.Kill(n.Status(t.Context()).Nodes[1].PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return n.Status(t.Context()).Nodes[1].State == devnet.StateKilled }, 10*time.Second, 10*time.Millisecond)
	grow(t, n, 5)
}

func TestFolderWithALongNameWorks(t *testing.T) {
	t.Parallel()
	n := devnettest.ForTest(t, devnet.Options{Dir: filepath.Join(t.TempDir(), strings.Repeat("long", 50)), Fast: true})
	grow(t, n, 1)
}
