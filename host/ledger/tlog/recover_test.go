package tlog

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// accident is a log that was put back to an older copy of itself.
type accident struct {
	o       Options
	path    string         // of the log, with 5 leaves
	newest  string         // a copy of it with 12
	entries []ledger.Entry // that it had
	text    []byte         // its checkpoint
}

func newAccident(t *testing.T) accident {
	a := accident{o: guarded(t), path: newPath(t), newest: newPath(t)}
	l := openWith(t, a.path, a.o)
	write(t, l, author(0), 3)
	write(t, l, author(1), 2)
	require.NoError(t, l.Close())
	old := newPath(t)
	copyFile(t, a.path, old)
	l = openWith(t, a.path, a.o)
	write(t, l, author(2), 5)
	last := everything(t, l)[2].Message
	for n := range 2 {
		m := sign(t, author(0), uint64(3+n), last.Hash(), "later")
		_, err := l.Submit(t.Context(), m)
		require.NoError(t, err)
		last = m
	}
	a.entries, a.text = everything(t, l), checkpointOf(t, l)
	require.NoError(t, l.Close())
	copyFile(t, a.path, a.newest)
	copyFile(t, old, a.path)
	_, err := Open(t.Context(), a.path, a.o)
	require.ErrorIs(t, err, ErrRolledBack)
	return a
}

