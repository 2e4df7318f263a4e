package browsertest

import (
	"bytes"
	"context"
	"os/exec"
	"strings"

	"github.com/chromedp/chromedp"
)

// QR returns what zbarimg, another's program, reads in the QR codes of the page as the screen shows it, a line each; "" if it reads
// none. The screen has one pixel where those of phones have four or nine.
func (tab *Tab) QR() string {
	tab.t.Helper()
	program, err := exec.LookPath("zbarimg")
	if err != nil {
		missing(tab.t, "no zbarimg here: scripts/setup.sh installs it")
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	const lossless = 100
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(lossless))
	tab.must("taking a screenshot", err)
	command := exec.CommandContext(ctx, program, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "png:-")
	command.Stdin = bytes.NewReader(picture)
	out, err := command.Output()
	const nothingFound = 4
	if command.ProcessState != nil && command.ProcessState.ExitCode() == nothingFound {
		return ""
	}
	tab.must("reading QR codes", err)
	return strings.TrimSuffix(string(out), "\n")
}
