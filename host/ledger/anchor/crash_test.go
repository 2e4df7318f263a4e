package anchor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// A child is this test binary started again to anchor a log and to be killed: one line on its standard output for each message
// that it knows to be anchored.
const (
	envDir    = "ANCHOR_TEST_DIR"    // of log.db and other.db
	envDieAt  = "ANCHOR_TEST_DIE_AT" // point:passing at which it kills itself
	envHolder = "ANCHOR_TEST_HOLDER"
	envRounds = "ANCHOR_TEST_ROUNDS"
)

func TestMain(m *testing.M) {
	if os.Getenv(envDir) == "" {
		os.Exit(m.Run())
	}
	if err := runChild(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pair opens a log and the other ledger, which is a log too, in a folder.
func pair(ctx context.Context, dir string, hook func(place, point string)) (log, other *tlog.Log, err error) {
	open := func(name, origin, key string) (*tlog.Log, error) {
		s, err := ledger.NewSigner(key)
		if err != nil {
			return nil, err
		}
		return tlog.Open(ctx, filepath.Join(dir, name), tlog.Options{Origin: origin, Signer: s, Now: time.Now, Create: true,
			Hook: func(point string) { hook(name, point) }})
	}
	if log, err = open("log.db", origin, signerKey); err != nil {
		return nil, nil, err
	}
	other, err = open("other.db", otherName, otherKey)
	return log, other, err
}

func runChild(ctx context.Context) error {
	die := dieAt(os.Getenv(envDieAt))
	log, in, err := pair(ctx, os.Getenv(envDir), func(place, point string) { die(place + " " + point) })
	if err != nil {
		return err
	}
	o := Options{Log: log, Author: anchorAuthor, Holder: os.Getenv(envHolder), Now: time.Now, Every: time.Millisecond,
		Open: func(context.Context) (Ledger, error) { return in, nil }, Hook: die}
	a := New(o)
	author := channel.NewAuthor(channel.Seed{'w', []byte(o.Holder)[0]}, channel.Public)
	if err := log.List(ctx, author.Channel()); err != nil {
		return err
	}
	rounds, _ := strconv.Atoi(os.Getenv(envRounds))
	for range rounds {
		r, err := writeNext(ctx, log, author)
		if err != nil {
			return err
		}
		if err := a.Cover(ctx); err != nil {
			return err
		}
		fmt.Println("anchored", r.Channel, r.Number)
	}
	return errors.Join(a.Close(), log.Close())
}

func writeNext(ctx context.Context, log *tlog.Log, author *channel.Author) (ledger.Receipt, error) {
	d := channel.Draft{Time: time.Now(), Body: []byte(`{"kind":"weather"}`)}
	head, err := log.Head(ctx, author.Channel())
	if err == nil {
		d.Number, d.Prev = head.Message.Number()+1, head.Message.Hash()
	} else if !errors.Is(err, ledger.ErrNoChannel) {
		return ledger.Receipt{}, err
	}
	m, err := author.Sign(d)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return log.Submit(ctx, m)
}

// dieAt kills this process at the nth passing of a point.
func dieAt(text string) func(string) {
	point, nth, found := strings.Cut(text, ":")
	left, _ := strconv.Atoi(nth)
	return func(at string) {
		if !found || at != point {
			return
		}
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

func child(dir string, env ...string) (*exec.Cmd, *storetest.Output) {
	out := &storetest.Output{Answer: "anchored "}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{envDir + "=" + dir, envHolder + "=one"}, env...)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd, out
}

// requireAnchored opens what a killed process left: the log contradicts nothing, what was told to be anchored is, and the next
// round makes evidence of the newest that was recorded.
func requireAnchored(t *testing.T, dir, told string) {
	t.Helper()
	log, in, err := pair(t.Context(), dir, func(string, string) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, errors.Join(log.Close(), in.Close())) }()
	var covered uint64
	if v, _, err := log.Anchored(t.Context()); err == nil && v != nil {
		c, err := log.OpenCheckpoint(v)
		require.NoError(t, err)
		covered = c.Size
	}
	for line := range strings.Lines(told) {
		var id string
		var n uint64
		if _, err := fmt.Sscanf(line, "anchored %s %d\n", &id, &n); err != nil {
			continue // cut off with the process
		}
		of, err := channel.ParseID(id)
		require.NoError(t, err)
		entries, err := log.Range(t.Context(), of, n, 1)
		require.NoError(t, err)
		require.Less(t, entries[0].Index, covered, "it was said to be anchored")
	}
	o := options(log, in, nil)
	o.Holder, o.Now = "two", func() time.Time { return time.Now().Add(time.Hour) } // the dead one's lease has ended
	a := New(o)
	require.NoError(t, a.Cover(t.Context()))
	report, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	head, err := in.Head(t.Context(), a.Channel())
	if errors.Is(err, ledger.ErrNoChannel) { // killed before its first message
		return
	}
	require.NoError(t, err)
	_, evidence, err := Newest(t.Context(), log)
	require.NoError(t, err)
	require.Equal(t, head.Message.Hash(), evidence.Message.Hash())
	_, err = evidence.Verify(trusts(t))
	require.NoError(t, err)
}

func TestKilledAtEachPointNothingIsLost(t *testing.T) {
	points := []string{PointSubmitted}
	for _, place := range []string{"log.db ", "other.db "} {
		for _, point := range []string{store.PointBegun, store.PointApplied, store.PointCommitted, store.PointAnswered} {
			points = append(points, place+point)
		}
	}
	for _, point := range points {
		for _, passing := range []int{1, 2, 3, 6} {
			t.Run(fmt.Sprintf("%s:%d", point, passing), func(t *testing.T) {
				dir := t.TempDir()
				cmd, out := child(dir, envRounds+"=12", fmt.Sprintf("%s=%s:%d", envDieAt, point, passing))
				require.ErrorContains(t, cmd.Run(), "signal: killed")
				requireAnchored(t, dir, out.String())
			})
		}
	}
}

func TestTwoProcessesKilledAtRandomShareAnAnchor(t *testing.T) {
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	dir, told := t.TempDir(), 0
	for round := range 8 {
		early := round%4 == 0 // while they open the log, or before
		var both []*exec.Cmd
		var outs []*storetest.Output
		for _, holder := range []string{"one", "two"} {
			cmd, out := child(dir, envRounds+"=1000000", envHolder+"="+holder)
			require.NoError(t, cmd.Start())
			both, outs = append(both, cmd), append(outs, out)
		}
		if !early {
			storetest.AwaitAnswer(t, outs...)
		}
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		var all strings.Builder
		for i, cmd := range both {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			all.WriteString(outs[i].String())
		}
		require.True(t, early || strings.Contains(all.String(), "anchored"))
		told += strings.Count(all.String(), "anchored")
		requireAnchored(t, dir, all.String())
	}
	t.Logf("%d messages told to be anchored ", told)
}
