// Package browsertest drives a real browser in tests: Debian's Chromium, headless, with a virtual authenticator for passkeys, looked
// over by axe-core, its QR codes read by zbarimg, with screenshots kept for people's eyes.
//
// A test without Chromium, axe-core or zbarimg on its machine skips with one line; under PRODUCTID_REQUIRE=all it fails. scripts/setup.sh
// installs them. Screenshots go to the folder that PRODUCTID_SCREENSHOTS names, else nowhere. PRODUCTID_BROWSER=off leaves these tests
// to another run, because a browser sees nothing of how a program was built.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for a page before it fails: a busy machine is slow, and a right page comes at all.
const patience = 30 * time.Second

// axeFile is where scripts/setup.sh puts axe-core, below the user's cache folder.
const axeFile = "productid/axe-core-4.11.0/axe.min.js"

// Browser is a running Chromium. Its tabs share nothing: each is another person at another device.
type Browser struct {
	ctx context.Context
	axe string
}

// Open starts the browser; it ends with the test.
func Open(t testing.TB) *Browser {
	t.Helper()
	if os.Getenv("PRODUCTID_BROWSER") == "off" {
		t.Skip("PRODUCTID_BROWSER=off: left to another run")
	}
	path := program(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("hide-scrollbars", true),
	)
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, _ = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		ending, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_ = chromedp.Cancel(ending) // a browser that does not end in order is killed with its context
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return &Browser{ctx, axe(t)}
}

// program finds Chromium.
func program(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "no Chromium here: scripts/setup.sh installs it")
	return ""
}

// axe reads axe-core.
func axe(t testing.TB) string {
	t.Helper()
	folder, err := os.UserCacheDir()
	if err == nil {
		var text []byte
		if text, err = os.ReadFile(filepath.Join(folder, axeFile)); err == nil {
			return string(text)
		}
	}
	missing(t, "no axe-core here: scripts/setup.sh installs it")
	return ""
}

// missing skips the test, or fails it where everything has to be there.
func missing(t testing.TB, what string) {
	t.Helper()
	if strings.Contains(os.Getenv("PRODUCTID_REQUIRE"), "all") {
		t.Fatal(what)
	}
	t.Skip(what)
}
