package ledgertest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// result is what one writer of a race gets.
type result struct {
	receipt ledger.Receipt
	err     error
}

// handles returns the ledger and, where there can be one, another over the same storage.
func (u Under) handles(t *testing.T) []ledger.Ledger {
	if u.Another == nil {
		return []ledger.Ledger{u.Ledger}
	}
	return []ledger.Ledger{u.Ledger, u.Another(t)}
}

// start lets one writer for each message go at the same moment, in turn over each ledger.
func start(ledgers []ledger.Ledger, messages []channel.Message) []result {
	results := make([]result, len(messages))
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for i, m := range messages {
		wg.Go(func() {
			<-gate
			results[i].receipt, results[i].err = record(ledgers[i%len(ledgers)], m)
		})
	}
	close(gate)
	wg.Wait()
	return results
}

// race lets writers of different messages for one number go at once, round after
// round: exactly one wins, and every other is told who.
func (s *suite) race(t *testing.T, u Under, writers, rounds int) {
	c, ledgers := newChain(t, u, channel.Public), u.handles(t)
	var hashes []channel.Hash
	for round := range rounds {
		messages := make([]channel.Message, writers)
		for i := range messages {
			messages[i] = c.sign(t, fmt.Sprintf("writer %d in round %d", i, round))
		}
		results := start(ledgers, messages)
		s.races.Add(1)
		winner := -1
		for i, r := range results {
			if r.err == nil {
				s.winners.Add(1)
				assert.Equal(t, -1, winner, "a second winner in round %d", round)
				winner = i
			}
		}
		require.NotEqual(t, -1, winner, "no winner in round %d: %v", round, results[0].err)
		requireReceipt(t, u, messages[winner], results[winner].receipt)
		for i, r := range results {
			if i != winner {
				requireConflict(t, r.err, results[winner].receipt)
			}
		}
		c.follows(messages[winner])
		hashes = append(hashes, c.prev)
	}
	requireChain(t, u, c.id(), channel.Public, hashes...)
}

// identicalRace lets writers of one message go at once: all get the one receipt.
func (s *suite) identicalRace(t *testing.T, u Under) {
	c := newChain(t, u, channel.Public)
	m := c.sign(t, "body")
	messages := make([]channel.Message, 20)
	for i := range messages {
		messages[i] = m
	}
	results := start(u.handles(t), messages)
	for _, r := range results {
		require.NoError(t, r.err)
		requireSame(t, u, m, results[0].receipt, r.receipt)
	}
	requireChain(t, u, c.id(), channel.Public, m.Hash())
}
