package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
)

func TestEveryHelpPageBeginsWithAnExample(t *testing.T) {
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	walk(root, func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		var out, errs bytes.Buffer
		code := run(context.Background(), append(path, "--help"), streams{strings.NewReader(""), &out, &errs, os.Getenv})
		assert.Zero(t, code, c.CommandPath())
		assert.True(t, strings.HasPrefix(strings.TrimSpace(out.String()), "productid") || strings.HasPrefix(strings.TrimSpace(out.String()), "source"), "%s begins with\n%s", c.CommandPath(), out.String())
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.Empty(t, errs.String())
	})
}

func TestEveryVerdictHasItsWords(t *testing.T) {
	for _, code := range []validation.Code{validation.Valid, validation.Recorded, validation.MalformedURL, validation.UnsupportedVersion,
		validation.UnsignedURL, validation.UnknownCard, validation.BadSignature, validation.NotInService, validation.Revoked,
		validation.Moved, validation.AlreadyUsed, validation.Superseded, validation.RetryMismatch, validation.PayloadRejected} {
		means, next := console.Sentence(string(code))
		assert.NotEmpty(t, means, code)
		assert.NotEmpty(t, next, code)
	}
	means, _ := console.Sentence("no such code")
	assert.Empty(t, means)
}

func TestOutputThatNobodyReadsEndsTheRunQuietly(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	var talk bytes.Buffer
	c := exec.Command("productid", "completion", "bash")
	c.Stdout, c.Stderr = w, &talk
	err = c.Run()
	require.NoError(t, w.Close())
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, 1, exit.ExitCode(), "no signal killed it")
	assert.Empty(t, talk.String())
}
