package audit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

const origin = "log.example.com/test"

func signer(t *testing.T) ledger.Signer {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("audit", 20)), origin)
	require.NoError(t, err)
	s, err := ledger.NewSigner(private)
	require.NoError(t, err)
	return s
}

// acme is the one issuer of these tests.
func acme(t *testing.T) (*secrets.Authors, channel.ID) {
	s, err := secrets.New(origin, "Acme", "", mathrand.NewChaCha8([32]byte{1}), time.Unix(1_700_000_000, 0))
	require.NoError(t, err)
	return secrets.NewAuthors(s), s.Issuers[0].Author().Channel()
}

// lister is a ledger that channels are admitted to.
type lister interface {
	ledger.Ledger
	registry.Lister
}

func on(t *testing.T, l lister) (*audit.Log, channel.ID) {
	authors, issuer := acme(t)
	return audit.New(audit.Options{Ledger: l, List: l, Authors: authors, Now: time.Now, Random: rand.Reader}), issuer
}

// broken ends submissions with an error, before or after the message is recorded.
type broken struct {
	*ledger.Memory
	err    error
	stored bool
}

func (b *broken) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if b.err != nil && !b.stored {
		return ledger.Receipt{}, b.err
	}
	r, err := b.Memory.Submit(ctx, m)
	return r, errors.Join(b.err, err)
}

func memory(t *testing.T) *broken {
	return &broken{Memory: ledger.NewMemory(origin, signer(t), time.Now)}
}

func acts(entries []audit.Entry) (subjects []string) {
	for _, e := range entries {
		subjects = append(subjects, e.Subject)
	}
	return subjects
}

func TestActsAreListedNewestFirst(t *testing.T) {
	l := memory(t)
	log, issuer := on(t, l)
	none, err := log.List(t.Context(), issuer, 0, 10)
	require.NoError(t, err)
	assert.Empty(t, none, "nothing was administered yet")
	for n := range 7 {
		require.NoError(t, log.Act(t.Context(), issuer, audit.Act{By: "p_1", Act: "card.revoked", Subject: fmt.Sprint(n), Detail: "why"}))
	}
	first, err := log.List(t.Context(), issuer, 0, 3)
	require.NoError(t, err)
	assert.Equal(t, []string{"6", "5", "4"}, acts(first))
	assert.Equal(t, audit.Act{By: "p_1", Act: "card.revoked", Subject: "6", Detail: "why"}, first[0].Act)
	assert.WithinDuration(t, time.Now(), first[0].Time, time.Minute)
	second, err := log.List(t.Context(), issuer, first[2].Number, 3)
	require.NoError(t, err)
	assert.Equal(t, []string{"3", "2", "1"}, acts(second))
	last, err := log.List(t.Context(), issuer, second[2].Number, 3)
	require.NoError(t, err)
	assert.Equal(t, []string{"0"}, acts(last))
	assert.Zero(t, last[0].Number)
	for _, n := range []int{0, -1} {
		none, err := log.List(t.Context(), issuer, 0, n)
		require.NoError(t, err)
		assert.Empty(t, none)
	}
	beyond, err := log.List(t.Context(), issuer, 1000, 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"6"}, acts(beyond))
}

// A reader of the ledger sees that something was administered, and neither what nor by whom.
func TestActsAreReadableWithAKeyOnly(t *testing.T) {
	l := memory(t)
	log, issuer := on(t, l)
	require.NoError(t, log.Act(t.Context(), issuer, audit.Act{By: "p_1", Act: "card.revoked", Subject: "subject"}))
	authors, _ := acme(t)
	author, err := authors.Audit(issuer)
	require.NoError(t, err)
	head, err := l.Head(t.Context(), author.Channel())
	require.NoError(t, err)
	_, err = head.Message.Body()
	require.ErrorIs(t, err, channel.ErrCannotOpen)
	assert.NotContains(t, string(head.Message.Bytes()), "revoked")
	for opened, err := range ledger.Read(t.Context(), l, author.Capability(0, 0), 0) {
		require.NoError(t, err)
		act, err := record.ParseAuditAct(opened.Body)
		require.NoError(t, err)
		assert.Equal(t, "subject", act.Subject)
	}
}

