// Package devnettest gives tests a devnet of their own.
package devnettest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/productid/productid/host/devnet"
)

// ForTest brings up a network in a temporary folder, unless the options name one, and takes it down at the end of the test. It ends with
// the test process, however that ends. A test that fails shows the last of what the processes logged.
//
// Where the programs are not built the test is skipped; with PRODUCTID_REQUIRE=all it fails.
func ForTest(t testing.TB, o devnet.Options) *devnet.Network {
	t.Helper()
	if o.Programs == "" {
		o.Programs = Programs(t)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "devnet")
	}
	o.Bound = true
	t.Cleanup(func() {
		if t.Failed() {
			showLogs(t, o.Dir)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n, err := devnet.Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Namespace skips a test that cuts the network where the nodes share the machine's, and fails it under PRODUCTID_REQUIRE=all.
func Namespace(t testing.TB, n *devnet.Network) {
	t.Helper()
	if n.Status(t.Context()).Own {
		return
	}
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal("the nodes have no network namespace of their own")
	}
	t.Skip("needs a network namespace")
}

// Programs finds the programs of the source tree that the test runs in, and skips the test where they are not built.
func Programs(t testing.TB) string {
	t.Helper()
	module, err := sourceTree()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := devnet.Programs(module)
	if err == nil {
		return programs
	}
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal(err)
	}
	t.Skip("needs hornet and its coordinator: make devnet")
	return ""
}

// sourceTree finds scripts/devnet above the working folder, which in a test is the package's.
func sourceTree() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		module := filepath.Join(dir, "scripts", "devnet")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		if filepath.Dir(dir) == dir {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
}

func showLogs(t testing.TB, dir string) {
	const most = 8192
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Log(err)
	}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Log(err)
			continue
		}
		t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-most):])
	}
}
