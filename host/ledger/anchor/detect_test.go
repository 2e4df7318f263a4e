package anchor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// history is a log that was anchored, and what became of its database. There is no guard, no mirror and no witness, and
// whoever did it holds the log's key.
type history struct {
	name string
	want error
	// path makes the database that is put in the place of the log's: first is a copy of its beginning.
	path func(t *testing.T, first string) string
}

var histories = []history{
	{"rolled back", tlog.ErrRolledBack, func(t *testing.T, first string) string { return first }},
	{"truncated to nothing", tlog.ErrRolledBack, newEmpty},
	{"rolled back and grown again", tlog.ErrForked, func(t *testing.T, first string) string {
		return grown(t, first, "other", "words", "and", "more", "of", "them", "than before")
	}},
	{"forked at the same size", tlog.ErrForked, func(t *testing.T, first string) string { return grown(t, first, "other", "rain", "snow") }},
	{"rewritten from the first message on", tlog.ErrForked, func(t *testing.T, _ string) string {
		return grown(t, newEmpty(t, ""), "never", "mind", "what", "was", "there", "before", "this")
	}},
}

func newEmpty(t *testing.T, _ string) string {
	path := newPath(t)
	require.NoError(t, openLog(t, path, logOptions(t)).Close())
	return path
}

// grown is a database with further messages.
func grown(t *testing.T, path string, words ...string) string {
	l := openLog(t, path, logOptions(t))
	write(t, l, 1, words...)
	require.NoError(t, l.Close())
	return path
}

// anchoredHistory anchors a log of five messages and puts another in its place.
func anchoredHistory(t *testing.T, h history) (*tlog.Log, *other) {
	path, in := newPath(t), newOther(t)
	log := openLog(t, path, logOptions(t))
	write(t, log, 1, "fine", "rain")
	require.NoError(t, New(options(log, in, nil)).Publish(t.Context()))
	require.NoError(t, log.Close())
	first := copyOf(t, path)
	log = openLog(t, path, logOptions(t))
	write(t, log, 1, "snow", "hail", "storm")
	require.NoError(t, New(options(log, in, nil)).Publish(t.Context()))
	require.NoError(t, log.Close())
	return openLog(t, h.path(t, first), logOptions(t)), in
}

func TestAnchorAloneStopsALogThatIsNotWhatItWas(t *testing.T) {
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			log, in := anchoredHistory(t, h)
			var told []error
			a := New(options(log, in, &told))
			err := a.Compare(t.Context())
			require.ErrorIs(t, err, h.want)
			assert.True(t, Refutes(err))
			assert.Empty(t, told, "it is no alarm")
			requireHalted(t, log, h.want)
			require.ErrorIs(t, a.Run(context.Background()), h.want, "and it stays so")
			assert.Equal(t, 2, count(t, in), "nothing was published")
		})
	}
}

// requireHalted wants nothing written and nothing said any more.
func requireHalted(t *testing.T, log *tlog.Log, want error) {
	t.Helper()
	author := channel.NewAuthor(channel.Seed{1, 1}, channel.Public)
	m, err := author.Sign(channel.Draft{Number: 2, Time: time.UnixMilli(1790000000000), Body: []byte(`{}`)})
	require.NoError(t, err)
	_, submit := log.Submit(t.Context(), m)
	_, head := log.Head(t.Context(), author.Channel())
	_, prove := log.Prove(t.Context(), author.Channel(), 0)
	_, await := log.Await(t.Context(), ledger.Receipt{Channel: author.Channel()}, ledger.Final)
	_, text := log.Checkpoint(t.Context())
	follow := log.Follow(t.Context(), ledger.Position{}, func([]ledger.Entry, ledger.Position) error { return nil })
	for _, err := range []error{submit, head, prove, await, text, follow, log.List(t.Context(), author.Channel())} {
		assert.ErrorIs(t, err, want)
		assert.ErrorIs(t, err, ledger.ErrUnavailable)
	}
}

func TestVerifyNamesEachCheckpointThatIsContradicted(t *testing.T) {
	for i, contradicted := range []int{1, 2, 1, 1, 2} {
		h := histories[i]
		t.Run(h.name, func(t *testing.T) {
			log, in := anchoredHistory(t, h)
			report, err := New(options(log, in, nil)).Verify(t.Context(), nil)
			require.NoError(t, err)
			assert.False(t, report.Clean())
			assert.Len(t, report.Findings, contradicted)
			assert.EqualValues(t, 2, report.Checkpoints)
			write(t, log, 7, "looking halts nothing")
		})
	}
	t.Run("whole", func(t *testing.T) {
		log, in := openLog(t, newPath(t), logOptions(t)), newOther(t)
		a := New(options(log, in, nil))
		for _, words := range []string{"fine", "rain", "snow", "hail", "storm"} {
			write(t, log, 1, words)
			require.NoError(t, a.Publish(t.Context()))
		}
		write(t, log, 7, "and more")
		report, err := New(options(log, in, nil)).Verify(t.Context(), nil)
		require.NoError(t, err)
		assert.True(t, report.Clean())
		assert.Equal(t, otherName, report.Ledger)
		assert.EqualValues(t, 5, report.Size)
	})
}

func TestRunningLogIsStoppedWhenAnotherCopyWasAnchored(t *testing.T) {
	path, in := newPath(t), newOther(t)
	log := openLog(t, path, logOptions(t))
	write(t, log, 1, "fine")
	require.NoError(t, log.Close())
	twin := openLog(t, copyOf(t, path), logOptions(t)) // somebody starts a backup elsewhere
	log = openLog(t, path, logOptions(t))
	a := New(options(log, in, nil))
	require.NoError(t, a.Publish(t.Context()))
	done := make(chan error)
	go func() { done <- a.Run(t.Context()) }()
	write(t, twin, 2, "other", "words")
	b := options(twin, in, nil)
	b.Holder = "two"
	require.NoError(t, New(b).Publish(t.Context()), "it continues what was anchored so far")
	require.True(t, Refutes(<-done))
	requireHalted(t, log, tlog.ErrRolledBack)
}
