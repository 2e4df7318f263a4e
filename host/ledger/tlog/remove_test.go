package tlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

// removing are options that let every payload go.
func removing(t testing.TB) Options {
	o := options(t)
	o.Removable = func(channel.Message) error { return nil }
	return o
}

func TestContractOfRemoval(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		name := fresh(t)
		var under func(t *testing.T) ledgertest.Under
		under = func(t *testing.T) ledgertest.Under {
			l := openWith(t, name, removing(t))
			return ledgertest.Under{
				Ledger: l, List: l.List, Policy: policy(t), Reopen: under,
				Remove: func(ctx context.Context, id channel.ID, n uint64) error { return l.Remove(ctx, id, n, "asked for") },
			}
		}
		ledgertest.RunRemoval(t, under(t))
		requireClean(t, openAt(t, name))
	})
}

// What was removed is in no file any more: neither a short payload inside its page nor a
// long one on pages of its own.
func TestRemovedPayloadIsInNoFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log.db")
	l := openWith(t, path, removing(t))
	a := author(1)
	require.NoError(t, l.List(t.Context(), a.Channel()))
	var prev channel.Hash
	for n := range 40 {
		body := fmt.Sprintf("#%d secret of somebody %s", n, strings.Repeat("x", n*150))
		m := sign(t, a, uint64(n), prev, body)
		_, err := l.Submit(t.Context(), m)
		require.NoError(t, err)
		prev = m.Hash()
	}
	requireOccurs(t, dir, "#38 secret of somebody", true)
	for n := range 39 {
		require.NoError(t, l.Remove(t.Context(), a.Channel(), uint64(n), "asked for"))
		requireOccurs(t, dir, fmt.Sprintf("#%d secret of", n), false)
	}
	write(t, l, author(2), 3)
	report := requireClean(t, l)
	assert.EqualValues(t, 39, report.Removed)
}

func requireOccurs(t *testing.T, dir, text string, want bool) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := false
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		found = found || bytes.Contains(b, []byte(text))
	}
	require.Equal(t, want, found, text)
}

func TestRemoveRefuses(t *testing.T) {
	path := newPath(t)
	l := openAt(t, path)
	messages := write(t, l, author(1), 3)
	id := author(1).Channel()
	assert.ErrorIs(t, l.Remove(t.Context(), id, 0, "asked for"), ledger.ErrKept, "nobody said what may go")
	o := options(t)
	undecided := errors.New("it decides")
	o.Removable = func(m channel.Message) error {
		if m.Number() == 1 {
			return undecided
		}
		return nil
	}
	l = openWith(t, path, o)
	assert.ErrorIs(t, l.Remove(t.Context(), id, 1, "asked for"), undecided)
	assert.NotErrorIs(t, l.Remove(t.Context(), id, 1, "asked for"), ledger.ErrUnavailable, "to try again does not help")
	assert.ErrorIs(t, l.Remove(t.Context(), id, 2, "asked for"), ledger.ErrKept)
	for _, reason := range []string{"", " ", "two\nlines", "a\x00b", "\xff", strings.Repeat("x", maxReason+1), "line\u2028separator"} {
		assert.ErrorIs(t, l.Remove(t.Context(), id, 0, reason), ErrReason)
	}
	entries, err := l.Range(t.Context(), id, 0, 9)
	require.NoError(t, err)
	for n, m := range messages {
		assert.Equal(t, m, entries[n].Message)
	}
	reader, err := OpenReader(t.Context(), path, origin, o.Signer.VerifierKey())
	require.NoError(t, err)
	defer reader.Close()
	assert.ErrorIs(t, reader.Remove(t.Context(), id, 0, "asked for"), ErrReadOnly)
}

