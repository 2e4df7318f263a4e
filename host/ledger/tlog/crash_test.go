package tlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// A child is this test binary started again to record messages and to be killed:
// one line on its standard output for each answer.
const (
	envPath   = "TLOG_TEST_PATH"
	envGuard  = "TLOG_TEST_GUARD"
	envFrom   = "TLOG_TEST_FROM"   // a copy to recover from
	envDieAt  = "TLOG_TEST_DIE_AT" // point:passing at which it kills itself
	envRacer  = "TLOG_TEST_RACER"  // all racers write channel 0, each its own messages
	envRounds = "TLOG_TEST_ROUNDS"
)

const childChannels = 6

func TestMain(m *testing.M) {
	if os.Getenv(envPath) == "" {
		os.Exit(m.Run())
	}
	if err := runChild(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(ctx context.Context) error {
	signer, err := ledger.NewSigner(signerKey)
	if err != nil {
		return err
	}
	o := Options{Origin: origin, Signer: signer, Now: time.Now, Create: true, Guard: os.Getenv(envGuard), Hook: dieAt(os.Getenv(envDieAt))}
	if copied := os.Getenv(envFrom); copied != "" {
		from, err := OpenReader(ctx, copied, origin, signer.VerifierKey())
		if err == nil {
			_, err = Recover(ctx, os.Getenv(envPath), o, from)
		}
		return err
	}
	l, err := Open(ctx, os.Getenv(envPath), o)
	if err != nil {
		return err
	}
	rounds, _ := strconv.Atoi(os.Getenv(envRounds))
	if racer := os.Getenv(envRacer); racer != "" {
		return errors.Join(race(ctx, l, racer, rounds), l.Close())
	}
	errs := make(chan error)
	for c := range childChannels {
		go func() { errs <- extend(ctx, l, author(c), rounds, os.Stdout) }()
	}
	for range childChannels {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, l.Close())
}

// extend adds messages behind the channel's head and tells of each that it is
// recorded.
func extend(ctx context.Context, l *Log, a *channel.Author, rounds int, out io.Writer) error {
	if err := l.List(ctx, a.Channel()); err != nil {
		return err
	}
	for range rounds {
		m, err := next(ctx, l, a, "extends")
		if err != nil {
			return err
		}
		if _, err := l.Submit(ctx, m); err != nil {
			return err
		}
		fmt.Fprintln(out, "recorded", m.Channel(), m.Number(), m.Hash())
	}
	return nil
}

// race tries to take each of the first numbers of channel 0, from when its
// standard input ends.
func race(ctx context.Context, l *Log, racer string, rounds int) error {
	if err := l.List(ctx, author(0).Channel()); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	for n := 0; n < rounds; {
		m, err := next(ctx, l, author(0), racer)
		if err != nil {
			return err
		}
		n = int(m.Number()) + 1
		_, err = l.Submit(ctx, m)
		var conflict *ledger.Conflict
		switch {
		case err == nil:
			fmt.Println("recorded", m.Channel(), m.Number(), m.Hash())
		case errors.As(err, &conflict):
			w := conflict.Winner.Message
			fmt.Println("lost", w.Channel(), w.Number(), w.Hash())
		default:
			return err
		}
	}
	return nil
}

// next signs the message that follows the channel's head.
func next(ctx context.Context, l *Log, a *channel.Author, body string) (channel.Message, error) {
	d := channel.Draft{Time: time.UnixMilli(1790000000000), Body: []byte(body)}
	head, err := l.Head(ctx, a.Channel())
	if err == nil {
		d.Number, d.Prev = head.Message.Number()+1, head.Message.Hash()
	} else if !errors.Is(err, ledger.ErrNoChannel) {
		return channel.Message{}, err
	}
	return a.Sign(d)
}

// dieAt makes a hook that kills the process, as kill -9 does, at the n-th
// passing of a point.
func dieAt(text string) func(string) {
	point, passing, _ := strings.Cut(text, ":")
	n, _ := strconv.Atoi(passing)
	return func(at string) {
		if at != point {
			return
		}
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// answer is a line of a child.
type answer struct {
	what   string
	id     channel.ID
	number uint64
	hash   channel.Hash
}

func child(path string, env ...string) (*exec.Cmd, *storetest.Output) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, envPath+"="+path)...)
	out := &storetest.Output{Answer: "recorded "}
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd, out
}

func parseAnswers(t *testing.T, output io.Reader) []answer {
	var all []answer
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var a answer
		var id, hash string
		if n, _ := fmt.Sscan(lines.Text(), &a.what, &id, &a.number, &hash); n < 4 || len(hash) < 43 {
			continue // cut by the kill
		}
		require.NoError(t, a.id.UnmarshalText([]byte(id)))
		require.NoError(t, a.hash.UnmarshalText([]byte(hash)))
		all = append(all, a)
	}
	return all
}

