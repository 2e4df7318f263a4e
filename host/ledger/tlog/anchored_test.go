package tlog

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
)

func TestLesserAnchorChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		path := fresh(t)
		l := openAt(t, path)
		none, _, err := l.Anchored(t.Context())
		require.NoError(t, err)
		assert.Nil(t, none)
		write(t, l, author(1), 2)
		small, c, err := l.Anchorable(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, c.Size)
		write(t, l, author(2), 2)
		large, _, err := l.Anchorable(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.KeepAnchor(t.Context(), large, []byte("evidence")))
		require.NoError(t, l.KeepAnchor(t.Context(), small, []byte("lesser")))
		for _, l := range []*Log{l, openAt(t, path)} {
			checkpoint, evidence, err := l.Anchored(t.Context())
			require.NoError(t, err)
			assert.Equal(t, string(large), string(checkpoint))
			assert.Equal(t, "evidence", string(evidence))
			info, err := l.Info(t.Context())
			require.NoError(t, err)
			assert.Equal(t, ledger.Anchored, info.Highest)
		}
		require.NoError(t, l.KeepAnchor(t.Context(), large, []byte("newer evidence")))
		_, evidence, err := l.Anchored(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "newer evidence", string(evidence))
	})
}

func TestAnchorOfAnotherHistoryIsRefused(t *testing.T) {
	path := newPath(t)
	l, other := openAt(t, path), openAt(t, newPath(t))
	write(t, l, author(1), 2)
	write(t, other, author(2), 2)
	fork := cosigned(t, other)
	assert.ErrorIs(t, l.KeepAnchor(t.Context(), fork, nil), ledger.ErrNoPosition)
	write(t, other, author(3), 2)
	assert.ErrorIs(t, l.KeepAnchor(t.Context(), cosigned(t, other), nil), ledger.ErrNoPosition)
	assert.ErrorIs(t, l.KeepAnchor(t.Context(), []byte("no checkpoint"), nil), ledger.ErrInvalidProof)
	reader, err := OpenReader(t.Context(), path, origin, l.key)
	require.NoError(t, err)
	defer reader.Close()
	assert.ErrorIs(t, reader.KeepAnchor(t.Context(), cosigned(t, l), nil), ErrReadOnly)

	require.NoError(t, l.KeepAnchor(t.Context(), cosigned(t, l), []byte("evidence")))
	l.anchored.Store(nil)
	require.NoError(t, l.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE anchored SET checkpoint = $1", fork)
		return err
	}))
	_, _, err = l.Anchored(t.Context())
	assert.ErrorIs(t, err, ErrCorrupt)
}

func TestAnchoredIsWitnessedWhereThereAreWitnesses(t *testing.T) {
	o := witnessedBy(t)
	l := openWith(t, newPath(t), o)
	trusted := policy(t)
	trusted.Witnesses, trusted.Quorum = o.Witnesses, o.Quorum
	messages := write(t, l, author(1), 3)
	r := ledger.Receipt{Channel: messages[2].Channel(), Number: 2, Hash: messages[2].Hash()}
	text, _, err := l.Anchorable(t.Context())
	require.NoError(t, err)
	assert.Nil(t, text, "no quorum yet")
	require.NoError(t, l.KeepAnchor(t.Context(), cosigned(t, l), []byte("evidence")))

	done := make(chan error)
	var anchored ledger.Receipt
	go func() {
		var err error
		anchored, err = l.Await(t.Context(), r, ledger.Anchored)
		done <- err
	}()
	select {
	case <-done:
		t.Fatal("anchored without witnesses")
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, l.Cosign(t.Context(), cosigned(t, l, 1, 2)))
	require.NoError(t, <-done)
	assert.Equal(t, ledger.Anchored, anchored.Phase)
	_, err = trusted.Verify(messages[2], anchored.Proof)
	require.NoError(t, err)
	text, _, err = l.Anchorable(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(cosignedNow(t, l)), string(text))
}

func cosignedNow(t testing.TB, l *Log) []byte {
	text, err := l.Checkpoint(t.Context())
	require.NoError(t, err)
	return text
}

func TestLeaseIsHeldByOne(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		path := fresh(t)
		logs := []*Log{openAt(t, path), openAt(t, path)}
		now := time.UnixMilli(1790000000000)
		lease := func(l *Log, work, holder string, at time.Duration) bool {
			held, err := l.Lease(t.Context(), work, holder, now.Add(at), now.Add(at+time.Second))
			require.NoError(t, err)
			return held
		}
		assert.True(t, lease(logs[0], "work", "one", 0))
		assert.False(t, lease(logs[1], "work", "two", 500*time.Millisecond))
		assert.True(t, lease(logs[1], "other work", "two", 500*time.Millisecond))
		assert.True(t, lease(logs[0], "work", "one", 900*time.Millisecond), "renewed")
		assert.False(t, lease(logs[1], "work", "two", 1900*time.Millisecond))
		assert.True(t, lease(logs[1], "work", "two", 1901*time.Millisecond), "it ended")
		assert.False(t, lease(logs[0], "work", "one", 2*time.Second))
	})
}

func TestHaltedLogSaysWhy(t *testing.T) {
	l := openAt(t, newPath(t))
	messages := write(t, l, author(1), 1)
	reason := errors.New("somebody showed another history")
	following := make(chan error)
	go func() {
		following <- l.Follow(t.Context(), ledger.Position{}, func([]ledger.Entry, ledger.Position) error { return nil })
	}()
	l.Halt(reason)
	l.Halt(errors.New("the first counts"))
	for _, err := range []error{<-following, l.List(t.Context(), author(2).Channel()), l.usable()} {
		assert.ErrorIs(t, err, reason)
		assert.ErrorIs(t, err, ledger.ErrUnavailable)
	}
	_, err := l.Submit(t.Context(), sign(t, author(1), 1, messages[0].Hash(), "more"))
	assert.ErrorIs(t, err, reason)
}
