package tlog

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func TestReaderNeedsNoSignerAndTakesNothing(t *testing.T) {
	path := newPath(t)
	h := written(t, path)
	copied := newPath(t)
	copyFile(t, path, copied)
	before, err := os.ReadFile(copied)
	require.NoError(t, err)
	key := options(t).Signer.VerifierKey()
	l, err := OpenReader(t.Context(), copied, origin, key)
	require.NoError(t, err)
	require.Zero(t, h.requireNeverWrong(t, l))
	requireClean(t, l)
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, key, info.VerifierKey)
	_, err = l.Submit(t.Context(), sign(t, author(0), 1, h.entries[author(0).Channel()][0].Message.Hash(), "more"))
	assert.ErrorIs(t, err, ErrReadOnly)
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
	assert.ErrorIs(t, l.List(t.Context(), channel.ID{1}), ErrReadOnly)
	require.NoError(t, l.Close())
	after, err := os.ReadFile(copied)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	_, err = OpenReader(t.Context(), copied, "log.example/other", key)
	assert.ErrorIs(t, err, ErrOtherLog)
	_, err = OpenReader(t.Context(), newPath(t), origin, key)
	assert.ErrorIs(t, err, ErrMissing)
}

func TestReaderFollowsALiveLog(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) { readerFollows(t, fresh(t)) })
}

func readerFollows(t *testing.T, path string) {
	l := openAt(t, path)
	messages := write(t, l, author(0), 2)
	reader, err := OpenReader(t.Context(), path, origin, options(t).Signer.VerifierKey())
	require.NoError(t, err)
	defer reader.Close()
	var got []channel.Hash
	next := sign(t, author(0), 2, messages[1].Hash(), "next")
	require.NoError(t, reader.Follow(t.Context(), ledger.Position{}, func(entries []ledger.Entry, _ ledger.Position) error {
		for _, e := range entries {
			got = append(got, e.Message.Hash())
		}
		if len(got) == 3 {
			return ledger.ErrStop
		}
		if len(entries) > 0 {
			return nil
		}
		_, err := l.Submit(t.Context(), next)
		return err
	}))
	assert.Equal(t, []channel.Hash{messages[0].Hash(), messages[1].Hash(), next.Hash()}, got)
}
