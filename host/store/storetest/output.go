package storetest

import (
	"bytes"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Output is the standard output of a child that is to be killed: a line for each answer. It is written by package os/exec, and read
// after the child's end.
type Output struct {
	Answer string // how a line begins that counts as an answer

	text     bytes.Buffer
	line     []byte // what there is of one that has not ended
	answered atomic.Bool
}

func (o *Output) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		o.line = append(o.line, part...)
		if !bytes.HasSuffix(part, []byte("\n")) {
			break
		}
		if bytes.HasPrefix(o.line, []byte(o.Answer)) {
			o.answered.Store(true)
		}
		o.line = o.line[:0]
	}
	return o.text.Write(p)
}

func (o *Output) Read(p []byte) (int, error) { return o.text.Read(p) }

func (o *Output) String() string { return o.text.String() }

// AwaitAnswer returns when one of some children has answered for the first time. A kill is timed from here: how long a machine takes to
// start a child says nothing, and one that is killed before it answered has nothing to lose.
func AwaitAnswer(t testing.TB, children ...*Output) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !slices.ContainsFunc(children, func(o *Output) bool { return o.answered.Load() }); {
		if time.Now().After(end) {
			t.Fatal("no child answers")
		}
		time.Sleep(time.Millisecond)
	}
}
