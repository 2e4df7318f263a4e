package stardust

import (
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/iotaledger/iota.go/v3/builder"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// pair returns two ledgers of one issuer that know nothing of each other: each has
// an archive of its own.
func (n *network) pair(t *testing.T, channels uint64) [2]*Ledger {
	t.Helper()
	key := n.issuer(t, channels)
	return [2]*Ledger{openLedger(t, n.options(newArchive(t), key)), openLedger(t, n.options(newArchive(t), key))}
}

// race lets both ledgers record a message for one number at once and returns the
// one that won. The other is told so, and both have the same to say afterwards.
func race(t *testing.T, ledgers [2]*Ledger, messages [2]channel.Message) channel.Message {
	t.Helper()
	var receipts [2]ledger.Receipt
	var errs [2]error
	var wg sync.WaitGroup
	for i, l := range ledgers {
		wg.Go(func() { receipts[i], errs[i] = record(t.Context(), l, messages[i]) })
	}
	wg.Wait()
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	require.NoError(t, errs[winner])
	var conflict *ledger.Conflict
	require.ErrorAs(t, errs[1-winner], &conflict, "two winners, or none")
	won := receipts[winner]
	require.Equal(t, won, conflict.Winner.Receipt(won.Ledger, won.Phase, won.Proof))
	for _, l := range ledgers {
		head, err := l.Head(t.Context(), won.Channel)
		require.NoError(t, err)
		require.Equal(t, won.Hash, head.Message.Hash())
	}
	return messages[winner]
}

func TestTwoArchivesRaceForANumber(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	ledgers := n.pair(t, 60)
	c := n.newChain(t, ledgers[0], "")
	for _, l := range ledgers {
		require.NoError(t, l.List(t.Context(), c.id()))
	}
	wins := map[string]int{}
	for round := range 20 {
		m := race(t, ledgers, [2]channel.Message{c.sign(t, fmt.Sprintf("left %d", round)), c.sign(t, fmt.Sprintf("right %d", round))})
		c.follows(m)
		wins[string(m.Payload()[:4])]++
	}
	t.Logf("20 races for the next number, one winner each: %v", wins)

	// The same for number 0, where each makes an alias of its own and the ledger takes both.
	for round := range 20 {
		c := n.newChain(t, ledgers[0], fmt.Sprint(round))
		require.NoError(t, ledgers[1].List(t.Context(), c.id()))
		c.follows(race(t, ledgers, [2]channel.Message{c.sign(t, "left"), c.sign(t, "right")}))
		for _, l := range ledgers {
			c.write(t, l, "second or third")
		}
	}
	var strays [2]uint64
	for i, l := range ledgers {
		require.NoError(t, l.catchUp(t.Context()))
		s, err := l.Status(t.Context())
		require.NoError(t, err)
		strays[i] = s.Ignored
	}
	assert.Equal(t, strays[0], strays[1])
	t.Logf("20 races for number 0, one winner each: %d second aliases", strays[0])
}

// TestManyCreationsShareTheMoney: two processes with one key and archives of their own
// create channels at once, out of one output to begin with.
func TestManyCreationsShareTheMoney(t *testing.T) {
	const each = 40
	n := newNetwork(t, devnet.Options{})
	ledgers := n.pair(t, 2*each+10)
	begun := time.Now()
	var wg sync.WaitGroup
	for i, l := range ledgers {
		for j := range each {
			c := n.newChain(t, l, fmt.Sprintf("%d/%d", i, j))
			m := c.sign(t, "first")
			wg.Go(func() {
				_, err := record(t.Context(), l, m)
				assert.NoError(t, err)
			})
		}
	}
	wg.Wait()
	for _, l := range ledgers {
		require.NoError(t, l.catchUp(t.Context()))
		s, err := l.Status(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2*each, s.Channels)
		assert.Zero(t, s.Undecided)
		assert.Zero(t, s.Ignored, "a channel has two aliases")
	}
	t.Logf("%d channels by two processes out of one output in %v", 2*each, time.Since(begun).Round(time.Millisecond))
}

func TestNoMoneyIsSaid(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 1)))
	info, err := l.Info(t.Context())
	require.NoError(t, err)
	require.Len(t, info.Warnings, 1)
	assert.Contains(t, info.Warnings[0], "has enough for 1 more channels")
	n.newChain(t, l, "paid").write(t, l, "first")
	c := n.newChain(t, l, "unpaid")
	m := c.sign(t, "first")
	_, err = l.Submit(t.Context(), m)
	require.ErrorIs(t, err, ErrNoFunds)
	require.ErrorIs(t, err, ledger.ErrUnavailable)
	n.pay(t, l.o.Funding, 2*l.deposit)
	_, err = record(t.Context(), l, m)
	require.NoError(t, err)
}