func TestWhatIsNotRecordedIsAnError(t *testing.T) {
	l := memory(t)
	log, issuer := on(t, l)
	act := audit.Act{By: "p_1", Act: "key.created"}
	l.err = ledger.ErrUnavailable
	assert.ErrorIs(t, log.Act(t.Context(), issuer, act), ledger.ErrUnavailable)
	l.err, l.stored = ledger.ErrUncertain, true
	assert.ErrorIs(t, log.Act(t.Context(), issuer, act), ledger.ErrUncertain)
	l.err = nil
	require.NoError(t, log.Act(t.Context(), issuer, act))
	entries, err := log.List(t.Context(), issuer, 0, 10)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "what was uncertain stands there; what was refused does not")

	assert.ErrorIs(t, log.Act(t.Context(), channel.ID{9}, act), secrets.ErrElsewhere)
	_, err = log.List(t.Context(), channel.ID{9}, 0, 1)
	assert.ErrorIs(t, err, secrets.ErrElsewhere)
	for _, bad := range []audit.Act{{}, {By: "p"}, {Act: "a"}, {By: "p", Act: "a\xff"}, {By: "p", Act: "a", Detail: strings.Repeat("x", 8000)}} {
		assert.ErrorIs(t, log.Act(t.Context(), issuer, bad), record.ErrMalformed)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, log.Act(ended, issuer, act))
}

// What cannot be shown takes its place in the list: what was administered around it is seen all the same.
func TestWhatCannotBeShownHidesNothingElse(t *testing.T) {
	l := memory(t)
	log, issuer := on(t, l)
	act := audit.Act{By: "p_1", Act: "key.created", Subject: "1"}
	require.NoError(t, log.Act(t.Context(), issuer, act))
	authors, _ := acme(t)
	author, err := authors.Audit(issuer)
	require.NoError(t, err)
	head, err := l.Head(t.Context(), author.Channel())
	require.NoError(t, err)
	foreign, err := author.Sign(channel.Draft{Number: 1, Prev: head.Message.Hash(), Time: time.Now(), Body: []byte(`{"kind":"other"}`), Random: rand.Reader})
	require.NoError(t, err)
	_, err = ledger.Record(t.Context(), l, foreign)
	require.NoError(t, err)
	act.Subject = "2"
	require.NoError(t, log.Act(t.Context(), issuer, act))
	require.NoError(t, l.Remove(t.Context(), author.Channel(), 0))
	entries, err := log.List(t.Context(), issuer, 0, 10)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Equal(t, act, entries[0].Act)
	require.NoError(t, entries[0].Unreadable)
	assert.ErrorIs(t, entries[1].Unreadable, record.ErrMalformed)
	assert.ErrorIs(t, entries[2].Unreadable, channel.ErrRemoved)
}

// Two processes write for one issuer at once: every act gets a number of its own, and none is lost.
func TestManyActAtOnce(t *testing.T) {
	const each = 25
	for name, place := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "log.db") },
		"postgres": storetest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			where := place(t)
			var logs []*audit.Log
			var issuer channel.ID
			for n := range 2 {
				l, err := tlog.Open(t.Context(), where, tlog.Options{Origin: origin, Signer: signer(t), Now: time.Now, Create: n == 0})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, l.Close()) })
				log, id := on(t, l)
				logs, issuer = append(logs, log), id
			}
			var all sync.WaitGroup
			for n := range 2 * each {
				all.Go(func() {
					assert.NoError(t, logs[n%2].Act(t.Context(), issuer, audit.Act{By: "p", Act: "a", Subject: fmt.Sprint(n)}))
				})
			}
			all.Wait()
			entries, err := logs[0].List(t.Context(), issuer, 0, 1000)
			require.NoError(t, err)
			require.Len(t, entries, 2*each)
			seen := map[string]bool{}
			for i, e := range entries {
				require.NoError(t, e.Unreadable)
				assert.Equal(t, uint64(2*each-1-i), e.Number)
				seen[e.Subject] = true
			}
			assert.Len(t, seen, 2*each)
		})
	}
}
