// Package console is how the programs speak: answers on standard output, talk on standard error.
//
// An answer is printed for people (plain lines, aligned tables) or, with JSON asked for, as one JSON object a line
// (NDJSON), so that a stream and a single answer are read the same way. Colour and cursor movement are used only on a
// terminal that wants them: never with NO_COLOR, TERM=dumb or a pipe. What goes wrong is said in three lines (Problem),
// from one catalogue (Explain) which also fixes the exit code and the stable code that machines read.
//
// Whatever is printed is text: no character that a terminal obeys comes through, wherever it is from.
//
// # Concurrency
//
// A Console may be used by several goroutines; each call writes whole lines.
package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Options says where a Console reads and writes and what it may do there.
type Options struct {
	In       io.Reader
	Out, Err io.Writer
	JSON     bool                // answers and events as NDJSON
	Env      func(string) string // os.Getenv, or a test's; nil is an empty environment
}

// Console prints answers, talk, progress and problems, and asks the rare question. Make one with Open.
type Console struct {
	mu       sync.Mutex
	in       *bufio.Reader
	terminal any // what in reads from
	out, err io.Writer
	json     bool
	asks     bool // a person sits at both ends
	fancy    bool // colour and cursor movement on err
	fancyOut bool // colour on out
	pending  bool // a transient line stands on err
}

// Open looks once at the streams and the environment and promises to keep to what it saw.
func Open(o Options) *Console {
	env := o.Env
	if env == nil {
		env = func(string) string { return "" }
	}
	plain := env("NO_COLOR") != "" || env("TERM") == "dumb"
	return &Console{
		in: bufio.NewReader(o.In), terminal: o.In,
		out: o.Out, err: o.Err,
		json:     o.JSON,
		asks:     isTerminal(o.In) && isTerminal(o.Err),
		fancy:    isTerminal(o.Err) && !plain,
		fancyOut: isTerminal(o.Out) && !plain,
	}
}

// isTerminal holds for a file that is a terminal, and for nothing else.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// JSON says whether answers are printed as JSON.
func (c *Console) JSON() bool { return c.json }

// Interactive says whether a person can be asked something.
func (c *Console) Interactive() bool { return c.asks }

// Say prints talk on standard error, as lines of text. What is foreign in it goes through Clean before.
func (c *Console) Say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	io.WriteString(c.err, cleanLines(fmt.Sprintf(format+"\n", args...)))
}

// Answer prints a verb's answer on standard output: v as one line of JSON when JSON was asked for, else what words
// writes for people, as lines of text.
func (c *Console) Answer(v any, words func(io.Writer)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.json {
		return c.line(v)
	}
	var text strings.Builder
	words(&text)
	if _, err := io.WriteString(c.out, cleanLines(text.String())); err != nil {
		return fmt.Errorf("printing the answer: %w", err)
	}
	return nil
}

// List prints an answer of several things: in JSON each on a line of its own, else what words writes.
func List[T any](c *Console, all []T, words func(io.Writer)) error {
	if !c.json {
		return c.Answer(nil, words)
	}
	for _, v := range all {
		if err := c.Answer(v, nil); err != nil {
			return err
		}
	}
	return nil
}

// line writes v as one line of JSON; & < > stay readable, for URLs are full of them.
func (c *Console) line(v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	if err == nil {
		_, err = c.out.Write(escape(line.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("printing the answer: %w", err)
	}
	return nil
}

// clear removes the transient progress line, if one stands there.
func (c *Console) clear() {
	if c.pending {
		io.WriteString(c.err, "\r\x1b[K")
		c.pending = false
	}
}
