package anchor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkCompare is what each second costs while nothing is written.
func BenchmarkCompare(b *testing.B) {
	log, in := openLog(b, newPath(b), logOptions(b)), newOther(b)
	a := New(options(log, in, nil))
	write(b, log, 1, "fine")
	require.NoError(b, a.Publish(b.Context()))
	write(b, log, 1, make([]string, 1000)...)
	for b.Loop() {
		if err := a.Compare(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublish is a message in the log and its checkpoint in another that is in memory: the lease and the evidence are a sync each.
func BenchmarkPublish(b *testing.B) {
	log, in := openLog(b, newPath(b), logOptions(b)), newOther(b)
	a := New(options(log, in, nil))
	n := 0
	for b.Loop() {
		n++
		write(b, log, 1, fmt.Sprint(n))
		if err := a.Publish(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
