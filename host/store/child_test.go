package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A child is this test binary started again to write to a database and to be
// killed: one line on its standard output for each write that was answered.
const (
	envPath    = "STORE_TEST_PATH"
	envWriters = "STORE_TEST_WRITERS" // goroutines; each owns the number of its own entries
	envEntries = "STORE_TEST_ENTRIES" // of each writer
	envDieAt   = "STORE_TEST_DIE_AT"  // point:passing at which it kills itself
	envRace    = "STORE_TEST_RACE"    // every writer is writer 0
)

func TestMain(m *testing.M) {
	if os.Getenv(envPath) == "" {
		os.Exit(m.Run())
	}
	if err := runChild(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runChild keeps to two threads, one that opens and one that writes: strace
// counts what it injects for each thread.
func runChild(ctx context.Context) error {
	runtime.LockOSThread()
	db, err := Open(ctx, os.Getenv(envPath), Options{Migrations: schema(), Schema: testSchema, Hook: dieAt(os.Getenv(envDieAt))})
	if err != nil {
		return err
	}
	w := NewWriter(db, appendEntries)
	writers, _ := strconv.Atoi(os.Getenv(envWriters))
	entries, _ := strconv.Atoi(os.Getenv(envEntries))
	var wg sync.WaitGroup
	for writer := range writers {
		if os.Getenv(envRace) != "" {
			writer = 0
		}
		wg.Go(func() {
			for number := range entries {
				_, err := w.Do(ctx, entry{writer, number})
				fmt.Printf("%s %d %d\n", outcome(err), writer, number)
			}
		})
	}
	wg.Wait()
	w.Close()
	return db.Close()
}

// outcome is one word for what an error says.
func outcome(err error) string {
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, ErrUncertain):
		return "uncertain"
	case errors.Is(err, ErrBroken):
		return "broken"
	case errors.Is(err, errTaken):
		return "taken"
	}
	return "failed"
}

// dieAt makes a hook that kills the process, as kill -9 does, at the n-th
// passing of a point.
func dieAt(text string) func(string) {
	point, passing, _ := strings.Cut(text, ":")
	n, _ := strconv.Atoi(passing)
	return func(at string) {
		runtime.LockOSThread()
		if at != point {
			return
		}
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// childCommand prepares a child; wrap is put before the binary's name.
func childCommand(path string, env []string, wrap ...string) *exec.Cmd {
	args := append(wrap, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), append(env, envPath+"="+path)...)
	return cmd
}

// answers are a child's output lines by outcome.
type answers map[string][]entry

func parseAnswers(t *testing.T, output io.Reader) answers {
	t.Helper()
	a := answers{}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var what string
		var e entry
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %d", &what, &e.writer, &e.number); err == nil {
			a[what] = append(a[what], e)
		}
	}
	return a
}

// runToEnd runs a child until it ends or dies, and returns its answers.
func runToEnd(t *testing.T, cmd *exec.Cmd) (answers, error) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
	return parseAnswers(t, &out), err
}

// requireNothingLost opens the database after a crash and compares it with what
// was answered; then it must still be good for writing.
func requireNothingLost(t *testing.T, path string, a answers) {
	t.Helper()
	db := openAt(t, path)
	have := map[int]int{}
	for _, e := range a["stored"] {
		if _, ok := have[e.writer]; !ok {
			have[e.writer] = count(t, db, e.writer)
		}
		require.Less(t, e.number, have[e.writer], "an acknowledged write of writer %d is gone", e.writer)
	}
	_, err := newWriter(t, db, appendEntries).Do(t.Context(), entry{0, count(t, db, 0)})
	require.NoError(t, err)
}
