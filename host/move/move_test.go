package move_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// moves brings an installation to the ledger that there opens, and checks that each card goes on there and nowhere else.
func moves(t *testing.T, to string, cards int, there func(old *house) (lister, ledger.Policy)) {
	old := begin(t)
	var all []*taptest.Card
	used := map[*taptest.Card]string{}
	for n := range cards {
		c, url := old.register(fmt.Sprint("card ", n), n+1)
		all, used[c] = append(all, c), url
	}
	stranger := channel.NewAuthor(channel.Seed{9}, channel.Public)
	if to == newOrigin { // a network wants its author
		old.say(stranger, []byte("plain history"))
	}
	audit, err := old.authors.Audit(old.issuer())
	require.NoError(t, err)
	act := old.say(audit, recordtest.Body(record.AuditAct{By: "p_1", Act: "issuer.moved"}))
	before := old.cards()
	ended := old.end(to)
	assert.Equal(t, move.Ended{Issuers: 1, Cards: cards}, ended)
	for _, c := range all {
		v := old.update(used[c], validation.Moved)
		assert.Equal(t, record.StateMoved, v.State)
		v = old.update(c.Tap(), validation.Moved)
		assert.Equal(t, to, v.MovedTo)
	}
	text := old.export()
	l, policy := there(old)
	done := old.importTo(text, l)
	assert.Equal(t, uint64(cards+1), done.Continued)

	fresh := open(t, old.secrets, l, policy)
	assert.Equal(t, before, fresh.cards())
	for _, c := range all {
		fresh.update(used[c], validation.AlreadyUsed)
		v := fresh.update(c.Tap(), validation.Recorded)
		_, err := v.Evidence().Verify(policy)
		require.NoError(t, err)
		old.update(c.TapAt(c.Counter), validation.Moved)
		old.update(used[c], validation.Moved)
	}
	again := old.importTo(text, l)
	assert.Equal(t, done, again, "once more changes nothing")
	e, err := l.Head(t.Context(), audit.Channel())
	require.NoError(t, err)
	assert.Equal(t, act.Hash(), e.Message.Hash(), "what was administered goes along")
	if to == newOrigin {
		e, err := l.Head(t.Context(), stranger.Channel())
		require.NoError(t, err)
		assert.Zero(t, e.Message.Number())
	}
	report, err := ledger.Check(t.Context(), l, policy, nil)
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%v", report.Findings)
}

func TestCardsMoveToAnotherLog(t *testing.T) {
	moves(t, newOrigin, 3, func(*house) (lister, ledger.Policy) { return newLog(t, file(t, "new.db"), newOrigin) })
}

func TestCardsMoveToPostgreSQL(t *testing.T) {
	name := storetest.Postgres(t)
	moves(t, newOrigin, 2, func(*house) (lister, ledger.Policy) { return newLog(t, name, newOrigin) })
}

func TestACardMovesToAStardustNetwork(t *testing.T) {
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	moves(t, n.Name, 1, func(old *house) (lister, ledger.Policy) {
		o := stardust.Options{Archive: file(t, "archive.db"), Funding: n.Funding, Now: time.Now, Author: old.authors.Of}
		for _, node := range n.Nodes {
			o.Nodes = append(o.Nodes, stardust.Node(node))
		}
		l, err := stardust.Open(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, l.Close()) })
		c := ledger.Coordinator{Network: n.Name, Threshold: len(n.Coordinator)}
		for _, key := range n.Coordinator {
			c.Keys = append(c.Keys, fmt.Sprintf("%x", []byte(key)))
		}
		return l, ledger.Policy{Coordinators: []ledger.Coordinator{c}}
	})
}

// A card goes on to a third ledger, and back to the first: each time it lives where it went last.
func TestCardsMoveOnAndBack(t *testing.T) {
	first := begin(t)
	c, _ := first.register("card", 2)
	second, p2 := newLog(t, file(t, "second.db"), newOrigin)
	first.end(newOrigin)
	first.importTo(first.export(), second)
	there := open(t, first.secrets, second, p2)
	there.update(c.Tap(), validation.Recorded)
	late, _ := there.register("registered there", 1)

	third, p3 := newLog(t, file(t, "third.db"), "third.example.com")
	there.end("third.example.com")
	there.importTo(there.export(), third)
	further := open(t, first.secrets, third, p3)
	further.update(c.Tap(), validation.Recorded)
	further.update(late.Tap(), validation.Recorded)
	there.update(c.TapAt(c.Counter), validation.Moved)

	further.end(oldOrigin)
	further.importTo(further.export(), first.ledger)
	home := open(t, first.secrets, first.ledger, first.policy)
	home.update(c.TapAt(c.Counter), validation.AlreadyUsed)
	home.update(c.Tap(), validation.Recorded)
	home.update(late.Tap(), validation.Recorded)
	further.update(c.TapAt(c.Counter), validation.Moved)
}

