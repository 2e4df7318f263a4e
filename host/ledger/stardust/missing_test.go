package stardust

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// evidence returns everything that a ledger has archived.
func evidence(ctx context.Context, l *Ledger) iter.Seq2[ledger.Evidence, error] {
	return func(yield func(ledger.Evidence, error) bool) {
		err := l.Follow(ctx, ledger.Position{}, func(entries []ledger.Entry, _ ledger.Position) error {
			for _, e := range entries {
				proof, err := l.Prove(ctx, e.Message.Channel(), e.Message.Number())
				if !yield(ledger.Evidence{Message: e.Message, Proof: proof}, err) {
					return ledger.ErrStop
				}
			}
			if len(entries) == 0 {
				return ledger.ErrStop
			}
			return nil
		})
		if err != nil {
			yield(ledger.Evidence{}, err)
		}
	}
}

func (c *testChain) writeAll(t *testing.T, l *Ledger, bodies ...string) (all []channel.Message) {
	t.Helper()
	for _, body := range bodies {
		m := c.sign(t, body)
		c.write(t, l, body)
		all = append(all, m)
	}
	return all
}

// requireMissing checks that a ledger says which history it lacks and answers nothing
// about it, of which message n is not here.
func requireMissing(t *testing.T, l *Ledger, id channel.ID, n uint64, next channel.Message) {
	t.Helper()
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	assert.Contains(t, info.Warnings, "archive lacks history of 1 channels that the nodes have forgotten: import it from an archive that has it")
	for name, call := range map[string]func() error{
		"Head":   func() error { _, err := l.Head(t.Context(), id); return err },
		"Range":  func() error { _, err := l.Range(t.Context(), id, 0, 9); return err },
		"Prove":  func() error { _, err := l.Prove(t.Context(), id, n); return err },
		"Submit": func() error { _, err := l.Submit(t.Context(), next); return err },
		"Follow": func() error {
			return l.Follow(t.Context(), ledger.Position{}, func([]ledger.Entry, ledger.Position) error { return ledger.ErrStop })
		},
	} {
		err := call()
		assert.ErrorIs(t, err, ErrMissing, name)
		assert.ErrorIs(t, err, ledger.ErrUnavailable, name)
	}
}

// TestNewArchiveOnAPrunedNode: what the node has forgotten is missing, is said to
// be, and comes back from another archive.
func TestNewArchiveOnAPrunedNode(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	key := n.issuer(t, 10)
	old := openLedger(t, n.options(newArchive(t), key))
	c, whole := n.newChain(t, old, "forgotten"), n.newChain(t, old, "remembered")
	written := c.writeAll(t, old, "0", "1", "2")
	n.prune(t, old)
	remembered := whole.writeAll(t, old, "0", "1")

	fresh := openLedger(t, n.options(newArchive(t), key))
	requireMissing(t, fresh, c.id(), 0, c.sign(t, "3"))
	requireAll(t, fresh, whole.id(), remembered)
	written = append(written, c.writeAll(t, old, "3")...) // it goes on meanwhile
	requireMissing(t, fresh, c.id(), 0, c.sign(t, "4"))

	taken, err := fresh.Import(t.Context(), evidence(t.Context(), old))
	require.NoError(t, err)
	assert.Equal(t, 3, taken)
	requireAll(t, fresh, c.id(), written)
	requireAll(t, fresh, whole.id(), remembered)
	c.write(t, fresh, "4")
	again, err := fresh.Import(t.Context(), evidence(t.Context(), old))
	require.NoError(t, err)
	assert.Zero(t, again)
}

// TestNewArchiveKnowsWhichAliasIsTheChannel: of two aliases whose making no node
// remembers, the one that was written is the channel.
func TestNewArchiveKnowsWhichAliasIsTheChannel(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	ledgers := n.pair(t, 30)
	var all [][]channel.Message
	for i := range 5 { // nearly every race leaves a second alias
		c := n.newChain(t, ledgers[0], fmt.Sprint(i))
		require.NoError(t, ledgers[1].List(t.Context(), c.id()))
		m := race(t, ledgers, [2]channel.Message{c.sign(t, "left"), c.sign(t, "right")})
		c.follows(m)
		all = append(all, append([]channel.Message{m}, c.writeAll(t, ledgers[0], "1")...))
	}
	s, err := ledgers[0].Status(t.Context())
	require.NoError(t, err)
	require.Positive(t, s.Ignored, "no race left a second alias")
	n.prune(t, ledgers[0])

	fresh := openLedger(t, n.options(newArchive(t), ledgers[0].o.Funding))
	taken, err := fresh.Import(t.Context(), evidence(t.Context(), ledgers[0]))
	require.NoError(t, err)
	assert.Equal(t, 10, taken)
	for _, messages := range all {
		requireAll(t, fresh, messages[0].Channel(), messages)
	}
}

