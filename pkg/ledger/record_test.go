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

// slow is a ledger that takes a message before it decides.
type slow struct {
	*ledger.Memory
	decision error
}

func (s slow) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	r, err := s.Memory.Submit(ctx, m)
	r.Phase, r.Proof = ledger.Taken, ledger.Proof{}
	return r, err
}

func (s slow) Await(ctx context.Context, r ledger.Receipt, p ledger.Phase) (ledger.Receipt, error) {
	if s.decision != nil {
		return ledger.Receipt{}, s.decision
	}
	return s.Memory.Await(ctx, r, p)
}

func TestRecordSaysRecordedOnlyOfWhatIsFinal(t *testing.T) {
	l := ledger.NewMemory(origin, signer(t, signerKey), time.Now)
	m := message(t, 0, "body")
	_, err := ledger.Record(t.Context(), l, m)
	require.ErrorIs(t, err, ledger.ErrNotListed)
	require.NoError(t, l.List(t.Context(), m.Channel()))

	_, err = ledger.Record(t.Context(), slow{l, context.DeadlineExceeded}, m)
	require.ErrorIs(t, err, ledger.ErrUncertain)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	winner := &ledger.Conflict{Winner: ledger.Entry{Message: m}}
	_, err = ledger.Record(t.Context(), slow{l, winner}, m)
	require.ErrorIs(t, err, winner)
	require.NotErrorIs(t, err, ledger.ErrUncertain)

	r, err := ledger.Record(t.Context(), slow{l, nil}, m)
	require.NoError(t, err)
	assert.Equal(t, ledger.Final, r.Phase)
	assert.False(t, r.Proof.IsZero())
}
