package ledgertest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az" // for tests alone
)

func memory(t *testing.T) (*ledger.Memory, ledger.Policy) {
	signer, err := ledger.NewSigner(signerKey)
	require.NoError(t, err)
	policy := ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: signer.VerifierKey()}}}
	return ledger.NewMemory(origin, signer, time.Now), policy
}

func TestMemory(t *testing.T) {
	ledgertest.Run(t, ledgertest.Backend{Open: func(t *testing.T) ledgertest.Under {
		l, policy := memory(t)
		return ledgertest.Under{Ledger: l, List: l.List, Policy: policy, Remove: l.Remove}
	}})
}

// TestRemoteMemory runs the suite on a log that lives elsewhere: it outlives its
// users, several share it, and the way there and back fails.
func TestRemoteMemory(t *testing.T) {
	ledgertest.Run(t, ledgertest.Backend{Open: func(t *testing.T) ledgertest.Under {
		l, policy := memory(t)
		return connect(&remote{Memory: l}, policy)
	}})
}

func connect(r *remote, policy ledger.Policy) ledgertest.Under {
	return ledgertest.Under{
		Ledger:  r,
		List:    r.List,
		Policy:  policy,
		Another: func(*testing.T) ledger.Ledger { return r },
		Reopen:  func(*testing.T) ledgertest.Under { return connect(r, policy) },
		Fail:    r.fail,
	}
}

// remote is a log behind a connection that fails on demand.
type remote struct {
	*ledger.Memory
	mu   sync.Mutex
	next []ledgertest.Failure
}

func (r *remote) fail(_ *testing.T, f ledgertest.Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = append(r.next, f)
}

func (r *remote) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	r.mu.Lock()
	failures := r.next
	r.next = nil
	r.mu.Unlock()
	if len(failures) == 0 {
		return r.Memory.Submit(ctx, m)
	}
	if failures[0] == ledgertest.Stored {
		_, err := r.Memory.Submit(ctx, m)
		return ledger.Receipt{}, errors.Join(ledger.ErrUncertain, err)
	}
	return ledger.Receipt{}, ledger.ErrUnavailable
}
