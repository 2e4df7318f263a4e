package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/console/consoletest"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/ledger"
)

// seat is a person at a terminal who answers questions.
type seat struct {
	t        *testing.T
	terminal *os.File
	person   *os.File
}

func newSeat(t *testing.T) seat {
	terminal, person := consoletest.Terminal(t)
	return seat{t, terminal, person}
}

// run runs a command line; each prompt is answered by one of the answers in turn. It returns what the terminal showed.
func (s seat) run(args []string, answers ...string) (console.Exit, string) {
	s.t.Helper()
	done := make(chan console.Exit, 1)
	go func() {
		done <- run(s.t.Context(), args, streams{s.terminal, io.Discard, s.terminal, func(string) string { return "" }})
		s.terminal.WriteString("\x04end")
	}()
	var shown, all strings.Builder
	buf := make([]byte, 256)
	for !strings.HasSuffix(all.String(), "\x04end") {
		n, err := s.person.Read(buf)
		require.NoError(s.t, err)
		shown.Write(buf[:n])
		all.Write(buf[:n])
		if strings.HasSuffix(shown.String(), ": ") && len(answers) > 0 {
			s.person.WriteString(answers[0] + "\n")
			answers = answers[1:]
			shown.Reset()
		}
	}
	assert.Empty(s.t, answers, "questions that were not asked")
	return <-done, all.String()
}

// TestPassphrasesAreAskedFor: twice for what is new, without being shown, and then once at each start.
func TestPassphrasesAreAskedFor(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // where what the machine remembers is kept
	data := t.TempDir()
	own, err := secrets.New("log.example.com", "Acme", "", strings.NewReader(strings.Repeat("not random ", 30)), time.Now())
	require.NoError(t, err)
	require.NoError(t, secrets.Safe{Dir: data}.Create(own))
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	log, err := tlog.Open(t.Context(), filepath.Join(data, "ledger.db"), tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Create: true})
	require.NoError(t, err)
	require.NoError(t, log.Close())
	const phrase = "correct horse battery staple"

	s := newSeat(t)
	code, shown := s.run([]string{"--data", data, "keys", "encrypt"}, phrase, phrase+"!")
	assert.Equal(t, console.Failure, code)
	assert.Contains(t, shown, "the two are not the same")
	assert.FileExists(t, filepath.Join(data, secrets.File))
	code, shown = s.run([]string{"--data", data, "keys", "encrypt"}, phrase, phrase)
	require.Zero(t, code, shown)
	assert.NoFileExists(t, filepath.Join(data, secrets.File))
	assert.NotContains(t, shown, "horse")
	code, shown = s.run([]string{"--data", data, "ledger", "info"}, phrase)
	require.Zero(t, code, shown)
	assert.NotContains(t, shown, "horse")
}