// TestArchiveThatSleptTooLong: an archive that was not open while its nodes forgot
// goes on behind the gap.
func TestArchiveThatSleptTooLong(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	o := n.options(newArchive(t), n.issuer(t, 10))
	awake := openLedger(t, n.options(newArchive(t), o.Funding))
	asleep := openLedger(t, o)
	c, still := n.newChain(t, awake, "moved"), n.newChain(t, awake, "still")
	written := c.writeAll(t, awake, "0", "1")
	unmoved := still.writeAll(t, awake, "0")
	requireAll(t, asleep, c.id(), written)
	require.NoError(t, asleep.Close())
	written = append(written, c.writeAll(t, awake, "2", "3")...)
	n.prune(t, awake)

	asleep = openLedger(t, o)
	require.Eventually(t, func() bool { return asleep.now() >= awake.now() }, time.Minute, 50*time.Millisecond)
	requireMissing(t, asleep, c.id(), 2, c.sign(t, "4"))
	requireAll(t, asleep, still.id(), unmoved)
	taken, err := asleep.Import(t.Context(), evidence(t.Context(), awake))
	require.NoError(t, err)
	assert.Equal(t, 2, taken)
	requireAll(t, asleep, c.id(), written)
	c.write(t, asleep, "4")
}

// TestImportTakesNoWordForIt: each proof has to hold, for the channel's own alias.
func TestImportTakesNoWordForIt(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	key := n.issuer(t, 10)
	old := openLedger(t, n.options(newArchive(t), key))
	c := n.newChain(t, old, "")
	c.writeAll(t, old, "0", "1")
	n.prune(t, old)
	fresh := openLedger(t, n.options(newArchive(t), key))
	var all []ledger.Evidence
	for e, err := range evidence(t.Context(), old) {
		require.NoError(t, err)
		all = append(all, e)
	}
	forged := all[0]
	forged.Proof = all[1].Proof
	for name, e := range map[string]ledger.Evidence{
		"proof of another message": forged,
		"no proof":                 {Message: all[0].Message},
		"another kind":             {Message: all[0].Message, Proof: ledger.Proof{Kind: ledger.KindTlog, Text: all[0].Proof.Text}},
	} {
		taken, err := fresh.Import(t.Context(), func(yield func(ledger.Evidence, error) bool) { yield(e, nil) })
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
		assert.Zero(t, taken, name)
	}
	requireMissing(t, fresh, c.id(), 0, c.sign(t, "2"))
}

// TestADamagedArchiveSaysSo: what is gone or changed in it is never an answer, and is neither "no such message" nor the end of a channel.
func TestADamagedArchiveSaysSo(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 5)))
	c := n.newChain(t, l, "damaged")
	written := c.writeAll(t, l, "0", "1", "2")
	n.newChain(t, l, "whole").writeAll(t, l, "0", "1", "2")
	run := func(queries ...string) {
		require.NoError(t, l.db.Update(t.Context(), func(tx *sql.Tx) error {
			for _, query := range queries {
				if _, err := tx.Exec(query); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	run("CREATE TABLE e AS SELECT * FROM entry", "CREATE TABLE m AS SELECT * FROM milestone")
	id := c.id()
	two := fmt.Sprintf(" WHERE channel = x'%x' AND number = 2", id[:])
	calls := map[string]func() error{
		"Head":   func() error { _, err := l.Head(t.Context(), id); return err },
		"Range":  func() error { _, err := l.Range(t.Context(), id, 0, 9); return err },
		"Prove":  func() error { _, err := l.Prove(t.Context(), id, 2); return err },
		"Submit": func() error { _, err := l.Submit(t.Context(), written[2]); return err },
		"Await": func() error {
			_, err := l.Await(t.Context(), ledger.Receipt{Channel: id, Number: 2, Hash: written[2].Hash()}, ledger.Final)
			return err
		},
	}
	for _, damage := range []string{
		"DELETE FROM entry" + two,
		"DELETE FROM entry" + strings.Replace(two, "=", "<>", 1), // of the other channel: nothing here
		"UPDATE entry SET message = (SELECT message FROM e" + strings.Replace(two, "=", "<>", 1) + ")" + two,
		"UPDATE entry SET message = (SELECT message FROM e" + strings.Replace(two, "= 2", "= 1", 1) + ")" + two,
		"UPDATE entry SET message = x'00'" + two,
		"DELETE FROM milestone",
	} {
		run("DELETE FROM entry", "DELETE FROM milestone", "INSERT INTO entry SELECT * FROM e", "INSERT INTO milestone SELECT * FROM m")
		for name, call := range calls {
			require.NoError(t, call(), name)
		}
		run(damage)
		for name, call := range calls {
			err := call()
			if strings.Contains(damage, "<>") && strings.HasPrefix(damage, "DELETE") || damage == "DELETE FROM milestone" && (name == "Head" || name == "Range") {
				assert.NoError(t, err, "%s after %s", name, damage) // which need no proof
				continue
			}
			assert.ErrorIs(t, err, ledger.ErrUnavailable, "%s after %s", name, damage)
		}
	}
}
