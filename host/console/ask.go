package console

import (
	"context"
	"fmt"
	"strings"
)

// Confirm lets an irreversible step through only when the person types want, after warning. Where nobody can be
// asked it is a Problem that names the flag which answers in his place.
func (c *Console) Confirm(ctx context.Context, warning, want, flag string) error {
	const what = "confirming an irreversible step"
	if !c.asks {
		return Misuse(what, "there is no terminal to ask on: "+warning, fmt.Sprintf("look at it first, then give %s", flag))
	}
	c.Say("%s", Clean(warning))
	answer, err := c.Ask(ctx, fmt.Sprintf("type %s to go on: ", Clean(want)))
	if err != nil {
		return err
	}
	if answer != want {
		return &Problem{Code: "not_confirmed", What: what, Why: "what was typed is not " + want, Next: "run it again: nothing irreversible was done", Exit: Failure}
	}
	return nil
}

// Ask prints a prompt on standard error and reads one line, unless ctx ends first; after that the console is asked no
// more. The end of the input is io.EOF.
func (c *Console) Ask(ctx context.Context, prompt string) (string, error) {
	c.mu.Lock()
	c.clear()
	fmt.Fprint(c.err, prompt)
	c.mu.Unlock()
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a read from a terminal cannot be interrupted, so it is left behind
		line, err := c.in.ReadString('\n')
		got <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for an answer: %w", ctx.Err())
	case a := <-got:
		if a.err != nil {
			return "", fmt.Errorf("reading the answer: %w", a.err)
		}
		return a.line, nil
	}
}