// What follows on the new ledger can be copied to the old one by anybody who reads both. There it decides nothing.
func TestCopiesOfTheNewLedgerBringNothingBack(t *testing.T) {
	old := begin(t)
	c, _ := old.register("card", 1)
	old.end(newOrigin)
	l, p := newLog(t, file(t, "new.db"), newOrigin)
	old.importTo(old.export(), l)
	fresh := open(t, old.secrets, l, p)
	fresh.update(c.Tap(), validation.Recorded)
	late, _ := fresh.register("late", 1)
	require.NoError(t, l.Follow(t.Context(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		for _, e := range batch {
			require.NoError(t, old.ledger.List(t.Context(), e.Message.Channel()))
			_, err := ledger.Record(t.Context(), old.ledger, e.Message)
			require.NoError(t, err)
		}
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		return nil
	}))
	for _, card := range []*taptest.Card{c, late} {
		require.NoError(t, old.registry.Sync(t.Context()))
		old.update(card.Tap(), validation.Moved)
		fresh.update(card.TapAt(card.Counter), validation.Recorded)
	}
}

func TestNothingIsImportedThatWouldLiveTwice(t *testing.T) {
	old := begin(t)
	old.register("card", 1)
	_, err := old.check(old.export())
	require.ErrorIs(t, err, move.ErrNotMoved, "a copy")
	old.end(newOrigin)
	text := old.export()
	plan, err := old.check(text)
	require.NoError(t, err)
	other, _ := newLog(t, file(t, "other.db"), "other.example.com")
	_, err = plan.Import(t.Context(), bytes.NewReader(text), move.Destination{Ledger: other, List: other, Now: time.Now})
	require.ErrorIs(t, err, move.ErrNotMoved)
	info, err := other.Info(t.Context())
	require.NoError(t, err)
	assert.Zero(t, info.Size)
	_, err = old.ending("third.example.com").End(t.Context())
	require.ErrorIs(t, err, move.ErrNotMoved, "it goes to one ledger")
	nobody, err := secrets.New(oldOrigin, "nobody", "", rand.NewChaCha8([32]byte{7}), time.Now())
	require.NoError(t, err)
	_, err = move.Check(t.Context(), bytes.NewReader(text), old.policy, secrets.NewAuthors(nobody), nil)
	require.ErrorIs(t, err, move.ErrNothing)
}

// A card that its station did not finish goes along, and is finished where it went.
func TestUnfinishedCardsGoAlong(t *testing.T) {
	old := begin(t)
	old.register("finished", 1)
	c, _ := old.register("unfinished", -1)
	assert.Equal(t, move.Ended{Issuers: 1, Cards: 1, Unfinished: 1}, old.end(newOrigin))
	l, p := newLog(t, file(t, "new.db"), newOrigin)
	old.importTo(old.export(), l)
	fresh := open(t, old.secrets, l, p)
	author, err := fresh.authors.Taps(fresh.issuer(), c.ID())
	require.NoError(t, err)
	body, err := record.CardInService{Last: c.Counter, State: record.StateInService}.Encode()
	require.NoError(t, err)
	fresh.say(author, body)
	fresh.update(c.Tap(), validation.Recorded)
}

var errKilled = errors.New("killed")

// An import that is broken off before any message goes on where it stopped, and comes to the same.
func TestAnImportIsRepeatedAfterACrash(t *testing.T) {
	old := begin(t)
	for n := range 3 {
		old.register(fmt.Sprint("card ", n), n+1)
	}
	before := old.cards()
	old.end(newOrigin)
	text := old.export()
	random := rand.New(rand.NewChaCha8([32]byte{4}))
	for range 8 {
		l, p := newLog(t, file(t, "new.db"), newOrigin)
		for crashes := 0; ; crashes++ {
			left := 1 + random.IntN(20)
			if crashes == 10 {
				left = 1 << 30
			}
			plan, err := old.check(text)
			require.NoError(t, err)
			count := make(chan struct{}, left)
			for range min(left, 1000) {
				count <- struct{}{}
			}
			_, err = plan.Import(t.Context(), bytes.NewReader(text), move.Destination{Ledger: l, List: l, Now: time.Now, Hook: func(channel.Message) error {
				select {
				case <-count:
					return nil
				default:
					return errKilled
				}
			}})
			if err == nil {
				break
			}
			require.ErrorIs(t, err, errKilled)
		}
		fresh := open(t, old.secrets, l, p)
		assert.Equal(t, before, fresh.cards())
		info, err := l.Info(t.Context())
		require.NoError(t, err)
		assert.Equal(t, uint64(strings.Count(string(text), "\n")-2+4), info.Size, "each message once, and one for each channel that goes on")
	}
}

