package console

import (
	"cmp"
	"fmt"
	"io"
	"time"
)

// Step is one thing done, as the line printer and NDJSON show it.
type Step struct {
	Code   string        // stable name for machines; Name where empty
	Name   string        // what was done or proved: "key made on the card"
	Detail string        // what there is to know about it; may be empty
	Took   time.Duration // how long it took
}

// event is a Step as NDJSON; ms is milliseconds with a fraction.
type event struct {
	Event  string  `json:"event"`
	Step   string  `json:"step"`
	Words  string  `json:"words"`
	Detail string  `json:"detail,omitempty"`
	MS     float64 `json:"ms"`
}

// Working shows a transient line while something lasts. It is replaced by the next line of any kind, and is not
// printed at all where lines cannot be replaced.
func (c *Console) Working(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fancy || c.json {
		return
	}
	c.clear()
	fmt.Fprintf(c.err, "\x1b[2m..           %s\x1b[0m", Clean(what))
	c.pending = true
}

// Progress prints a finished step as talk: on standard error for people, as an event on standard output in JSON.
func (c *Console) Progress(s Step) { c.step(c.err, c.fancy, s) }

// Proved prints a finished step as an answer: on standard output in both forms.
func (c *Console) Proved(s Step) { c.step(c.out, c.fancyOut, s) }

func (c *Console) step(w io.Writer, colour bool, s Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.json {
		c.line(event{"step", cmp.Or(s.Code, s.Name), s.Name, s.Detail, float64(s.Took.Microseconds()) / 1000})
		return
	}
	mark := "ok"
	if colour {
		mark = "\x1b[32mok\x1b[0m"
	}
	line := fmt.Sprintf("%8s  %s", Duration(s.Took), s.Name)
	if s.Detail != "" {
		line += ": " + s.Detail
	}
	fmt.Fprintf(w, "%s  %s\n", mark, Clean(line))
}

// Duration puts a time in the words people read: "<1 ms", "41 ms", "1.2 s", "3 min 5 s".
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}
