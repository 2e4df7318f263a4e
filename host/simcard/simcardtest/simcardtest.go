// Package simcardtest starts virtual cards with the applet for tests.
package simcardtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Start starts a runner of so many virtual cards and returns their addresses, for simcard.Dial. The options are those of
// scripts/virtual-card.sh. The cards go with the test's end, or with the function that is returned: their process is killed, as a crash
// would do it.
//
// Without Java, or before make build, the test is skipped; with PRODUCTID_REQUIRE=all it fails.
func Start(t testing.TB, cards int, options ...string) (addresses []string, kill func()) {
	t.Helper()
	addresses, kill, err := start(cards, options)
	if err != nil && os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatalf("the virtual card did not start: %v", err)
	}
	if err != nil {
		t.Skip("needs the virtual card: make build")
	}
	t.Cleanup(kill)
	return addresses, kill
}

func start(cards int, options []string) ([]string, func(), error) {
	script, err := find(filepath.Join("scripts", "virtual-card.sh"))
	if err != nil {
		return nil, nil, err
	}
	var endpoints []string
	for range cards {
		endpoints = append(endpoints, "--tcp", "127.0.0.1:0")
	}
	command := exec.Command(script, append(append(endpoints, "--until", "input-ends"), options...)...)
	if _, err := command.StdinPipe(); err != nil { // which ends with the test, however that ends
		return nil, nil, err
	}
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	kill := func() {
		_ = command.Process.Kill() // it runs until it is killed, or has ended
		_ = command.Wait()
	}
	addresses, err := readAddresses(out, cards)
	if err != nil {
		kill() // completes the complaint
		return nil, nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return addresses, kill, nil
}

func readAddresses(out io.Reader, cards int) ([]string, error) {
	var addresses []string
	for lines := bufio.NewReader(out); len(addresses) < cards; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, err
		}
		address, found := strings.CutPrefix(strings.TrimSpace(line), "ready tcp ")
		if !found {
			return nil, fmt.Errorf("it said %q", line)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// find finds a file of the source tree that the test runs in.
func find(name string) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return filepath.Join(folder, name), nil
		}
		if folder == filepath.Dir(folder) {
			return "", errors.New("the test does not run in the source tree")
		}
		folder = filepath.Dir(folder)
	}
}