// TestWrongKeyIsRefused: a node takes a block with a transaction that somebody else
// has signed, the ledger does not; the number stays free.
func TestWrongKeyIsRefused(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 5)))
	c, thief := n.newChain(t, l, "victim"), n.newChain(t, l, "thief")
	c.write(t, l, "first")
	m := c.sign(t, "second")
	at, err := readChain(t.Context(), l.db.Read(), c.id())
	require.NoError(t, err)
	p := newPending(m, time.Now())
	p.transaction = n.moveAs(t, l, at, m, thief.author)
	require.NoError(t, l.db.Update(t.Context(), func(tx *sql.Tx) error { return keep(t.Context(), tx, p, at.output[:]) }))

	r, err := l.Submit(t.Context(), m)
	require.NoError(t, err, "submitted is not recorded")
	_, err = l.Await(t.Context(), r, ledger.Final)
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "INVALID_SIGNATURE")
	_, err = record(t.Context(), l, m)
	require.NoError(t, err)
}

// moveAs makes the transaction of a message, signed by somebody who may not.
func (n *network) moveAs(t *testing.T, l *Ledger, c *chain, m channel.Message, a *channel.Author) transaction {
	t.Helper()
	output, err := parseOutput(c.raw)
	require.NoError(t, err)
	alias := output.(*iotago.AliasOutput)
	tx, err := l.finish(builder.NewTransactionBuilder(l.params.NetworkID()).
		AddInput(&builder.TxInput{UnlockTarget: alias.StateController(), InputID: c.output, Input: alias}).
		AddOutput(newAlias(l.issuer, c.alias, m, alias.Amount)), signAs{a})
	require.NoError(t, err)
	return tx
}

type signAs struct{ *channel.Author }

func (s signAs) Sign(_ iotago.Address, essence []byte) (iotago.Signature, error) {
	return &iotago.Ed25519Signature{PublicKey: s.Channel(), Signature: [64]byte(s.SignDigest([32]byte(essence)))}, nil
}

// TestAuthorMovesHisAliasHimself: what is no message in its place does not count,
// and ends the channel on this ledger.
func TestAuthorMovesHisAliasHimself(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	l := openLedger(t, n.options(newArchive(t), n.issuer(t, 5)))
	c := n.newChain(t, l, "")
	c.write(t, l, "first")
	at, err := readChain(t.Context(), l.db.Read(), c.id())
	require.NoError(t, err)
	skipping, err := c.author.Sign(channel.Draft{Number: 1, Prev: channel.Hash{1}, Time: time.UnixMilli(1), Body: []byte("body")})
	require.NoError(t, err)
	_, err = l.sendTo(l.nodes.all[0], n.moveAs(t, l, at, skipping, c.author).payload)
	require.NoError(t, err)
	require.Eventually(t, func() bool { s, err := l.Status(t.Context()); return err == nil && s.Ignored == 1 }, time.Minute, 10*time.Millisecond)

	head, err := l.Head(t.Context(), c.id())
	require.NoError(t, err)
	assert.Zero(t, head.Message.Number())
	_, err = l.Submit(t.Context(), c.sign(t, "second"))
	require.ErrorIs(t, err, channel.ErrBrokenChain)
	n.newChain(t, l, "another").write(t, l, "first")
}

func TestArchiveBelongsToOneNetworkAndIssuer(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	o := n.options(newArchive(t), n.issuer(t, 2))
	l := openLedger(t, o)
	n.newChain(t, l, "").write(t, l, "first")
	_, o.Funding, _ = ed25519.GenerateKey(nil)
	_, err := Open(t.Context(), o)
	require.ErrorIs(t, err, ErrOtherNetwork)

	other := newNetwork(t, devnet.Options{})
	o = other.options(l.o.Archive, l.o.Funding)
	_, err = Open(t.Context(), o)
	require.ErrorIs(t, err, ErrOtherNetwork)
}
