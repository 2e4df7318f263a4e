package stardust

import (
	"testing"
	"time"

	inx "github.com/iotaledger/inx/go"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

func (n *network) under(t *testing.T, o Options) ledgertest.Under {
	f := &faulty{}
	o.wrap = func(c inx.INXClient) inx.INXClient { f.INXClient = c; return f }
	l := openLedger(t, o)
	return ledgertest.Under{
		Ledger:  l,
		List:    l.List,
		Know:    n.know,
		Policy:  l.policy(l.now()),
		Another: func(t *testing.T) ledger.Ledger { o := o; o.wrap = nil; return openLedger(t, o) },
		Reopen:  func(t *testing.T) ledgertest.Under { return n.under(t, o) },
		Fail:    f.fail,
		Prune:   func(t *testing.T) { n.prune(t, l) },
	}
}

// prune waits until the node has forgotten all that is recorded now.
func (n *network) prune(t *testing.T, l *Ledger) {
	now := l.now()
	require.Eventually(t, func() bool {
		s, err := l.nodes.all[0].status(t.Context())
		return err == nil && min(s.GetLedgerPruningIndex(), s.GetTanglePruningIndex(), s.GetMilestonesPruningIndex()) >= now
	}, time.Minute, 50*time.Millisecond)
}

// TestContract runs on a network that remembers no more than 50 milestones.
func TestContract(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	ledgertest.Run(t, ledgertest.Backend{Histories: 5, Open: func(t *testing.T) ledgertest.Under {
		return n.under(t, n.options(newArchive(t), n.issuer(t, 100)))
	}})
}

func TestContractWithPostgreSQL(t *testing.T) {
	n := newNetwork(t, devnet.Options{KeepMilestones: 50})
	ledgertest.Run(t, ledgertest.Backend{Histories: 5, Open: func(t *testing.T) ledgertest.Under {
		return n.under(t, n.options(storetest.Postgres(t), n.issuer(t, 100)))
	}})
}
