package console

import (
	"fmt"
	"strings"
)

// Confirm lets an irreversible step through only when the person types want, after warning. Where nobody can be
// asked it is a Problem that names the flag which answers in his place.
func (c *Console) Confirm(warning, want, flag string) error {
	const what = "confirming an irreversible step"
	if !c.asks {
		return Misuse(what, "there is no terminal to ask on: "+warning, fmt.Sprintf("look at it first, then give %s", flag))
	}
	c.Say("%s", Clean(warning))
	answer, err := c.Ask(fmt.Sprintf("type %s to go on: ", Clean(want)))
	if err != nil {
		return err
	}
	if answer != want {
		return &Problem{Code: "not_confirmed", What: what, Why: "what was typed is not " + want, Next: "run it again: nothing irreversible was done", Exit: Failure}
	}
	return nil
}

// Ask prints a prompt on standard error and reads one line. Call it only when Interactive.
func (c *Console) Ask(prompt string) (string, error) {
	c.mu.Lock()
	c.clear()
	fmt.Fprint(c.err, prompt)
	c.mu.Unlock()
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}
