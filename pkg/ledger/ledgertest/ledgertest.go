// Package ledgertest holds the tests that every ledger passes, whatever it is
// made of: what package ledger promises, one ledger after the other.
package ledgertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Backend is a kind of ledger to be tested.
type Backend struct {
	// Open returns a ledger for one test, and cleans up after the test. It may hold
	// entries of others already.
	Open func(t *testing.T) Under
	// Histories is how many random histories are made, for a ledger on which each
	// step takes its time. 0 leaves it to the flag rapid.checks.
	Histories int
}

// Under is a ledger under test, with what its tests need beside the contract.
type Under struct {
	Ledger ledger.Ledger
	// List admits channels, durable on return.
	List func(ctx context.Context, ids ...channel.ID) error
	// Know makes an author known to the ledger before he writes, where the ledger needs
	// his signature for its own. Nil where it does not.
	Know func(*channel.Author)
	// Policy trusts this ledger, and every key that signs its proofs.
	Policy ledger.Policy

	// Another returns one more ledger over the same storage, as another process
	// would open it. Nil where there can be only one.
	Another func(t *testing.T) ledger.Ledger
	// Reopen gives the ledger up as a killed process does, without Close, and
	// opens what is durable. Nil for a ledger that keeps nothing.
	Reopen func(t *testing.T) Under
	// Fail makes the next submission fail so. Nil for a ledger without a hook.
	Fail func(t *testing.T, f Failure)
	// Prune makes whatever the ledger stands on forget all that it can of what is
	// recorded now. Nil where nothing is ever forgotten.
	Prune func(t *testing.T)
	// Remove takes the payload of a message away for good. Nil for a ledger that keeps
	// all for ever.
	Remove func(ctx context.Context, id channel.ID, number uint64) error
}

// Failure is a way in which a submission fails.
type Failure int

const (
	// Lost: nothing is stored, and Submit returns ErrUnavailable or ErrUncertain.
	Lost Failure = iota
	// Stored: the message is recorded, and Submit returns ErrUncertain all the same.
	Stored
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// suite counts what one run over a backend has seen.
type suite struct {
	histories                          int
	races, winners, tampered, accepted atomic.Int64
}

// test is one test of the suite, on a ledger of its own.
type test struct {
	name string
	run  func(*testing.T, Under)
}

// Run tests a backend. At its end it logs how many races it ran, how many
// winners they had, how many tampered bytes it offered and how many were accepted.
// The flag rapid.checks sets how many random histories it makes, unless the backend
// does.
func Run(t *testing.T, b Backend) {
	s := &suite{histories: b.Histories}
	for _, test := range s.tests(b.Open(t)) {
		t.Run(test.name, func(t *testing.T) { test.run(t, b.Open(t)) })
	}
	report(t, fmt.Sprintf("races run %d, winners %d, bytes of proofs tampered %d, accepted %d",
		s.races.Load(), s.winners.Load(), s.tampered.Load(), s.accepted.Load()))
}

// report logs what a run has seen, and adds it to the file that the environment names for that: go test shows no log of a test
// that passes.
func report(t *testing.T, seen string) {
	t.Log(seen)
	name := os.Getenv("PRODUCTID_REPORT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = fmt.Fprintf(f, "%s %s: %s\n", strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"), t.Name(), seen)
	require.NoError(t, errors.Join(err, f.Close()))
}

// tests returns what can be tested with the hooks of this ledger.
func (s *suite) tests(u Under) []test {
	tests := []test{
		{"InfoDescribesTheLedger", s.info},
		{"SubmitRecords", s.submitRecords},
		{"SubmitRefuses", s.submitRefuses},
		{"SubmitRefusesForeignSignature", s.submitRefusesForeignSignature},
		{"SubmitRefusesOversize", s.submitRefusesOversize},
		{"SecondMessageForANumberIsConflict", s.equivocation},
		{"IdenticalBytesGetTheFirstReceipt", s.resubmission},
		{"ListedTwiceIsListed", s.listedTwice},
		{"RaceOfTwoWriters", func(t *testing.T, u Under) { s.race(t, u, 2, 20) }},
		{"RaceOfFiftyWriters", func(t *testing.T, u Under) { s.race(t, u, 50, 4) }},
		{"RaceOfIdenticalBytes", s.identicalRace},
		{"AwaitTellsHowFar", s.await},
		{"HeadAndRange", s.headAndRange},
		{"EveryMessageIsProved", s.prove},
		{"TamperedBytesAreRefused", s.tamper},
		{"EndedContextWritesNothing", s.cancelled},
		{"ContextEndingMidwayIsHonest", s.cancelledMidway},
		{"FollowFromEachPosition", s.followFromEachPosition},
		{"FollowDeliversWhatIsNew", s.followNew},
		{"FollowEnds", s.followEnds},
		{"CloseEndsAll", s.closed},
		{"RandomHistoriesAreChains", s.randomHistories},
	}
	if u.Reopen != nil {
		tests = append(tests, test{"CrashBetweenSubmitAndAwait", s.crash}, test{"RestartKeepsAll", s.restart})
	}
	if u.Prune != nil {
		tests = append(tests, test{"PrunedHistoryStillVerifies", s.pruned})
	}
	if u.Remove != nil {
		tests = append(tests, test{"RemovedPayloadsAreNowhere", s.remove})
	}
	if u.Fail != nil {
		tests = append(tests,
			test{"LostSubmissionCanBeRepeated", s.lost},
			test{"StoredSubmissionIsFound", s.stored},
			test{"AcknowledgedIsNeverLost", func(t *testing.T, u Under) {
				s.acknowledged(t, s.acknowledged(t, u, Lost), Stored)
			}})
	}
	return tests
}

