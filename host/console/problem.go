package console

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Exit is the code a program ends with.
type Exit int

// The exit codes: one table for every verb.
const (
	OK             Exit = 0
	Failure        Exit = 1
	Usage          Exit = 2
	No             Exit = 3 // the answer is no: invalid, used, revoked
	Authentication Exit = 4
	Reader         Exit = 5 // reader or card
	Unreachable    Exit = 6 // the ledger
	Uncertain      Exit = 7 // done or not, nobody knows yet
)

// Problem is what went wrong, for people and machines. It is an error; errors.Is and errors.As see through it to Cause.
type Problem struct {
	Code  string `json:"code"` // stable, for machines: "bad_signature", "ledger_unavailable"
	What  string `json:"what"` // what was being done
	Why   string `json:"why"`
	Next  string `json:"next"` // what to do now
	Exit  Exit   `json:"exit"`
	Cause error  `json:"-"`
}

// Error is the first two lines in one, for logs.
func (p *Problem) Error() string { return p.What + ": " + p.Why }

// Unwrap gives the cause, if there is one.
func (p *Problem) Unwrap() error { return p.Cause }

// Misuse is a Problem of the caller: a flag or an argument that cannot be right. Exit code 2.
func Misuse(what, why, next string) *Problem {
	return &Problem{Code: "usage", What: what, Why: why, Next: next, Exit: Usage}
}

// Answered ends a verb whose answer already stands on standard output and was not "yes": nothing more is printed.
type Answered struct{ Exit Exit }

// Error is for logs; Report prints nothing.
func (a Answered) Error() string { return fmt.Sprintf("answered, exit code %d", int(a.Exit)) }

// Report prints what went wrong, if anything did, and gives the exit code. Three lines on standard error; with JSON
// one object there, so that standard output holds answers only.
func (c *Console) Report(err error) Exit {
	if err == nil {
		return OK
	}
	p := Explain(err)
	if p.What == "" {
		return p.Exit
	}
	p.What, p.Why, p.Next = withoutKeys(p.What), withoutKeys(p.Why), withoutKeys(p.Next)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.json {
		// a Problem holds strings and a number: it always encodes
		text, _ := json.Marshal(map[string]Problem{"error": p})
		fmt.Fprintf(c.err, "%s\n", escape(text))
		return p.Exit
	}
	mark := "error"
	if c.fancy {
		mark = "\x1b[31merror\x1b[0m"
	}
	fmt.Fprintf(c.err, "%s: %s\n  why: %s\n next: %s\n", mark, oneLine(p.What), oneLine(p.Why), oneLine(p.Next))
	return p.Exit
}

// oneLine keeps a text that quotes somebody else's input from forging or breaking lines.
func oneLine(s string) string {
	return Clean(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " "))
}

// CapabilityForm is the form of a capability as advice names it; Report leaves it as it is.
const CapabilityForm = "pidc1:CHANNEL:NUMBER:KEY"

// withoutKeys shows of every capability that a text quotes the channel alone, and not the read key: errors end up in logs
// and tickets. So it does where the channel is mistyped: the key may be right.
func withoutKeys(s string) string {
	capability := regexp.MustCompile(`(pidc1:[^:\s]*:)[^\s"']+`)
	return capability.ReplaceAllStringFunc(s, func(quoted string) string {
		if quoted == CapabilityForm {
			return quoted
		}
		return capability.ReplaceAllString(quoted, "${1}[not shown]")
	})
}
