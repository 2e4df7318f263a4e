// Command productid makes, registers, reads and checks ProductID cards.
//
// This folder holds flags, wiring, signals and exit codes, one file per verb; what the verbs do is done by the rooms
// of host/ and pkg/.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/productid/productid/host/console"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(ctx)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // to die of it would leave a virtual card running
	out := output{os.Stdout, func() { cancel(errUnread) }}
	code := run(ctx, os.Args[1:], streams{os.Stdin, out, os.Stderr, os.Getenv})
	stop()
	os.Exit(int(code))
}

// errUnread ends a run whose output nobody reads any more, as in productid channel read … | head.
var errUnread = errors.New("nobody reads the output")

// output is standard output; unread is called when its reader has gone.
type output struct {
	file   *os.File
	unread func()
}

// Write writes to the file.
func (o output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.unread()
	}
	return n, err
}

// Fd lets one ask whether this is a terminal.
func (o output) Fd() uintptr { return o.file.Fd() }

// streams is the world a verb sees.
type streams struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
}

// run executes one command line and gives the code to exit with.
func run(ctx context.Context, args []string, s streams) console.Exit {
	a := &app{streams: s}
	a.console = a.openConsole()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if context.Cause(ctx) == errUnread {
		return console.Failure
	}
	if a.flags.json != a.console.JSON() { // the flags themselves were wrong, so configure did not come to it
		a.console = a.openConsole()
	}
	return a.console.Report(err)
}
