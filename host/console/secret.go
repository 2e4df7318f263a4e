package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
)

// ErrNotAsked says that there is no terminal on which a person could be asked.
var ErrNotAsked = errors.New("there is no terminal to ask on")

// AskSecret prints a prompt on standard error and reads one line from the terminal without showing it, unless ctx ends first. The
// terminal is then as it was. The error is ErrNotAsked where there is none.
func (c *Console) AskSecret(ctx context.Context, prompt string) (string, error) {
	if !c.asks {
		return "", ErrNotAsked
	}
	file, _ := c.terminal.(interface{ Fd() uintptr }) // or it would not be asked
	terminal := int(file.Fd())                        // taken once: what is left behind must not touch the file any more
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("reading what is typed: %w", err)
	}
	type answer struct {
		line []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a read from a terminal cannot be interrupted, so it is left behind
		line, err := term.ReadPassword(terminal)
		got <- answer{line, err}
	}()
	awaitChange(terminal, *before) // what is typed at the prompt must not show
	c.mu.Lock()
	c.clear()
	io.WriteString(c.err, Clean(prompt))
	c.mu.Unlock()
	defer io.WriteString(c.err, "\n")
	select {
	case <-ctx.Done():
		return "", errors.Join(fmt.Errorf("waiting for an answer: %w", ctx.Err()), term.Restore(terminal, before))
	case a := <-got:
		if a.err != nil {
			return "", fmt.Errorf("reading what is typed: %w", a.err)
		}
		return strings.TrimRight(string(a.line), "\r\n"), nil
	}
}

// awaitChange waits, not for ever, until a terminal's state is another.
func awaitChange(terminal int, before term.State) {
	for range 200 {
		now, err := term.GetState(terminal)
		if err != nil || *now != before {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Warning is what whoever runs a program should see to. JSON names are stable.
type Warning struct {
	Code string `json:"code"`
	What string `json:"what"`
	Next string `json:"next"`
}

// Warn prints a warning on standard error: a line for people, or one JSON object {"warning": …}. Answers are not touched.
func (c *Console) Warn(w Warning) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.json {
		// it holds strings: it always encodes
		text, _ := json.Marshal(map[string]Warning{"warning": {w.Code, oneLine(w.What), oneLine(w.Next)}})
		fmt.Fprintf(c.err, "%s\n", escape(text))
		return
	}
	fmt.Fprintf(c.err, "warning: %s; %s\n", oneLine(w.What), oneLine(w.Next))
}
