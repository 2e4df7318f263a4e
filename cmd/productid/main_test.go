package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"productid": main})
}

// TestScripts runs the command line as its users do, without hardware.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			vectors, err := filepath.Abs("../../testdata/vectors")
			e.Setenv("VECTORS", vectors)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
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

func TestEveryHelpPageBeginsWithAnExample(t *testing.T) {
	walk((&app{}).root(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		var out, errs bytes.Buffer
		code := run(context.Background(), append(path, "--help"), streams{strings.NewReader(""), &out, &errs, os.Getenv})
		assert.Zero(t, code, c.CommandPath())
		assert.True(t, strings.HasPrefix(strings.TrimSpace(out.String()), "productid") || strings.HasPrefix(strings.TrimSpace(out.String()), "source"), "%s begins with\n%s", c.CommandPath(), out.String())
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.Empty(t, errs.String())
	})
}
