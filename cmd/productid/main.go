// Command productid makes, registers, reads and checks ProductID cards.
//
// This folder holds flags, wiring, signals and exit codes, one file per verb; what the verbs do is done by the rooms
// of host/ and pkg/.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/productid/productid/host/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv})
	stop()
	os.Exit(int(code))
}

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
	if a.flags.json != a.console.JSON() { // the flags themselves were wrong, so configure did not come to it
		a.console = a.openConsole()
	}
	return a.console.Report(err)
}
