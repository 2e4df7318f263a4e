package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/pcsc"
)

// virtualCard is a virtual card that runs beside the program.
type virtualCard struct {
	reader string // how --reader names it
	words  string // how it is reached, for people
	close  func()
}

// exitNoPCSC is how virtual-reader.sh ends where pcscd cannot run.
const exitNoPCSC = 3

// startVirtual starts a virtual card: in a PC/SC reader where pcscd can run, else over TCP.
func (a *app) startVirtual(ctx context.Context) (virtualCard, error) {
	if _, err := pcsc.List(); errors.Is(err, pcsc.ErrUnsupported) {
		return a.insteadOfPCSC(ctx, err.Error())
	}
	line, stop, err := a.startScript(ctx, "virtual-reader.sh")
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitNoPCSC {
		return a.insteadOfPCSC(ctx, firstLine(exit.Stderr))
	}
	if err != nil {
		return virtualCard{}, err
	}
	name, ok := strings.CutPrefix(line, "reader ")
	if !ok {
		stop()
		return virtualCard{}, fmt.Errorf("starting the virtual reader: it says %q", console.Clean(line))
	}
	return virtualCard{reader: "pcsc:" + name, words: "PC/SC reader " + name + " (pcscd, vpcd), virtual card", close: stop}, nil
}

func (a *app) insteadOfPCSC(ctx context.Context, why string) (virtualCard, error) {
	a.console.Say("no PC/SC here (%s): the virtual card is reached over TCP", why)
	return a.startTCP(ctx)
}

// startTCP starts a virtual card without a reader, with further options of its own.
func (a *app) startTCP(ctx context.Context, options ...string) (virtualCard, error) {
	line, stop, err := a.startScript(ctx, "virtual-card.sh", append([]string{"--tcp", "127.0.0.1:0", "--until", "input-ends"}, options...)...)
	if err != nil {
		return virtualCard{}, err
	}
	address, ok := strings.CutPrefix(line, "ready tcp ")
	if !ok {
		stop()
		return virtualCard{}, fmt.Errorf("starting the virtual card: it says %q", console.Clean(line))
	}
	return virtualCard{reader: "sim:" + address, words: "virtual card over TCP " + address, close: stop}, nil
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return console.Clean(line)
}

// startScript runs one of our scripts and waits for its first line. The script ends with its standard input.
func (a *app) startScript(ctx context.Context, name string, args ...string) (string, func(), error) {
	path, err := a.scriptPath(name)
	if err != nil {
		return "", nil, err
	}
	var talk tail
	cmd := exec.Command(path, args...)
	cmd.Env = withoutKey(cmd.Environ())
	cmd.Stderr = &talk
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, fmt.Errorf("starting %s: %w", name, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, fmt.Errorf("starting %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("starting %s: %w", name, err)
	}
	stop := stopper(cmd, stdin)
	defer context.AfterFunc(ctx, stop)()
	output := bufio.NewReader(stdout)
	line, err := output.ReadString('\n')
	if err == nil {
		go io.Copy(io.Discard, output) // what it says later interests nobody, and must not block it
		return strings.TrimSpace(line), stop, nil
	}
	failed := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](failed); ok {
		exit.Stderr = talk.text
	}
	if err := ctx.Err(); err != nil {
		return "", nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return "", nil, &console.Problem{Code: "no_virtual_card", What: "starting " + name, Why: firstLine(talk.text), Exit: console.Reader,
		Next: "make build compiles the virtual card, make demo also installs what it needs; or give --reader", Cause: failed}
}

// stopper ends a script in order: its input closes, it is told, and killed if it stays.
func stopper(cmd *exec.Cmd, stdin io.Closer) func() {
	const patience = 5 * time.Second
	cmd.WaitDelay = patience
	return sync.OnceFunc(func() {
		stdin.Close()
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer kill.Stop()
		cmd.Wait() // how it ended says nothing: it was told to
	})
}

// scriptPath finds a script of the source tree: in the folder that PRODUCTID_SCRIPTS names, else from beside the binary.
// The working folder is not looked at: what lies there is whoever's.
func (a *app) scriptPath(name string) (string, error) {
	folder := a.scripts()
	path := filepath.Join(folder, name)
	if info, err := os.Stat(path); folder != "" && err == nil && info.Mode().IsRegular() {
		return filepath.Abs(path)
	}
	return "", &console.Problem{Code: "no_scripts", What: "starting the virtual card", Why: name + " is not beside this program",
		Next: "make demo in the source tree runs it, or PRODUCTID_SCRIPTS names its folder scripts; or give --reader", Exit: console.Reader}
}

// scripts is where the scripts should be; empty when nothing tells.
func (a *app) scripts() string {
	folder := a.env(variable("scripts"))
	if self, err := os.Executable(); folder == "" && err == nil {
		folder = filepath.Join(filepath.Dir(self), "..", "scripts")
	}
	return folder
}

// tail keeps the last of what a script says, to tell why it failed. It is read after the script ended.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4096
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(p), nil
}
