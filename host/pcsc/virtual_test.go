//go:build cgo && linux

package pcsc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if virtual.started != nil {
		virtual.started.stop()
	}
	_ = os.RemoveAll(virtual.memories)
	os.Exit(code)
}

// virtual is the one reader of this test program: libpcsclite looks for its socket once in a process.
var virtual struct {
	once    sync.Once
	started *program
	err     error

	socket string // of its pcscd
	vpcd   string // where a card is put into it
	name   string

	memories string // folder with the memories of cards that were made, by algorithm
}

// program is a script of ours that runs beside the tests.
type program struct {
	command *exec.Cmd
	stdin   interface{ Close() error }
	lines   []string // that it began with
}

// run starts a script and reads so many lines.
func run(script string, lines int, args ...string) (*program, error) {
	p := &program{command: exec.Command("../../scripts/"+script, args...)}
	var complaint strings.Builder
	p.command.Stderr = &complaint
	stdin, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for reader := bufio.NewReader(out); len(p.lines) < lines; {
		line, err := reader.ReadString('\n')
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: %s", script, strings.TrimSpace(complaint.String()))
		}
		p.lines = append(p.lines, strings.TrimSpace(line))
	}
	return p, nil
}

// stop lets the script end what it started, and waits for that.
func (p *program) stop() {
	_ = p.stdin.Close()
	_ = p.command.Process.Signal(os.Interrupt)
	_ = p.command.Wait() // how it ended says nothing: it was told to
}

// needs leaves a test out for what this machine lacks, unless everything is required.
func needs(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatalf("needs %s: %v", what, err)
	}
	if err != nil {
		t.Skipf("needs %s: %v", what, err)
	}
}

// installed returns the path of a program.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	needs(t, name, err)
	return path
}

// startReader starts an empty reader on a pcscd of its own, once.
func startReader() {
	virtual.started, virtual.err = run("virtual-reader.sh", 3, "--private")
	if virtual.err != nil {
		return
	}
	for i, field := range []*string{&virtual.socket, &virtual.vpcd, &virtual.name} {
		_, *field, _ = strings.Cut(virtual.started.lines[i], " ")
	}
	virtual.err = os.Setenv("PCSCLITE_CSOCK_NAME", virtual.socket)
}

// insert puts a new card with our applet on the reader until the test ends. Without pcscd, or before make build, the test is skipped.
func insert(t *testing.T, options ...string) {
	t.Helper()
	t.Cleanup(put(t, options...))
}

// put is insert until the function that it returns is called.
func put(t *testing.T, options ...string) (remove func()) {
	t.Helper()
	virtual.once.Do(startReader)
	needs(t, "pcscd with vpcd", virtual.err)
	p, err := run("virtual-card.sh", 1, append([]string{"--vpcd", virtual.vpcd, "--until", "input-ends"}, options...)...)
	needs(t, "the virtual card", err)
	waitFor(t, true)
	return func() {
		_ = p.command.Process.Kill() // it runs until it is killed
		p.stop()
		waitFor(t, false)
	}
}

// insertMade inserts a locked card that has used up no number. Its key is made once for all tests: an RSA key takes seconds.
func insertMade(t *testing.T, a tap.Algorithm, options ...string) tap.Key {
	t.Helper()
	if virtual.memories == "" {
		folder, err := os.MkdirTemp("", "cards")
		require.NoError(t, err)
		virtual.memories = folder
	}
	memory := filepath.Join(virtual.memories, a.String())
	if _, err := os.Stat(memory); err != nil {
		remove := put(t, "--state", memory)
		c := open(t)
		makeCard(t, c, a, card.Profile{MaxRead: card.DefaultMaxRead})
		require.NoError(t, c.Close())
		remove()
	}
	content, err := os.ReadFile(memory)
	require.NoError(t, err)
	own := filepath.Join(t.TempDir(), "card")
	require.NoError(t, os.WriteFile(own, content, 0o600))
	insert(t, append([]string{"--state", own}, options...)...)
	c := open(t)
	client, err := card.Open(c)
	require.NoError(t, err)
	key, err := client.Key()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	return key
}

// waitFor waits until there is a card on the reader, or none.
func waitFor(t *testing.T, card bool) {
	t.Helper()
	present := func() bool {
		readers, err := pcsc.List()
		require.NoError(t, err)
		for _, r := range readers {
			if r.Name == virtual.name {
				return r.Present
			}
		}
		return false
	}
	const patience = time.Minute // a busy machine starts Java slowly
	for end := time.Now().Add(patience); present() != card; time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "the reader's card: want %t", card)
	}
}

// open connects to the card on the reader until the test ends or the card is closed.
func open(t *testing.T) *pcsc.Card {
	t.Helper()
	c, err := pcsc.Open(virtual.name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// makeCard makes a key on the card, writes template and profile and locks it.
func makeCard(t *testing.T, c *pcsc.Card, a tap.Algorithm, p card.Profile) tap.Key {
	t.Helper()
	client, err := card.Open(c)
	require.NoError(t, err)
	id, err := client.Generate(a)
	require.NoError(t, err)
	require.NoError(t, client.PutTemplate(tap.Template{Prefix: "https://tap.example.com/t?i=", Middle: "&c="}))
	require.NoError(t, client.PutProfile(p))
	require.NoError(t, client.Lock(id))
	key, err := client.Key()
	require.NoError(t, err)
	return key
}