func (a accident) reader(t *testing.T, path string) *Log {
	l, err := OpenReader(t.Context(), path, origin, a.o.Signer.VerifierKey())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// requireWhole checks that the log is what it was, and goes on.
func (a accident) requireWhole(t *testing.T) {
	t.Helper()
	l := openWith(t, a.path, a.o)
	assert.Equal(t, a.entries, everything(t, l))
	assert.Equal(t, string(a.text), string(checkpointOf(t, l)), "nothing was signed that had not been signed before")
	requireClean(t, l)
	write(t, l, author(9), 2)
	require.NoError(t, l.Against(t.Context(), a.text))
	requireClean(t, l)
}

// requireOld checks that the log is as it was put back.
func (a accident) requireOld(t *testing.T) {
	t.Helper()
	assert.Equal(t, a.entries[:5], everything(t, a.reader(t, a.path)))
	_, err := Open(t.Context(), a.path, a.o)
	assert.ErrorIs(t, err, ErrRolledBack)
}

func TestRecoverTakesWhatIsMissing(t *testing.T) {
	a := newAccident(t)
	r, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	require.NoError(t, err)
	assert.Equal(t, Recovery{5, 12}, r)
	a.requireWhole(t)
	a = newAccident(t)
	r, err = Recover(t.Context(), a.path, a.o, contract{a.reader(t, a.newest)})
	require.NoError(t, err, "from a ledger that is known by the contract alone")
	assert.Equal(t, Recovery{5, 12}, r)
	a.requireWhole(t)
}

// contract hides what a log can beside the contract.
type contract struct{ ledger.Ledger }

func TestRecoverAWholeLogFromAMirror(t *testing.T) {
	a := newAccident(t)
	m := openMirror(t, newPath(t))
	require.NoError(t, m.Append(t.Context(), a.text, from(a.entries, 0)))
	require.NoError(t, os.Remove(a.path))
	r, err := Recover(t.Context(), a.path, a.o, m)
	require.NoError(t, err)
	assert.Equal(t, Recovery{0, 12}, r)
	a.requireWhole(t)
}

// A copy may know more than this host's guard: what the log has signed elsewhere is its.
func TestRecoverTakesAlsoWhatTheGuardHasNotSeen(t *testing.T) {
	a := newAccident(t)
	elsewhere := a.o
	elsewhere.Guard += " of another host"
	elsewhere.AdoptGuard = true
	l := openWith(t, a.newest, elsewhere)
	write(t, l, author(5), 3)
	a.entries, a.text = everything(t, l), checkpointOf(t, l)
	r, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	require.NoError(t, err)
	assert.Equal(t, Recovery{5, 15}, r)
	assert.EqualValues(t, 15, guardSizeNow(t, a.o.Guard))
	a.requireWhole(t)
}

func TestRecoverNothing(t *testing.T) {
	a := newAccident(t)
	copyFile(t, a.newest, a.path)
	r, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	require.NoError(t, err)
	assert.Equal(t, Recovery{12, 12}, r)
	a.requireWhole(t)
}

func TestRecoverWithoutAGuardIsAsked(t *testing.T) {
	a := newAccident(t)
	require.NoError(t, os.Remove(a.o.Guard))
	_, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	assert.ErrorIs(t, err, ErrNoGuard)
	adopting := a.o
	adopting.AdoptGuard = true
	_, err = Recover(t.Context(), a.path, adopting, contract{a.reader(t, a.newest)})
	assert.ErrorIs(t, err, ErrNoGuard, "and the copy shows no checkpoint")
	r, err := Recover(t.Context(), a.path, adopting, a.reader(t, a.newest))
	require.NoError(t, err)
	assert.Equal(t, Recovery{5, 12}, r)
	a.requireWhole(t)
}

func TestRecoverRefusesACopyThatIsTooShort(t *testing.T) {
	a := newAccident(t)
	short := openMirror(t, newPath(t))
	l := a.reader(t, a.path)
	require.NoError(t, short.Append(t.Context(), checkpointOf(t, l), from(a.entries[:5], 0)))
	for _, from := range []ledger.Ledger{short, l, a.reader(t, a.path)} {
		_, err := Recover(t.Context(), a.path, a.o, from)
		assert.ErrorIs(t, err, ErrIncomplete)
	}
	a.requireOld(t)
}

// lying changes what a copy shows.
type lying struct {
	ledger.Ledger
	change func(*ledger.Entry)
}

func (l lying) Follow(ctx context.Context, at ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	return l.Ledger.Follow(ctx, at, func(batch []ledger.Entry, behind ledger.Position) error {
		for i := range batch {
			l.change(&batch[i])
		}
		return fn(batch, behind)
	})
}

func TestRecoverBelievesNoCopy(t *testing.T) {
	for name, change := range map[string]func(*ledger.Entry){
		"another message": func(e *ledger.Entry) {
			if e.Index == 11 {
				e.Message = sign(t, author(0), 4, e.Message.Prev(), "another")
			}
		},
		"another time": func(e *ledger.Entry) {
			if e.Index == 11 {
				e.Time = e.Time.Add(time.Millisecond)
			}
		},
		"time that goes back": func(e *ledger.Entry) {
			if e.Index == 11 {
				e.Time = e.Time.Add(-time.Hour)
			}
		},
		"no message": func(e *ledger.Entry) {
			if e.Index == 7 {
				e.Message = channel.Message{}
			}
		},
		"another place":        func(e *ledger.Entry) { e.Index++ },
		"another channel's":    func(e *ledger.Entry) { e.Message = sign(t, author(7), e.Message.Number(), e.Message.Prev(), "x") },
		"time beyond all time": func(e *ledger.Entry) { e.Time = time.UnixMilli(channel.MaxUnixMilli + 1) },
	} {
		a := newAccident(t)
		_, err := Recover(t.Context(), a.path, a.o, lying{a.reader(t, a.newest), change})
		assert.Error(t, err, name)
		a.requireOld(t)
	}
	a, broken := newAccident(t), errors.New("line is dead")
	_, err := Recover(t.Context(), a.path, a.o, failingCopy{a.reader(t, a.newest), broken})
	assert.ErrorIs(t, err, broken)
	a.requireOld(t)
}

type failingCopy struct {
	ledger.Ledger
	err error
}

func (f failingCopy) Follow(ctx context.Context, at ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	return f.err
}

// Two histories under one key: to decide which is not for a program.
func TestRecoverJoinsNoForks(t *testing.T) {
	a := newAccident(t)
	l := openAt(t, a.path) // without the guard
	write(t, l, author(5), 2)
	require.NoError(t, l.Close())
	_, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	assert.ErrorIs(t, err, ErrForked, "the log's own")
	fork := newPath(t)
	copyFile(t, a.path, fork)
	l = openAt(t, fork)
	write(t, l, author(6), 20)
	require.NoError(t, l.Close())
	for _, path := range []string{a.path, newPath(t)} {
		_, err = Recover(t.Context(), path, a.o, a.reader(t, fork))
		assert.ErrorIs(t, err, ErrForked, "the copy's, though longer than all that the guard has seen")
	}
	assert.EqualValues(t, 12, guardSizeNow(t, a.o.Guard))
	require.NoError(t, os.Rename(a.path, a.path+".fork"))
	_, err = Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	require.NoError(t, err, "into a new one it goes")
	a.requireWhole(t)
}

func TestRecoverKeepsWhatWasRemoved(t *testing.T) {
	a := newAccident(t)
	copied := a.o
	copied.Removable = func(channel.Message) error { return nil }
	l := openWith(t, a.newest, copied)
	require.NoError(t, l.Remove(t.Context(), author(2).Channel(), 1, "asked for"))
	a.entries = everything(t, l)
	require.NoError(t, l.Close())
	_, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
	require.NoError(t, err)
	a.requireWhole(t)
}

// A mirror that withholds what a message says would have it removed for good.
func TestRecoverTakesNobodyElsesWordThatAPayloadWasRemoved(t *testing.T) {
	a := newAccident(t)
	withheld := append([]ledger.Entry{}, a.entries...)
	withheld[8].Message = channel.Tombstone(withheld[8].Message.Stub())
	m := openMirror(t, newPath(t))
	require.NoError(t, m.Append(t.Context(), a.text, from(withheld, 0)))
	for _, copied := range []ledger.Ledger{m, m.Log, contract{m}} {
		_, err := Recover(t.Context(), a.path, a.o, copied)
		require.ErrorIs(t, err, ErrIncomplete)
		a.requireOld(t)
	}
	sure := a.o
	sure.AdoptRemoved = true
	_, err := Recover(t.Context(), a.path, sure, m)
	require.NoError(t, err)
	a.entries = withheld
	a.requireWhole(t)
}

// A longer history under the same key that does not begin with what the guard holds is a fork, also where no leaf is left to
// contradict it.
func TestRecoverOfAForkWritesNothing(t *testing.T) {
	a := newAccident(t)
	require.NoError(t, os.Remove(a.path))
	fork := openWith(t, newPath(t), options(t))
	write(t, fork, author(7), 20)
	_, err := Recover(t.Context(), a.path, a.o, fork)
	require.ErrorIs(t, err, ErrForked)
	assert.Empty(t, everything(t, a.reader(t, a.path)))
}

func TestRecoverOfAnotherLogsCopyIsRefused(t *testing.T) {
	a := newAccident(t)
	other, err := ledger.NewSigner("PRIVATE+KEY+log.example.com+db20f223+AclgcBDJpicy9iwyNZtNejV4z1JJLRoUqUK2hDpzoOSO")
	require.NoError(t, err)
	l := openWith(t, newPath(t), Options{Origin: "log.example.com", Signer: other, Now: time.Now, Create: true})
	write(t, l, author(0), 20)
	_, err = Recover(t.Context(), a.path, a.o, l)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	a.requireOld(t)
}

// What is recovered is there as a whole or not at all. The first transaction is of
// opening.
func TestKilledRecoveryLeavesTheLogAsItWas(t *testing.T) {
	for _, at := range []string{store.PointBegun + ":2", store.PointApplied + ":2", store.PointCommitted + ":2", PointGuarding + ":1"} {
		a := newAccident(t)
		cmd, _ := child(a.path, envGuard+"="+a.o.Guard, envFrom+"="+a.newest, envDieAt+"="+at)
		require.ErrorContains(t, cmd.Run(), "signal: killed", at)
		size := len(everything(t, a.reader(t, a.path)))
		assert.Contains(t, []int{5, 12}, size, at)
		r, err := Recover(t.Context(), a.path, a.o, a.reader(t, a.newest))
		require.NoError(t, err, at)
		assert.EqualValues(t, size, r.Before)
		a.requireWhole(t)
	}
}
