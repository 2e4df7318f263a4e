package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// dishonest is a ledger that tells and proves other than it holds.
type dishonest struct {
	*ledger.Memory
	tell  func([]ledger.Entry) []ledger.Entry
	prove func(ledger.Proof, error) (ledger.Proof, error)
}

func (d dishonest) Follow(ctx context.Context, from ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	return d.Memory.Follow(ctx, from, func(batch []ledger.Entry, p ledger.Position) error { return fn(d.tell(batch), p) })
}

func (d dishonest) Prove(ctx context.Context, id channel.ID, n uint64) (ledger.Proof, error) {
	return d.prove(d.Memory.Prove(ctx, id, n))
}

func TestCheckFindsWhatDoesNotHold(t *testing.T) {
	l, author := written(t, channel.Public)
	good := policy(signer(t, signerKey))
	report, err := ledger.Check(t.Context(), l, good, func(uint64) {})
	require.NoError(t, err)
	assert.Equal(t, ledger.Report{Size: 600, Channels: 1}, report)

	fork, err := author.Sign(channel.Draft{Number: 5, Prev: channel.Hash{1}, Time: recorded})
	require.NoError(t, err)
	same := func(e []ledger.Entry) []ledger.Entry { return e }
	honest := func(p ledger.Proof, err error) (ledger.Proof, error) { return p, err }
	early := func(change func(*ledger.Entry)) func([]ledger.Entry) []ledger.Entry {
		return func(e []ledger.Entry) []ledger.Entry {
			if len(e) > 0 && e[0].Index == 0 {
				change(&e[5])
			}
			return e
		}
	}
	for name, row := range map[string]struct {
		dishonest
		policy   ledger.Policy
		findings int
	}{
		"a fork":              {dishonest{l, early(func(e *ledger.Entry) { e.Message = fork }), honest}, good, 3}, // it, its proof, and the one after it
		"another time":        {dishonest{l, early(func(e *ledger.Entry) { e.Time = e.Time.Add(-time.Hour) }), honest}, good, 2},
		"another place":       {dishonest{l, early(func(e *ledger.Entry) { e.Index = 3 }), honest}, good, 2},
		"nobody trusted":      {dishonest{l, same, honest}, ledger.Policy{}, 600},
		"no proofs":           {dishonest{l, same, func(ledger.Proof, error) (ledger.Proof, error) { return ledger.Proof{}, ledger.ErrNoMessage }}, good, 600},
		"a message left out":  {dishonest{l, func(e []ledger.Entry) []ledger.Entry { return e[min(1, len(e)):] }, honest}, good, 3}, // the first of each batch
		"proofs of something": {dishonest{l, same, func(p ledger.Proof, err error) (ledger.Proof, error) { p.Text = p.Text[1:]; return p, err }}, good, 600},
	} {
		report, err := ledger.Check(t.Context(), row.dishonest, row.policy, nil)
		require.NoError(t, err, name)
		assert.False(t, report.Clean(), name)
		assert.Equal(t, row.findings, len(report.Findings)+report.Further, name)
	}
	_, err = ledger.Check(t.Context(), dishonest{l, same, func(ledger.Proof, error) (ledger.Proof, error) { return ledger.Proof{}, ledger.ErrUnavailable }}, good, nil)
	require.ErrorIs(t, err, ledger.ErrUnavailable)
}
