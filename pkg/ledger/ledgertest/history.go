package ledgertest

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// history is what a random history should have left on the ledger.
type history struct {
	under    Under
	chains   []*chain
	messages [][]channel.Message // of each chain
	order    []channel.Hash      // of all, as the ledger recorded them
	tries    int
}

// randomHistories makes random submissions, good ones and bad ones, to several
// channels, and compares all that the ledger says with a model.
func (s *suite) randomHistories(t *testing.T, u Under) {
	if s.histories > 0 {
		checks := flag.Lookup("rapid.checks").Value
		before := checks.String()
		require.NoError(t, checks.Set(strconv.Itoa(s.histories)))
		defer func() { require.NoError(t, checks.Set(before)) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		begin := end(rt, u.Ledger)
		h := &history{under: u}
		for _, mode := range []channel.Mode{channel.Public, channel.Restricted, channel.Public} {
			h.chains = append(h.chains, newChain(rt, u, mode))
		}
		h.messages = make([][]channel.Message, len(h.chains))
		rt.Repeat(map[string]func(*rapid.T){
			"next":       h.submitNext,
			"again":      h.submitAgain,
			"equivocate": h.equivocate,
			"skip":       h.skip,
			"fork":       h.fork,
		})
		h.check(rt, begin)
	})
}

func (h *history) pick(rt *rapid.T) int {
	return rapid.IntRange(0, len(h.chains)-1).Draw(rt, "channel")
}

// pickRecorded draws a recorded message; an empty channel ends the action.
func (h *history) pickRecorded(rt *rapid.T) channel.Message {
	messages := h.messages[h.pick(rt)]
	if len(messages) == 0 {
		rt.Skip("channel is empty")
	}
	return rapid.SampledFrom(messages).Draw(rt, "message")
}

// body returns a body that no other message has.
func (h *history) body() string { h.tries++; return fmt.Sprintf("try %d", h.tries) }

func (h *history) submitNext(rt *rapid.T) {
	i := h.pick(rt)
	m, r := h.chains[i].write(rt, h.under, h.body())
	requireReceipt(rt, h.under, m, r)
	h.messages[i] = append(h.messages[i], m)
	h.order = append(h.order, m.Hash())
}

func (h *history) submitAgain(rt *rapid.T) {
	m := h.pickRecorded(rt)
	r, err := record(h.under.Ledger, m)
	require.NoError(rt, err)
	requireReceipt(rt, h.under, m, r)
}

func (h *history) equivocate(rt *rapid.T) {
	m := h.pickRecorded(rt)
	for _, c := range h.chains {
		if c.id() == m.Channel() {
			_, err := record(h.under.Ledger, sign(rt, c.author, m.Number(), m.Prev(), h.body()))
			var conflict *ledger.Conflict
			require.ErrorAs(rt, err, &conflict)
			require.Equal(rt, m.Hash(), conflict.Winner.Message.Hash())
		}
	}
}

func (h *history) skip(rt *rapid.T) {
	c := h.chains[h.pick(rt)]
	ahead := rapid.Uint64Range(1, 5).Draw(rt, "ahead")
	_, err := record(h.under.Ledger, sign(rt, c.author, c.next+ahead, c.prev, h.body()))
	require.ErrorIs(rt, err, channel.ErrBrokenChain)
}

func (h *history) fork(rt *rapid.T) {
	c := h.chains[h.pick(rt)]
	if c.next == 0 {
		rt.Skip("channel is empty")
	}
	_, err := record(h.under.Ledger, sign(rt, c.author, c.next, channel.Hash{1}, h.body()))
	require.ErrorIs(rt, err, channel.ErrBrokenChain)
}

// check compares the ledger with the model: every channel is the chain that was
// written, every message is proved, and Follow tells the one order.
func (h *history) check(rt *rapid.T, begin ledger.Position) {
	for i, c := range h.chains {
		var hashes []channel.Hash
		for n, m := range h.messages[i] {
			hashes = append(hashes, m.Hash())
			proof, err := h.under.Ledger.Prove(context.Background(), c.id(), uint64(n))
			require.NoError(rt, err)
			_, err = h.under.Policy.Verify(m, proof)
			require.NoError(rt, err)
		}
		requireChain(rt, h.under, c.id(), c.author.Mode(), hashes...)
	}
	entries, _ := collect(rt, h.under.Ledger, begin)
	var order []channel.Hash
	for _, e := range entries {
		order = append(order, e.Message.Hash())
	}
	require.Equal(rt, h.order, order)
}
