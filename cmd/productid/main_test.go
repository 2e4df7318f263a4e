package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card/cardtest"
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

// TestCardSaysNothingToTheTerminal: what stands on a card is anybody's.
func TestCardSaysNothingToTheTerminal(t *testing.T) {
	c := cardtest.NewLocked("hostile")
	c.After = func(_ apdu.Command, answer []byte) ([]byte, error) {
		return bytes.Replace(answer, []byte("example"), []byte("-\u202e\u2066"), 1), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go (&cardServer{card: c}).serve(l)
	for _, format := range []string{"--json=false", "--json"} {
		var out, talk bytes.Buffer
		code := run(t.Context(), []string{format, "--reader", "sim:" + l.Addr().String(), "card", "read"}, streams{strings.NewReader(""), &out, &talk, func(string) string { return "" }})
		require.Zero(t, code, talk.String())
		assert.Contains(t, out.String(), "https://tap.")
		assert.NotContains(t, out.String(), "\u202e")
		assert.NotContains(t, out.String(), "\u2066")
	}
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

func TestNoLedgersNameShowsAPassword(t *testing.T) {
	for _, text := range []string{
		"postgres://me:secret@db.example/d", "postgres://me@db.example/d?password=secret", "postgres://me:secret%@db.example/d",
		"https://me:secret@log.example", "https://me:secret%@log.example", "http://[me:secret@log.example",
		"stardust:http://me:secret@a?inx=b:1", "stardust:http://b?inx=b:1,http://me:secret@a?inx=b:1", "me:secret@db.example",
	} {
		p, err := parsePlace(text)
		assert.NotContains(t, p.String(), "secret", text)
		if err != nil {
			assert.NotContains(t, err.Error(), "secret", text)
		}
	}
	p, err := parsePlace("stardust:http://a?inx=b:1,http://c?inx=d:2")
	require.NoError(t, err)
	assert.Contains(t, p.String(), "http://c?inx=d:2")
}
