package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ledger"
)

// besideNetwork is a machine with a card on its reader and a log of its own, and a network.
func besideNetwork(t *testing.T) (n *devnet.Network, m machine, dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go (&cardServer{card: cardtest.New("acme-1")}).serve(l)
	dir = t.TempDir()
	return devnettest.ForTest(t, devnet.Options{Fast: true}), machine{t, dir, "sqlite:" + filepath.Join(dir, "ledger.db"), "sim:" + l.Addr().String()}, dir
}

// TestAnchoredOnStardust: a card's bundle shows, offline, that the log's checkpoint stands on a network, and an old copy of the log
// is found out by that network alone.
func TestAnchoredOnStardust(t *testing.T) {
	n, m, dir := besideNetwork(t)
	there := []string{"--anchor", "stardust:" + n.Nodes[0].REST + "?inx=" + n.Nodes[0].INX, "--funding-key", filepath.Join(n.Dir, devnet.FundingKey)}
	anchored := func(verb ...string) []string { return append(verb, there...) }

	out, _ := m.run(console.OK, "--json", "card", "personalise", "--yes", "--template", "https://tap.example.com/t")
	card := regexp.MustCompile(`"card":"(.{16})"`).FindStringSubmatch(out)[1]
	old := copyFile(t, filepath.Join(dir, "ledger.db"))
	out, _ = m.run(console.OK, "card", "read")
	m.run(console.OK, "tap", "update", regexp.MustCompile(`https://\S+`).FindString(out))

	file, policy := filepath.Join(dir, "card.bundle"), policyOf(t, m, n)
	m.run(console.OK, "bundle", "export", "-o", file, "--", card)
	out, _ = m.run(console.OK, "bundle", "verify", file, "--policy", policy)
	assert.Contains(t, out, ", final\n")

	_, talk := m.run(console.Failure, "bundle", "export", "--phase", "anchored", "--", card)
	assert.Contains(t, talk, "productid ledger anchor")
	final := len(copyFile(t, file))
	begin := time.Now()
	out, _ = m.run(console.OK, anchored("ledger", "anchor")...)
	took := time.Since(begin)
	assert.Contains(t, out, "4 messages, by message 0 of channel")
	out, _ = m.run(console.OK, "ledger", "info")
	assert.Regexp(t, `anchored +4 messages, by message 0 of channel .{43} there`, out)
	out, _ = m.run(console.OK, anchored("ledger", "verify")...)
	assert.Contains(t, out, "it begins with all 1 checkpoints that "+n.Name+" has of it")
	require.NoError(t, os.Remove(file))
	m.run(console.OK, "bundle", "export", "-o", file, "--", card)
	out, _ = m.run(console.OK, "bundle", "verify", file, "--policy", policy)
	assert.Contains(t, out, ", anchored\n")
	t.Logf("anchored in %s, with the opening of the archive; the bundle grew from %d to %d bytes", took, final, len(copyFile(t, file)))
	assert.Contains(t, out, n.Name+" recorded the checkpoint at ")
	verifyInPython(t, file, policy)

	// What was not anchored yet is in no bundle that says so.
	out, _ = m.run(console.OK, "card", "read")
	m.run(console.OK, "tap", "update", regexp.MustCompile(`https://\S+`).FindString(out))
	require.NoError(t, os.Remove(file))
	m.run(console.OK, "bundle", "export", "-o", file, "--", card)
	out, _ = m.run(console.OK, "bundle", "verify", file, "--policy", policy)
	assert.Contains(t, out, ", final\n")

	// An old copy is put back, together with everything that remembers on this machine.
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm", "registry.db", "registry.db-wal", "registry.db-shm", "state"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.db"), old, 0o600))
	m.run(console.OK, "ledger", "recover", "--adopt", "--yes")
	m.run(console.OK, "ledger", "verify")
	out, _ = m.run(console.No, anchored("ledger", "verify")...)
	assert.Contains(t, out, "it holds 3 messages and held 4")
	for _, verb := range [][]string{{"ledger", "anchor"}, {"ledger", "serve", "--listen", "127.0.0.1:0"}} {
		_, talk := m.run(console.Failure, anchored(verb...)...)
		assert.Contains(t, talk, "the ledger is shorter than it was")
		assert.Contains(t, talk, "productid ledger recover")
	}
}

