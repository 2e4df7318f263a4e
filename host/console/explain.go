package console

import (
	"errors"
	"strings"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/pkg/apdu"
)

// Explain puts an error into words: a Problem found in its chain as it stands, else the first entry of the catalogue
// that fits, else the error's own text, split after its first layer. What is never empty, except for Answered.
func Explain(err error) Problem {
	if a, ok := errors.AsType[Answered](err); ok {
		return Problem{Exit: a.Exit, Cause: err}
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return *p
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return ofService(err, p)
	}
	for _, e := range catalogue() {
		if cause := e.match(err); cause != nil {
			return e.problem(err, cause)
		}
	}
	what, why, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		what, why = "running the command", what
	}
	return Problem{Code: "failure", What: what, Why: why, Next: "mend what is named above and run it again", Exit: Failure, Cause: err}
}

// entry is one row of the catalogue: which errors it is about and what there is to say.
type entry struct {
	match func(error) error // the error of the chain that is meant, or nil
	typed bool              // it is meant by its type, so its text says something of its own
	exit  Exit
	code  string
	why   string
	next  string
}

// problem takes what was being done from the layers around the cause; what the cause says beyond the entry's words is
// kept in brackets, a card's status word among it.
func (e entry) problem(err, cause error) Problem {
	doing, detail := err.Error(), ""
	if i := strings.Index(doing, cause.Error()); i >= 0 {
		doing, detail = strings.TrimSuffix(doing[:i], ": "), strings.TrimPrefix(doing[i:], cause.Error())
	}
	if doing == "" {
		doing = "running the command"
	}
	details := []string{unbracketed(strings.TrimPrefix(detail, ": "))}
	if e.typed {
		details[0] = cause.Error()
	}
	if status, ok := errors.AsType[apdu.Status](err); ok && !strings.Contains(details[0], status.Error()) {
		details = append(details, status.Error())
	}
	why := e.why
	if detail := strings.TrimPrefix(strings.Join(details, "; "), "; "); detail != "" {
		why += " (" + detail + ")"
	}
	return Problem{Code: e.code, What: doing, Why: why, Next: e.next, Exit: e.exit, Cause: err}
}

// unbracketed is a detail that stands in brackets already without them.
func unbracketed(s string) string {
	if inner, ok := strings.CutPrefix(strings.TrimSpace(s), "("); ok && strings.HasSuffix(inner, ")") {
		return strings.TrimSuffix(inner, ")")
	}
	return s
}

// is is an entry about a sentinel.
func is(sentinel error, exit Exit, code, why, next string) entry {
	return entry{exit: exit, code: code, why: why, next: next, match: func(err error) error {
		if errors.Is(err, sentinel) {
			return sentinel
		}
		return nil
	}}
}

// as is an entry about a type of errors.
func as[T error](exit Exit, code, why, next string) entry {
	return entry{typed: true, exit: exit, code: code, why: why, next: next, match: func(err error) error {
		if e, ok := errors.AsType[T](err); ok {
			return e
		}
		return nil
	}}
}