// chain is a channel that a test writes.
type chain struct {
	author *channel.Author
	next   uint64
	prev   channel.Hash
}

// newChain returns a fresh channel that the ledger has admitted.
func newChain(t require.TestingT, u Under, mode channel.Mode) *chain {
	var seed channel.Seed
	_, err := rand.Read(seed[:])
	require.NoError(t, err)
	c := &chain{author: channel.NewAuthor(seed, mode)}
	if u.Know != nil {
		u.Know(c.author)
	}
	require.NoError(t, u.List(context.Background(), c.author.Channel()))
	return c
}

func (c *chain) id() channel.ID { return c.author.Channel() }

// sign returns a message for the channel's next number, and leaves that open.
func (c *chain) sign(t require.TestingT, body string) channel.Message {
	return sign(t, c.author, c.next, c.prev, body)
}

func sign(t require.TestingT, a *channel.Author, n uint64, prev channel.Hash, body string) channel.Message {
	m, err := a.Sign(channel.Draft{Number: n, Prev: prev, Time: time.UnixMilli(1790000000000), Body: []byte(body), Random: rand.Reader})
	require.NoError(t, err)
	return m
}

// follows makes m the last message of the chain.
func (c *chain) follows(m channel.Message) { c.next, c.prev = m.Number()+1, m.Hash() }

// write records one more message and returns its receipt.
func (c *chain) write(t require.TestingT, u Under, body string) (channel.Message, ledger.Receipt) {
	m := c.sign(t, body)
	r, err := record(u.Ledger, m)
	require.NoError(t, err)
	c.follows(m)
	return m, r
}

// record submits m and waits until it is final.
func record(l ledger.Ledger, m channel.Message) (ledger.Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := l.Submit(ctx, m)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return l.Await(ctx, r, ledger.Final)
}

// requireReceipt checks every field of a final receipt of m, and its proof.
func requireReceipt(t require.TestingT, u Under, m channel.Message, r ledger.Receipt) {
	require.Equal(t, m.Channel(), r.Channel)
	require.Equal(t, m.Number(), r.Number)
	require.Equal(t, m.Hash(), r.Hash)
	require.Equal(t, ledger.Final, r.Phase)
	require.Equal(t, r.Time.Truncate(time.Millisecond).UTC(), r.Time)
	verified, err := u.Policy.Verify(m, r.Proof)
	require.NoError(t, err)
	require.Equal(t, r, verified)
}

// requireConflict checks that err names the winner as the ledger recorded it.
func requireConflict(t require.TestingT, err error, winner ledger.Receipt) {
	var conflict *ledger.Conflict
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, winner, conflict.Winner.Receipt(winner.Ledger, winner.Phase, winner.Proof))
}

// requireSame checks that two receipts differ in nothing but their proofs, which hold both.
func requireSame(t require.TestingT, u Under, m channel.Message, first, again ledger.Receipt) {
	requireReceipt(t, u, m, first)
	requireReceipt(t, u, m, again)
	first.Proof = again.Proof
	require.Equal(t, first, again)
}

// requireChain checks that the channel holds exactly these messages, in order.
func requireChain(t require.TestingT, u Under, id channel.ID, mode channel.Mode, want ...channel.Hash) {
	entries, err := u.Ledger.Range(context.Background(), id, 0, len(want)+1)
	if len(want) == 0 {
		require.ErrorIs(t, err, ledger.ErrNoChannel)
		return
	}
	require.NoError(t, err)
	require.Len(t, entries, len(want))
	var prev channel.Hash
	for n, e := range entries {
		require.NoError(t, e.Message.Check(id, mode, uint64(n), prev))
		require.Equal(t, want[n], e.Message.Hash())
		prev = e.Message.Hash()
	}
	head, err := u.Ledger.Head(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, entries[len(entries)-1], head)
}

// size returns the number of the ledger's entries.
func size(t require.TestingT, l ledger.Ledger) uint64 {
	info, err := l.Info(context.Background())
	require.NoError(t, err)
	return info.Size
}

// isFailure reports whether err leaves open whether m was recorded, or says that it was not now.
func isFailure(err error) bool {
	return errors.Is(err, ledger.ErrUncertain) || errors.Is(err, ledger.ErrUnavailable)
}
