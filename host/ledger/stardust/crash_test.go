package stardust

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// A child is this test binary started again to submit one message and to kill itself
// on the way.
const (
	envArchive = "STARDUST_TEST_ARCHIVE"
	envNode    = "STARDUST_TEST_NODE"
	envFunding = "STARDUST_TEST_FUNDING" // hex
	envSeed    = "STARDUST_TEST_SEED"    // hex
	envMessage = "STARDUST_TEST_MESSAGE" // base64
	envDieAt   = "STARDUST_TEST_DIE_AT"  // a point of package store, or sent
)

const pointSent = "sent" // Submit has returned, nothing awaits

func TestMain(m *testing.M) {
	if os.Getenv(envArchive) == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, runChild(context.Background())) // it should not have come so far
	os.Exit(1)
}

func runChild(ctx context.Context) error {
	funding, err := hex.DecodeString(os.Getenv(envFunding))
	if err != nil {
		return err
	}
	seed, err := hex.DecodeString(os.Getenv(envSeed))
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(os.Getenv(envMessage))
	if err != nil {
		return err
	}
	m, err := channel.Parse(raw)
	if err != nil {
		return err
	}
	author := channel.NewAuthor(channel.Seed(seed), channel.Public)
	var armed atomic.Bool
	l, err := Open(ctx, Options{
		Nodes: []Node{{INX: os.Getenv(envNode)}}, Archive: os.Getenv(envArchive), Funding: funding, Now: time.Now,
		Author: func(channel.ID) (*channel.Author, bool) { return author, true },
		Hook: func(point string) {
			if armed.Load() && point == os.Getenv(envDieAt) {
				die()
			}
		},
	})
	if err != nil {
		return err
	}
	armed.Store(true) // nothing else changes: the next write is the message's
	if _, err := l.Submit(ctx, m); err != nil {
		return err
	}
	if os.Getenv(envDieAt) == pointSent {
		die()
	}
	return errors.New("it lives")
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// TestKilledOnTheWay kills the process that submits before the transaction is stored,
// after that and before it is sent, and after that and before anybody awaits it: what
// was stored becomes final by whoever asks, what was not stored never was.
func TestKilledOnTheWay(t *testing.T) {
	n := newNetwork(t, devnet.Options{})
	for _, point := range []string{store.PointApplied, store.PointCommitted, pointSent} {
		for number := range uint64(2) {
			o := n.options(newArchive(t), n.issuer(t, 5))
			l := openLedger(t, o)
			c := n.newChain(t, l, point+fmt.Sprint(number))
			if number == 1 {
				c.write(t, l, "before")
			}
			require.NoError(t, l.Close())
			m := c.sign(t, "the message")
			n.submitAndDie(t, o, c, m, point)

			l = openLedger(t, o)
			r, err := l.Await(t.Context(), (&pending{channel: c.id(), number: number, hash: m.Hash()}).receipt(n.Name), ledger.Final)
			if point == store.PointApplied {
				require.True(t, errors.Is(err, ledger.ErrNoMessage) || errors.Is(err, ledger.ErrNoChannel), "%s: %v", point, err)
				c.write(t, l, "another")
				continue
			}
			require.NoError(t, err, point)
			_, err = l.policy(l.now()).Verify(m, r.Proof)
			require.NoError(t, err)
			_, err = record(t.Context(), l, c.sign(t, "another"))
			var conflict *ledger.Conflict
			assert.ErrorAs(t, err, &conflict, point)
		}
	}
}

func (n *network) submitAndDie(t *testing.T, o Options, c *testChain, m channel.Message, point string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), envArchive+"="+o.Archive, envNode+"="+o.Nodes[0].INX, envFunding+"="+hex.EncodeToString(o.Funding),
		envSeed+"="+hex.EncodeToString(c.seed[:]), envMessage+"="+base64.StdEncoding.EncodeToString(m.Bytes()), envDieAt+"="+point)
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s: %s", point, out)
}