func TestTheContinuationNamesTheEvidence(t *testing.T) {
	old := begin(t)
	c, _ := old.register("card", 1)
	old.end(newOrigin)
	text := old.export()
	l, _ := newLog(t, file(t, "new.db"), newOrigin)
	old.importTo(text, l)
	author, err := old.authors.Taps(old.issuer(), c.ID())
	require.NoError(t, err)
	head, err := l.Head(t.Context(), author.Channel())
	require.NoError(t, err)
	body, err := head.Message.Body()
	require.NoError(t, err)
	r, err := record.Parse(body)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		e, err := ledger.ParseEvidence([]byte(line))
		if err == nil && e.Message.Hash() == head.Message.Prev() {
			assert.Equal(t, channel.Hash(sha256.Sum256([]byte(strings.TrimSuffix(line, "\n")))), r.Value.(record.ChannelContinued).Evidence)
			return
		}
	}
	t.Fatal("the message before stands not in the export")
}

func TestALineThatDoesNotHoldIsNamed(t *testing.T) {
	old := begin(t)
	old.register("card", 2)
	old.end(newOrigin)
	lines := strings.SplitAfter(string(old.export()), "\n")
	lines = lines[:len(lines)-1]
	last := len(lines) - 1
	for name, row := range map[string]struct {
		change func(l []string) []string
		want   string
		err    error
	}{
		"a proof of another":   {func(l []string) []string { l[3] = splice(l[3], l[4]); return l }, "line 4: ", ledger.ErrInvalidProof},
		"a message left out":   {func(l []string) []string { return append(l[:4], l[5:]...) }, "line 5: ", move.ErrDoubtful},
		"two in another order": {func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, "line 4: ", move.ErrDoubtful},
		"one twice":            {func(l []string) []string { return append(l[:4:4], l[3:]...) }, "line 5: ", move.ErrDoubtful},
		"no end":               {func(l []string) []string { return l[:last] }, fmt.Sprintf("line %d: ", last+1), move.ErrMalformed},
		"cut in a line":        {func(l []string) []string { l[4] = l[4][:100]; return l[:5] }, "line 5: ", move.ErrMalformed},
		"another end":          {func(l []string) []string { l[last] = "{\"messages\":3}\n"; return l }, fmt.Sprintf("line %d: ", last+1), move.ErrMalformed},
		"something behind":     {func(l []string) []string { return append(l, "\n") }, fmt.Sprintf("line %d: ", last+1), move.ErrMalformed},
		"another header":       {func(l []string) []string { l[0] = strings.Replace(l[0], `"export":1`, `"export":2`, 1); return l }, "line 1: ", move.ErrMalformed},
		"a longer header":      {func(l []string) []string { l[0] = strings.Replace(l[0], `{`, `{ `, 1); return l }, "line 1: ", move.ErrMalformed},
		"another ledger":       {func(l []string) []string { l[0] = strings.Replace(l[0], oldOrigin, "other.example.com", 1); return l }, "line 2: ", move.ErrDoubtful},
		"a line too long":      {func(l []string) []string { l[2] = strings.Repeat(" ", 1<<20) + l[2]; return l }, "line 3: ", move.ErrMalformed},
		"an empty file":        {func(l []string) []string { return nil }, "line 1: ", move.ErrMalformed},
	} {
		changed := row.change(append([]string{}, lines...))
		_, err := old.check([]byte(strings.Join(changed, "")))
		require.ErrorIs(t, err, row.err, name)
		assert.Contains(t, err.Error(), row.want, name)
	}
	_, err := old.check([]byte(strings.Join(lines, "")))
	require.NoError(t, err)
	_, err = move.Check(context.Background(), strings.NewReader(strings.Join(lines, "")), ledger.Policy{}, old.authors, nil)
	require.ErrorIs(t, err, ledger.ErrInvalidProof, "nobody is trusted")
}

// splice is a line with the proof of another.
func splice(line, other string) string {
	const proof = `"proof":`
	return line[:strings.Index(line, proof)] + other[strings.Index(other, proof):]
}

func TestAnExportIsWholeOrNotThere(t *testing.T) {
	old := begin(t)
	path := file(t, "export")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err := move.Export(t.Context(), old.ledger, path, time.Now(), nil)
	require.ErrorIs(t, err, fs.ErrExist)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = move.Export(ctx, old.ledger, path+".2", time.Now(), nil)
	require.Error(t, err)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else was left behind")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(text))
}

func TestTheHeaderIsRead(t *testing.T) {
	old := begin(t)
	h, err := move.ReadHeader(bytes.NewReader(old.export()))
	require.NoError(t, err)
	assert.Equal(t, oldOrigin, h.Origin)
	assert.Equal(t, "tlog", h.Kind)
	_, err = move.ReadHeader(strings.NewReader("{}\n"))
	require.ErrorIs(t, err, move.ErrMalformed)
}