// Whoever can write the file alone cannot make others believe that the log removed
// something.
func TestRemovalThatTheLogDidNotSignIsAltered(t *testing.T) {
	path := newPath(t)
	l := openWith(t, path, removing(t))
	write(t, l, author(1), 4)
	write(t, l, author(2), 4)
	id := author(1).Channel()
	require.NoError(t, l.Remove(t.Context(), id, 1, "asked for"))
	before, err := l.after(t.Context(), ledger.Position{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, statement := range []string{
		"UPDATE entry SET payload = x'' WHERE leaf = 5",
		"DELETE FROM removal",
		"UPDATE removal SET leaf = 2",
		"UPDATE removal SET statement = x''",
		"UPDATE removal SET statement = CAST(" + fmt.Sprintf(flip, "statement") + " AS BLOB)",
		"UPDATE removal SET statement = CAST(replace(statement, 'asked for', 'asked fur') AS BLOB)",
		"UPDATE entry SET payload = CAST('message 1' AS BLOB) WHERE leaf = 1",
	} {
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		alter(t, path, statement)
		l := openAt(t, path)
		after, err := l.after(t.Context(), ledger.Position{})
		if assert.ErrorIs(t, err, ErrCorrupt, statement) {
			assert.Empty(t, after)
		}
		report, err := l.Check(t.Context(), nil)
		require.NoError(t, err)
		assert.NotEmpty(t, report.Findings, statement)
		require.NoError(t, l.Close())
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	after, err := openAt(t, path).after(t.Context(), ledger.Position{})
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Another process that has the message in memory compares it with the file.
func TestRemovalIsSeenByRunningProcesses(t *testing.T) {
	path := newPath(t)
	l, other := openWith(t, path, removing(t)), openAt(t, path)
	messages := write(t, l, author(1), 3)
	id := author(1).Channel()
	digest := sha256.Sum256(messages[1].Payload())
	_, err := other.Range(t.Context(), id, 0, 9)
	require.NoError(t, err)
	require.NoError(t, l.Remove(t.Context(), id, 1, "asked for"))
	for _, l := range []*Log{l, other} {
		entries, err := l.Range(t.Context(), id, 1, 1)
		require.NoError(t, err)
		assert.True(t, entries[0].Message.Removed())
		_, err = l.Payload(t.Context(), digest)
		assert.ErrorIs(t, err, channel.ErrRemoved)
	}
	same := sign(t, author(1), 3, messages[2].Hash(), "message 1")
	_, err = l.Submit(t.Context(), same)
	require.NoError(t, err)
	payload, err := l.Payload(t.Context(), digest)
	require.NoError(t, err, "another message carries the same")
	assert.Equal(t, "message 1", string(payload))
}

func FuzzRemoval(f *testing.F) {
	r := removal{origin, 7, channel.Hash{1}, time.UnixMilli(1790000000000).UTC(), "asked for"}
	f.Add(r.text())
	f.Add(strings.Replace(r.text(), "\n7\n", "\n+7\n", 1))
	f.Add(strings.Replace(r.text(), "\n7\n", "\n-1\n", 1))
	f.Add(removalHeader + "\n\n\n\n\n\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRemoval(text)
		if err == nil {
			require.Equal(t, text, r.text())
			require.True(t, isReason(r.reason))
		}
	})
}

// The statement is a signed note of its own kind: no checkpoint of any log reads so.
func TestStatementOfRemovalIsNoCheckpoint(t *testing.T) {
	l := openWith(t, newPath(t), removing(t))
	m := sign(t, author(1), 0, channel.Hash{}, "body")
	statement, err := l.signRemoval(ledger.Entry{Message: m, Index: 3}, "asked for")
	require.NoError(t, err)
	r, err := l.openRemoval(statement, 3, m.Hash())
	require.NoError(t, err)
	assert.Equal(t, "asked for", r.reason)
	_, err = l.openRemoval(statement, 4, m.Hash())
	assert.Error(t, err)
	_, err = l.openRemoval(statement, 3, channel.Hash{})
	assert.Error(t, err)
	_, err = note.Open(statement, note.VerifierList(l.verifier))
	require.NoError(t, err)
	_, err = ledger.ParseCheckpoint(statement, origin, l.verifier)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = ledger.ParseCheckpoint(statement, removalHeader, l.verifier)
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
}
