package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"productid": main, "productid-get": get})
}

// TestScripts runs the command line as its users do, without hardware: the card is one in software, over TCP.
func TestScripts(t *testing.T) {
	vectors, err := filepath.Abs("../../testdata/vectors")
	require.NoError(t, err)
	scripts, err := filepath.Abs("../../scripts")
	require.NoError(t, err)
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("VECTORS", vectors)
			e.Setenv("SCRIPTS", scripts)
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Values[onReaders] = map[string]*cardServer{}
			e.Defer(func() { endDevnet(e.WorkDir) })
			return nil
		},
		Condition: func(name string) (bool, error) {
			_, err := devnet.Programs(filepath.Join(scripts, "devnet"))
			return err == nil || os.Getenv("PRODUCTID_REQUIRE") == "all", nil // [devnet] is the only one
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "card": putCard, "exhaust": exhaust, "let": let, "alter": alter, "port": port, "await": await, "reaches": reaches},
	})
}

// endDevnet stops the network that a script left running.
func endDevnet(work string) {
	if n, err := devnet.Open(filepath.Join(work, "productid-data", "devnet")); err == nil {
		n.Down() // a script that failed says so itself
	}
}

// exits runs a program and wants one exit code: exits 3 productid tap verify …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	code := "0"
	err := ts.Exec(args[1], args[2:]...)
	if e, ok := err.(*exec.ExitError); ok {
		code = strings.TrimPrefix(e.Error(), "exit status ")
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// putCard is the command card: it puts a card from the factory on a reader: PRODUCTID_READER names it from then on. With lacks-rsa2048
// it is one that makes no such keys.
func putCard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && (len(args) != 2 || args[1] != "lacks-rsa2048") {
		ts.Fatalf("usage: card NAME [lacks-rsa2048]")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	server := &cardServer{card: cardtest.New(args[0])}
	if len(args) == 2 {
		server.card.Lacks = []tap.Algorithm{tap.RSA2048}
	}
	go server.serve(l)
	reader := "sim:" + l.Addr().String()
	ts.Setenv("PRODUCTID_READER", reader)
	ts.Value(onReaders).(map[string]*cardServer)[reader] = server
}

// onReaders names the cards of a script by their readers.
type readerKey struct{}

var onReaders readerKey

// exhaust is the command exhaust: the card on the reader comes to the end of its counter.
func exhaust(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: exhaust")
	}
	server := ts.Value(onReaders).(map[string]*cardServer)[ts.Getenv("PRODUCTID_READER")]
	server.mu.Lock()
	defer server.mu.Unlock()
	server.card.Soft.Counter = server.card.CounterMax
}

// let sets a variable to what the first group of a pattern finds in the last output, or in a file: let URL 'url":"(.*)"' [FILE]
func let(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: let VARIABLE PATTERN [FILE]")
	}
	file := "stdout"
	if len(args) > 2 {
		file = args[2]
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(file))
	if len(found) < 2 {
		ts.Fatalf("%s does not hold %s", file, args[1])
	}
	ts.Setenv(args[0], found[1])
}

// alter replaces bytes of a file by as many others, as somebody would who can write it: alter FILE OLD NEW
func alter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || len(args[1]) != len(args[2]) {
		ts.Fatalf("usage: alter FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	before, err := os.ReadFile(path)
	ts.Check(err)
	after := bytes.ReplaceAll(before, []byte(args[1]), []byte(args[2]))
	if bytes.Equal(before, after) {
		ts.Fatalf("%s does not hold %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, after, 0o600))
}