// requireAllThere opens a log after a crash: it is sound, holds what was
// acknowledged, and takes more.
func requireAllThere(t *testing.T, path string, answers []answer) {
	t.Helper()
	l := openAt(t, path)
	requireClean(t, l)
	for _, a := range answers {
		r, err := l.Await(t.Context(), ledger.Receipt{Channel: a.id, Number: a.number, Hash: a.hash}, ledger.Final)
		require.NoError(t, err, "an acknowledged message is gone")
		require.Equal(t, a.hash, r.Hash)
	}
	require.NoError(t, extend(t.Context(), l, author(99), 1, io.Discard))
}

func TestKilledAtEachPointNothingAcknowledgedIsLost(t *testing.T) { onBoth(t, killedAtEachPoint) }

func killedAtEachPoint(t *testing.T, fresh func(testing.TB) string) {
	for _, point := range []string{store.PointBegun, store.PointApplied, store.PointCommitted, store.PointAnswered} {
		for _, passing := range []int{1, 9, 20} { // the first are of opening and listing
			t.Run(fmt.Sprintf("%s:%d", point, passing), func(t *testing.T) {
				path := fresh(t)
				cmd, out := child(path, envRounds+"=40", fmt.Sprintf("%s=%s:%d", envDieAt, point, passing))
				require.ErrorContains(t, cmd.Run(), "signal: killed")
				requireAllThere(t, path, parseAnswers(t, out))
			})
		}
	}
}

func TestKilledAtRandomNothingAcknowledgedIsLost(t *testing.T) { onBoth(t, killedAtRandom) }

func killedAtRandom(t *testing.T, fresh func(testing.TB) string) {
	const kills = 20
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path, acknowledged := fresh(t), 0
	for kill := range kills {
		early := kill%5 == 0 // while it opens the log, or before
		cmd, out := child(path, envRounds+"=1000000")
		require.NoError(t, cmd.Start())
		if !early {
			storetest.AwaitAnswer(t, out)
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		answers := parseAnswers(t, out)
		require.True(t, early || len(answers) > 0)
		acknowledged += len(answers)
		requireAllThere(t, path, answers)
	}
	t.Logf("%d acknowledged messages over %d kills", acknowledged, kills)
}

func TestThirtyProcessesRacingOneNumber(t *testing.T) { onBoth(t, thirtyProcesses) }

func thirtyProcesses(t *testing.T, fresh func(testing.TB) string) {
	const processes, numbers = 30, 20
	path := fresh(t) // all of them make it, too
	gate, open, err := os.Pipe()
	require.NoError(t, err)
	defer gate.Close()
	time.AfterFunc(time.Second, func() { _ = open.Close() })
	var wg sync.WaitGroup
	var mu sync.Mutex
	winners := map[uint64][]channel.Hash{}
	var lost []answer
	for p := range processes {
		wg.Go(func() {
			cmd, out := child(path, fmt.Sprintf("%s=racer %d", envRacer, p), fmt.Sprintf("%s=%d", envRounds, numbers))
			cmd.Stdin = gate
			assert.NoError(t, cmd.Run())
			mu.Lock()
			defer mu.Unlock()
			for _, a := range parseAnswers(t, out) {
				if a.what == "recorded" {
					winners[a.number] = append(winners[a.number], a.hash)
					continue
				}
				lost = append(lost, a)
			}
		})
	}
	wg.Wait()
	for n := range uint64(numbers) {
		require.Len(t, winners[n], 1, "winners of number %d", n)
	}
	require.NotEmpty(t, lost, "nobody raced")
	for _, a := range lost {
		require.Equal(t, winners[a.number][0], a.hash, "a loser was told another winner of number %d", a.number)
	}
	requireClean(t, openAt(t, path))
	t.Logf("%d processes, %d numbers, one winner each, %d told who won", processes, numbers, len(lost))
}

// A batch of which nobody knows whether it was committed leaves its frontier in memory. Where it was not, and another process has
// filled the place with as many leaves of its own, that is the frontier of a tree that is none.
func TestFrontierOfATreeThatWasNotCommittedIsNotUsed(t *testing.T) {
	l, o := openWith(t, newPath(t), options(t)), options(t)
	write(t, l, author(0), 3)
	lost := openWith(t, newPath(t), o)
	write(t, lost, author(1), 3)
	require.Equal(t, lost.frontier.tree.Size, l.frontier.tree.Size)
	l.frontier = lost.frontier
	write(t, l, author(2), 2)
	requireClean(t, l)
}
