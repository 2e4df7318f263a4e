package console

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"github.com/productid/productid/host/console/consoletest"
)

func TestASecretIsTypedWithoutBeingShown(t *testing.T) {
	tty, person := consoletest.Terminal(t)
	before, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	c := Open(Options{In: tty, Out: io.Discard, Err: tty})
	shown := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		buf := make([]byte, 256)
		for !strings.Contains(all.String(), "passphrase: ") {
			n, err := person.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				break
			}
		}
		person.WriteString("hunter2 hunter2\n")
		for !strings.HasSuffix(all.String(), "\n") {
			n, err := person.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				break
			}
		}
		shown <- all.String()
	}()
	secret, err := c.AskSecret(t.Context(), "passphrase: ")
	require.NoError(t, err)
	assert.Equal(t, "hunter2 hunter2", secret)
	assert.NotContains(t, <-shown, "hunter2")
	after, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	assert.Equal(t, before, after, "the terminal is as it was")
}

func TestAnInterruptedQuestionLeavesTheTerminalAsItWas(t *testing.T) {
	tty, _ := consoletest.Terminal(t)
	before, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	c := Open(Options{In: tty, Out: io.Discard, Err: tty})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.AskSecret(ctx, "passphrase: ")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	after, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestNobodyIsAskedForASecretThroughAPipe(t *testing.T) {
	c := Open(Options{In: strings.NewReader("hunter2\n"), Out: io.Discard, Err: io.Discard})
	_, err := c.AskSecret(t.Context(), "passphrase: ")
	require.ErrorIs(t, err, ErrNotAsked)
}

func TestAWarningSpoilsNoAnswer(t *testing.T) {
	for json, want := range map[bool]string{
		false: "warning: it is open; close it\n",
		true:  `{"warning":{"code":"open","what":"it is open","next":"close it"}}` + "\n",
	} {
		var out, talk bytes.Buffer
		c := Open(Options{In: strings.NewReader(""), Out: &out, Err: &talk, JSON: json})
		c.Warn(Warning{"open", "it is\nopen", "close it"})
		assert.Empty(t, out.String())
		assert.Equal(t, want, talk.String())
	}
}
