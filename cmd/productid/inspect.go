package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) inspect() *cobra.Command {
	var trust trustFlags
	c := &cobra.Command{
		Use: "inspect TEXT|FILE|-", Short: "Say in words what something is, and whether it holds",
		Long: `Takes a tap URL, a card id, a channel, a capability, a receipt, a bundle, a proof, a checkpoint, a record, a message, an APDU, an
NDEF message, a GS1 Digital Link or a number of GS1 such as a GTIN (bytes in hex, base64url or as a file), and says what it is, what
stands in it and whether it holds. Where a data folder is at hand its ledger is asked. Exit code 3 when it does not hold or is nothing known.`,
		Example: `  productid inspect 'https://tap.example.com/t?i=…&c=…&s=…'
  productid inspect 9520123456788
  productid inspect 00A4040007D276000085010100`,
		Args: arguments(1, 1, "one text, file or -"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := a.textOrFile(args[0])
			if err != nil {
				return fmt.Errorf("reading what to inspect: %w", err)
			}
			in := &inspector{ctx: c.Context(), app: a, trust: trust}
			f, ok := in.look(text)
			if !ok {
				return &console.Problem{Code: "unknown_input", What: "inspecting the text", Exit: console.No,
					Why:  "malformed: it is nothing that productid knows",
					Next: "productid inspect --help lists what it knows; look for a missing or an added character"}
			}
			return a.answerFinding(f)
		},
	}
	trust.declare(c)
	return c
}

// textOrFile is the argument itself, or what stands in the file of that name.
func (a *app) textOrFile(arg string) ([]byte, error) {
	if arg == "-" {
		return a.readAtMost(arg, bundle.MaxSize+1)
	}
	info, err := os.Stat(arg)
	if err != nil || info.IsDir() {
		return []byte(arg), nil
	}
	return a.readAtMost(arg, bundle.MaxSize+1)
}

// The three answers to whether something holds.
const (
	holdsYes     = "yes"
	holdsNo      = "no"
	holdsUnknown = "unknown" // its form is right, and nothing here can check more
)

// finding is what something turned out to be.
type finding struct {
	Kind  string `json:"kind"`
	Holds string `json:"holds"`
	Why   string `json:"why"`
	Facts []fact `json:"facts"`
}

type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// add notes a fact that is not empty.
func (f *finding) add(name, value string) {
	if value != "" {
		f.Facts = append(f.Facts, fact{name, value})
	}
}

// refuse is a finding of something that does not hold.
func refuse(kind string, class string, err error) finding {
	why := err.Error()
	if class != "" && !strings.Contains(why, class) {
		why = class + ": " + why
	}
	return finding{Kind: kind, Holds: holdsNo, Why: why, Facts: []fact{}}
}

func (a *app) answerFinding(f finding) error {
	err := a.console.Answer(f, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n", f.Kind)
		pairs := []string{"holds", f.Holds + ": " + f.Why}
		for _, fact := range f.Facts {
			pairs = append(pairs, fact.Name, fact.Value)
		}
		console.Fields(w, pairs...)
	})
	if err == nil && f.Holds == holdsNo {
		return console.Answered{Exit: console.No}
	}
	return err
}

// inspector knows what it may ask besides the text.
type inspector struct {
	ctx   context.Context
	app   *app
	trust trustFlags
}

// look tries each kind; the first that knows the text by its beginning or its size takes it.
func (in *inspector) look(text []byte) (finding, bool) {
	trimmed := string(bytes.TrimSpace(text))
	for _, kind := range []func(string) (finding, bool){
		in.address, in.capability, in.checkpoint, in.proof, in.object, in.number,
		in.hex, in.id, in.base64, // an id is never hexadecimal throughout, save once in 2^32
	} {
		if f, ok := kind(trimmed); ok {
			return f, true
		}
	}
	return in.bytes(text)
}

// house opens the installation if there is one; nil if there is none.
func (in *inspector) house() (*house, error) {
	h, err := in.app.openHouse(in.ctx, existing)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return h, err
}

// policy is what the flags or the installation trust; false without either.
func (in *inspector) policy() (ledger.Policy, string, error) {
	p, whose, err := in.trust.policy(in.ctx, in.app)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Policy{}, "", nil
	}
	return p, whose, err
}
