package validation

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
)

// A child is this test binary started again on an installation's folder: it opens it, says "opened", and then updates each tap
// URL that it reads from its standard input and writes the answer in one line.
const (
	envDir   = "VALIDATION_TEST_DIR"
	envDieAt = "VALIDATION_TEST_DIE_AT" // the step at which it kills itself, as kill -9 does
	envRetry = "VALIDATION_TEST_RETRY"  // retry key of its requests
)

func TestMain(m *testing.M) {
	if os.Getenv(envDir) == "" {
		os.Exit(m.Run())
	}
	if err := runChild(context.Background(), os.Getenv(envDir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0) // without closing: whatever a close would sync, an answer must not need
}

// suicide makes a hook that kills the process at a step, once it is armed.
func suicide(at string, armed *atomic.Bool) func(string) {
	return func(step string) {
		if step == at && armed.Load() {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

func runChild(ctx context.Context, dir string) error {
	var t childT
	var armed atomic.Bool
	hook := suicide(os.Getenv(envDieAt), &armed)
	s := openShop(&t, openLog(&t, dir, hook), dir)
	s.Hook = hook
	armed.Store(true)
	fmt.Println("opened")
	for urls := bufio.NewScanner(os.Stdin); urls.Scan(); {
		r := Request{URL: urls.Text()}
		if key := os.Getenv(envRetry); key != "" {
			r.Retry = &Retry{"child", retryKey(key)}
		}
		v, err := s.Update(ctx, r)
		switch {
		case err != nil:
			fmt.Println("error", err)
		case v.Code == Recorded:
			fmt.Println(v.Code, v.Counter, v.Receipt.Hash)
		default:
			fmt.Println(v.Code, v.Counter)
		}
	}
	return nil
}

// childT lets a child use the fixture: what would fail a test ends the process.
type childT struct{ testing.TB }

func (*childT) Helper()                   {}
func (*childT) Cleanup(func())            {}
func (*childT) Context() context.Context  { return context.Background() }
func (*childT) Errorf(f string, a ...any) { fmt.Fprintf(os.Stderr, f, a...) }
func (*childT) FailNow()                  { os.Exit(1) }

func openLog(t testing.TB, dir string, hook func(string)) *tlog.Log {
	t.Helper()
	signer, _ := logKeys(t)
	l, err := tlog.Open(t.Context(), filepath.Join(dir, "ledger.db"), tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true, Hook: hook})
	require.NoError(t, err)
	return l
}

// newFolder makes an installation with one card in service and closes it.
func newFolder(t *testing.T) (dir string, s *shop) {
	t.Helper()
	dir = t.TempDir()
	reopen(t, dir, func(opened *shop) {
		s = opened
		s.register()
		s.putInService()
		require.Equal(t, Valid, s.validate(s.card.Tap()).Code) // the registry is up to date, too
	})
	return dir, s
}

// reopen opens an installation for a while, and checks its whole log before.
func reopen(t *testing.T, dir string, use func(*shop)) {
	t.Helper()
	t.Run("reopened", func(t *testing.T) {
		l := openLog(t, dir, nil)
		defer func() { require.NoError(t, l.Close()) }()
		requireSound(t, l)
		use(openShop(t, l, dir))
		requireSound(t, l)
	})
}

func requireSound(t *testing.T, l *tlog.Log) {
	t.Helper()
	report, err := l.Check(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

// child is a running child.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(t *testing.T, dir string, env []string, wrap ...string) *child {
	t.Helper()
	args := append(wrap, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(append(os.Environ(), env...), envDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{cmd, in, bufio.NewScanner(out)}
	require.Equal(t, "opened", c.line())
	return c
}

// line returns the next line of the child, "" when it has ended.
func (c *child) line() string {
	if !c.out.Scan() {
		return ""
	}
	return c.out.Text()
}

func (c *child) say(url string) { fmt.Fprintln(c.in, url) }

// end lets the child finish and returns what it still said.
func (c *child) end() (lines []string) {
	c.in.Close()
	for c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	_ = c.Wait()
	return lines
}

// race starts n children, gives all of them one URL at once and returns their answers.
func race(t *testing.T, dir, url string, n int, env ...string) []string {
	t.Helper()
	children, answers := make([]*child, n), make([]string, n)
	for i := range children {
		children[i] = startChild(t, dir, env)
	}
	var done sync.WaitGroup
	for i, c := range children {
		done.Go(func() {
			c.say(url)
			answers[i] = c.line()
			c.end()
		})
	}
	done.Wait()
	return answers
}

func TestThirtyProcessesRecordOne(t *testing.T) {
	dir, s := newFolder(t)
	answers := race(t, dir, s.card.Tap(), 30)
	n := map[string]int{}
	for _, a := range answers {
		code, _, _ := strings.Cut(a, " ")
		n[code]++
	}
	assert.Equal(t, map[string]int{"recorded": 1, "already_used": 29}, n)
	reopen(t, dir, func(s *shop) { assert.Len(t, s.recorded(), 1) })
}

func TestThirtyProcessesWithOneRetryKeyGetOneReceipt(t *testing.T) {
	dir, s := newFolder(t)
	answers := race(t, dir, s.card.Tap(), 30, envRetry+"=one")
	for _, a := range answers {
		assert.Equal(t, answers[0], a)
		assert.True(t, strings.HasPrefix(a, "recorded "), a)
	}
	reopen(t, dir, func(s *shop) { assert.Len(t, s.recorded(), 1) })
}

// TestKillAtEveryStepLosesNothing kills a process at each step of an update. What it answered has to stand, and the tap can be
// recorded once, now or by another request.
func TestKillAtEveryStepLosesNothing(t *testing.T) {
	durable := false
	for _, step := range []string{
		"verified", "head read", "signed", "batch begun", "batch applied", "batch committed", "batch answered", "submitted", "final",
	} {
		t.Run(step, func(t *testing.T) {
			dir, s := newFolder(t)
			url := s.card.Tap()
			c := startChild(t, dir, []string{envDieAt + "=" + step, envRetry + "=killed"})
			c.say(url)
			if answers := c.end(); step != "batch answered" { // then the answer is on its way
				require.Empty(t, answers, "died before it answered")
			}
			durable = durable || step == "batch committed"
			reopen(t, dir, func(s *shop) {
				require.Equal(t, durable, len(s.recorded()) == 1)
				again := s.update(Request{URL: url, Retry: &Retry{"child", retryKey("killed")}})
				assert.Equal(t, Recorded, again.Code)
				assert.Equal(t, durable, again.Replayed)
				assert.Equal(t, AlreadyUsed, s.update(Request{URL: url}).Code)
				assert.Len(t, s.recorded(), 1)
			})
		})
	}
}

func TestKillAtRandomLosesNothing(t *testing.T) {
	dir, s := newFolder(t)
	var answered []string
	random := rand.New(rand.NewPCG(1, 2))
	for kill := range 20 {
		c, early, n := startChild(t, dir, nil), kill%5 == 0, 0
		killSoon := func() {
			time.AfterFunc(time.Duration(random.IntN(30_000))*time.Microsecond, func() { _ = c.Process.Kill() })
		}
		if early { // perhaps before its first answer
			killSoon()
		}
		for ; ; n++ {
			c.say(s.card.Tap())
			a := c.line()
			if a == "" {
				break
			}
			require.True(t, strings.HasPrefix(a, "recorded "), a)
			answered = append(answered, a)
			if n == 0 && !early {
				killSoon()
			}
		}
		require.True(t, early || n > 0)
		c.end()
	}
	t.Logf("%d taps were answered before 20 kills", len(answered))
	requireAllRecorded(t, dir, answered)
}

// requireAllRecorded checks that every answer stands in the ledger, and no counter twice.
func requireAllRecorded(t *testing.T, dir string, answered []string) {
	t.Helper()
	reopen(t, dir, func(s *shop) {
		times := map[uint32]int{}
		for _, one := range s.recorded() {
			times[uint32(one.Counter)]++
			assert.Equal(t, 1, times[uint32(one.Counter)])
			assert.Equal(t, AlreadyUsed, s.update(Request{URL: s.card.TapAt(uint32(one.Counter))}).Code)
		}
		for _, a := range answered {
			var counter uint32
			_, err := fmt.Sscanf(a, "recorded %d", &counter)
			require.NoError(t, err)
			assert.Equal(t, 1, times[counter], "an answered tap is lost")
		}
	})
}

func requireStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed: system calls were not looked at")
	}
}

// TestSyncComesBeforeTheAnswer reads the system calls of an update: the log's last write is synced before "recorded" is written.
func TestSyncComesBeforeTheAnswer(t *testing.T) {
	requireStrace(t)
	dir, s := newFolder(t)
	trace := filepath.Join(t.TempDir(), "trace")
	c := startChild(t, dir, nil, "strace", "-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,fsync,fdatasync")
	c.say(s.card.Tap())
	require.Contains(t, c.line(), "recorded ")
	c.end()

	calls, err := os.ReadFile(trace)
	require.NoError(t, err)
	_, update, _ := strings.Cut(string(calls), `"opened\n"`)
	before, _, answered := strings.Cut(update, `"recorded `)
	require.True(t, answered)
	writes := regexp.MustCompile(`(?:write|pwrite64)\(\d+<[^>]*ledger\.db-wal>`).FindAllStringIndex(before, -1)
	syncs := regexp.MustCompile(`(?:fsync|fdatasync)\(\d+<[^>]*ledger\.db-wal>`).FindAllStringIndex(before, -1)
	require.NotEmpty(t, writes)
	require.NotEmpty(t, syncs)
	synced := syncs[len(syncs)-1][0]
	assert.Greater(t, synced, writes[len(writes)-1][0], "the log is synced after its last write")
	assert.Regexp(t, `(?m)(?:fsync|fdatasync).*\) += 0$`, before[synced:], "and the sync has succeeded")
}

func TestFailedSyncIsNeverAYes(t *testing.T) {
	requireStrace(t)
	dir, s := newFolder(t)
	url := s.card.Tap()
	c := startChild(t, dir, nil, "strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
	for range 3 {
		c.say(url)
		assert.True(t, strings.HasPrefix(c.line(), "error "))
	}
	c.end()
	reopen(t, dir, func(s *shop) {
		if len(s.recorded()) == 0 {
			assert.Equal(t, Recorded, s.update(Request{URL: url}).Code)
		}
		assert.Equal(t, AlreadyUsed, s.update(Request{URL: url}).Code)
		assert.Len(t, s.recorded(), 1)
	})
}
