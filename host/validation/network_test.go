package validation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// openOnNetwork opens an installation with an archive and a registry of its own on a Stardust network, as one more verifier.
func openOnNetwork(t *testing.T, n *devnet.Network, dir string) *shop {
	t.Helper()
	chains := map[channel.ID]*channel.Author{}
	card := taptest.NewCard("validation test")
	for _, c := range []*recordtest.Chain{
		recordtest.NewChain("issuer"), recordtest.ChainOf(channel.DeriveSeed(master(), 0, "card/"+card.ID().String()+"/taps")),
	} {
		chains[c.ID()] = c.Author
	}
	o := stardust.Options{
		Archive: filepath.Join(dir, "archive.db"), Funding: n.Funding, Now: time.Now, Stall: 2 * time.Second,
		Author: func(id channel.ID) (*channel.Author, bool) { a, known := chains[id]; return a, known },
	}
	for _, node := range n.Nodes {
		o.Nodes = append(o.Nodes, stardust.Node(node))
	}
	l, err := stardust.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	s := openShop(t, l, dir)
	s.policy = networkPolicy(t, n)
	return s
}

func networkPolicy(t *testing.T, n *devnet.Network) ledger.Policy {
	t.Helper()
	c := ledger.Coordinator{Network: n.Name, Threshold: len(n.Coordinator)}
	for _, key := range n.Coordinator {
		c.Keys = append(c.Keys, fmt.Sprintf("%x", []byte(key)))
	}
	return ledger.Policy{Coordinators: []ledger.Coordinator{c}}
}

// TestVerifiersRaceOnStardust: two installations, each with an archive of its own, are offered one URL at the same moment.
func TestVerifiersRaceOnStardust(t *testing.T) {
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	first := openOnNetwork(t, n, t.TempDir())
	first.register()
	first.putInService()
	verifiers := []*shop{first, openOnNetwork(t, n, t.TempDir())}
	const rounds = 20
	for range rounds {
		url := first.card.Tap()
		verdicts := make([]Verdict, len(verifiers))
		var wg sync.WaitGroup
		for i, s := range verifiers {
			wg.Go(func() {
				var err error
				verdicts[i], err = s.Update(context.Background(), Request{URL: url})
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		codes := map[Code]int{}
		for _, v := range verdicts {
			codes[v.Code]++
			if v.Code == Recorded {
				_, err := first.policy.Verify(v.Message, v.Receipt.Proof)
				require.NoError(t, err)
			}
		}
		require.Equal(t, map[Code]int{Recorded: 1, AlreadyUsed: 1}, codes)
	}
	require.Len(t, first.recorded(), rounds)
	t.Logf("one URL, two verifiers: one recorded and one already_used, %d of %d", rounds, rounds)
}

// TestCutNetworkIsHonest cuts the network at each step of an update: whatever was said, the same request with the same key finds
// out, and the tap is recorded once.
func TestCutNetworkIsHonest(t *testing.T) {
	n := devnettest.ForTest(t, devnet.Options{Fast: true})
	devnettest.Namespace(t, n)
	s := openOnNetwork(t, n, t.TempDir())
	s.register()
	s.putInService()
	var said []string
	for i, step := range []string{"verified", "head read", "signed", "submitted"} {
		r := Request{URL: s.card.Tap(), Retry: &Retry{"cut", retryKey(fmt.Sprint(i))}}
		s.Hook = func(at string) {
			if at == step {
				require.NoError(t, n.Cut())
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		v, err := s.Update(ctx, r)
		cancel()
		require.Error(t, err, "%s: %v", step, v.Code)
		require.True(t, errors.Is(err, ledger.ErrUncertain) || errors.Is(err, ledger.ErrUnavailable), "%s: %v", step, err)
		if errors.Is(err, ledger.ErrUncertain) {
			said = append(said, step)
		}
		s.Hook = func(string) {}
		require.NoError(t, n.Heal())
		v = s.untilAnswered(r)
		require.Equal(t, Recorded, v.Code, step)
		require.Len(t, s.recorded(), i+1)
	}
	t.Logf("uncertain when cut after %v, unavailable before", said)
	require.Contains(t, said, "submitted")
}

// untilAnswered repeats a request with a retry key until there is an answer.
func (s *shop) untilAnswered(r Request) Verdict {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		v, err := s.Update(context.Background(), r)
		if err == nil {
			return v
		}
		require.True(s.t, errors.Is(err, ledger.ErrUncertain) || errors.Is(err, ledger.ErrUnavailable), "%v", err)
		require.True(s.t, time.Now().Before(end), "no answer in a minute: %v", err)
	}
}

// TestRestartedDatabaseLosesNothing stops PostgreSQL hard under a stream of updates: each is recorded exactly once, whatever was
// said in between.
func TestRestartedDatabaseLosesNothing(t *testing.T) {
	database := storetest.Postgres(t)
	signer, _ := logKeys(t)
	l, err := tlog.Open(t.Context(), database, tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	s := openShopIn(t, l, database)
	_, s.policy = logKeys(t)
	s.register()
	s.putInService()
	var failed, replayed int
	record := func(i int) {
		r := Request{URL: s.card.Tap(), Retry: &Retry{"restart", retryKey(fmt.Sprint(i))}}
		v, err := s.Update(context.Background(), r)
		if err != nil {
			require.True(t, errors.Is(err, ledger.ErrUncertain) || errors.Is(err, ledger.ErrUnavailable), "%v", err)
			failed++
			v = s.untilAnswered(r)
		}
		require.Equal(t, Recorded, v.Code)
		if v.Replayed {
			replayed++
		}
	}
	const taps = 60
	for i := range taps {
		if i%20 != 10 {
			record(i)
			continue
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			storetest.Restart(t, func() { time.Sleep(50 * time.Millisecond) })
		}()
		record(i)
		<-done
	}
	got := s.recorded()
	require.Len(t, got, taps)
	t.Logf("%d updates over 3 restarts, %d of them answered by an error first, of those %d were recorded then", taps, failed, replayed)
}
