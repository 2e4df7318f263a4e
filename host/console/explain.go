package console

import (
	"errors"
	"strings"
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
	exit  Exit
	code  string
	why   string
	next  string
}

// problem takes what was being done from the layers around the cause, and keeps the cause's own text as the detail.
func (e entry) problem(err, cause error) Problem {
	doing, detail := err.Error(), cause.Error()
	if i := strings.Index(doing, detail); i >= 0 {
		doing, detail = strings.TrimSuffix(doing[:i], ": "), doing[i:]
	}
	if doing == "" {
		doing = "running the command"
	}
	why := e.why + " (" + detail + ")"
	return Problem{Code: e.code, What: doing, Why: why, Next: e.next, Exit: e.exit, Cause: err}
}

// is matches an error that is the sentinel.
func is(sentinel error) func(error) error {
	return func(err error) error {
		if errors.Is(err, sentinel) {
			return sentinel
		}
		return nil
	}
}

// as matches an error of a type.
func as[T error]() func(error) error {
	return func(err error) error {
		if e, ok := errors.AsType[T](err); ok {
			return e
		}
		return nil
	}
}