// TestServeAnchorsWhatIsWritten: whoever writes meanwhile has it anchored, and a network that is away stops nothing.
func TestServeAnchorsWhatIsWritten(t *testing.T) {
	n, m, _ := besideNetwork(t)
	m.run(console.OK, "card", "personalise", "--yes", "--template", "https://tap.example.com/t")

	serve := func(where string) []string {
		return []string{"ledger", "serve", "--listen", "127.0.0.1:0", "--anchor", where, "--funding-key", filepath.Join(n.Dir, devnet.FundingKey)}
	}
	m.until(serve("stardust:http://127.0.0.1:1?inx=127.0.0.1:1"), func(said string) bool {
		return strings.Contains(said, "anchor cannot be reached") && strings.Contains(said, "; going on") && strings.Contains(said, "serving  ")
	})
	there := "stardust:" + n.Nodes[0].REST + "?inx=" + n.Nodes[0].INX
	info := func() string { out, _ := m.run(console.OK, "ledger", "info"); return out }
	require.NotContains(t, info(), "anchored")
	m.until(serve(there), func(string) bool { return strings.Contains(info(), "3 messages, by message 0") })
	out, _ := m.run(console.OK, "card", "read")
	written := false
	m.until(serve(there), func(said string) bool {
		if !written {
			m.run(console.OK, "tap", "update", regexp.MustCompile(`https://\S+`).FindString(out))
			written = true
		}
		return strings.Contains(info(), "4 messages, by message 1") && strings.Contains(said, "checkpoints are anchored on channel")
	})
}

// until runs a command line that goes on until it is interrupted, which is when done says so of all that it said so far.
func (m machine) until(args []string, done func(said string) bool) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	said, ended := &shared{}, make(chan console.Exit, 1)
	go func() {
		args := append([]string{"--data", m.data, "--ledger", m.database}, args...)
		ended <- run(ctx, args, streams{strings.NewReader(""), said, said, func(name string) string {
			return map[string]string{"XDG_STATE_HOME": filepath.Join(m.data, "state")}[name]
		}})
	}()
	for ctx.Err() == nil && !done(said.String()) {
		time.Sleep(50 * time.Millisecond)
	}
	require.NoError(m.t, ctx.Err(), said.String())
	cancel()
	require.Equal(m.t, console.OK, <-ended, said.String())
}

// shared is a buffer that one goroutine writes and another reads.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// verifyInPython asks the second verifier, where it can run.
func verifyInPython(t *testing.T, file, policy string) {
	if exec.Command("python3", "-c", "import cryptography").Run() != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatal("no Python 3 with the package cryptography")
		}
		t.Log("no Python 3 with the package cryptography: the second verifier was not asked")
		return
	}
	out, err := exec.Command("python3", "../../scripts/verify_bundle.py", "--policy", policy, file).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), `"anchored"`)
}

func copyFile(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// policyOf trusts the installation's log and the network's coordinator.
func policyOf(t *testing.T, m machine, n *devnet.Network) string {
	out, _ := m.run(console.OK, "--json", "ledger", "info")
	var info ledger.Info
	require.NoError(t, json.Unmarshal([]byte(out), &info))
	c := ledger.Coordinator{Network: n.Name, Threshold: len(n.Coordinator)}
	for _, key := range n.Coordinator {
		c.Keys = append(c.Keys, hex.EncodeToString(key))
	}
	text, err := json.Marshal(ledger.Policy{Logs: []ledger.LogKey{{Origin: info.Origin, Key: info.VerifierKey}}, Coordinators: []ledger.Coordinator{c}})
	require.NoError(t, err)
	path := filepath.Join(m.data, "policy.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}
