package tlog

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
)

// requireGuardHolds opens a log after a crash: its guard is not ahead of it, and no
// acknowledged message is ahead of the guard.
func requireGuardHolds(t *testing.T, path, guard string, answers []answer) {
	t.Helper()
	text, err := ReadGuard(guard)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Empty(t, answers, "answered without a guard")
		return
	}
	reader, err := OpenReader(t.Context(), path, origin, options(t).Signer.VerifierKey())
	require.NoError(t, err)
	defer reader.Close()
	require.NoError(t, reader.Against(t.Context(), text), "the guard is ahead of the log")
	size, err := sizeOf(text)
	require.NoError(t, err)
	for _, a := range answers {
		entries, err := reader.Range(t.Context(), a.id, a.number, 1)
		require.NoError(t, err)
		require.Less(t, entries[0].Index, size, "an acknowledged message is not under the guard")
	}
}

func TestKilledAtEachPointOfTheGuardNothingAnsweredIsUnguarded(t *testing.T) {
	for _, point := range []string{store.PointApplied, store.PointCommitted, PointGuarding, PointGuarded, store.PointAnswered} {
		for _, passing := range []int{1, 7, 20} {
			t.Run(fmt.Sprintf("%s:%d", point, passing), func(t *testing.T) {
				path, guard := newPath(t), filepath.Join(t.TempDir(), "guard")
				cmd, out := child(path, envGuard+"="+guard, envRounds+"=40", fmt.Sprintf("%s=%s:%d", envDieAt, point, passing))
				require.ErrorContains(t, cmd.Run(), "signal: killed")
				answers := parseAnswers(t, out)
				if _, err := os.Stat(guard); err == nil { // a log that was not made yet has none
					requireGuardHolds(t, path, guard, answers)
				}
				o := options(t)
				o.Guard = guard
				l := openWith(t, path, o)
				requireClean(t, l)
				write(t, l, author(99), 1)
			})
		}
	}
}

func TestKilledAtRandomNothingAnsweredIsUnguarded(t *testing.T) {
	const kills = 12
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	path, guard, acknowledged := newPath(t), filepath.Join(t.TempDir(), "guard"), 0
	for kill := range kills {
		early := kill%4 == 0       // while they open the log, or before
		var cmds []func() []answer // two processes share log and guard
		var outs []*storetest.Output
		for range 2 {
			cmd, out := child(path, envGuard+"="+guard, envRounds+"=1000000")
			cmd.Stderr = nil // one is refused where the other was faster
			require.NoError(t, cmd.Start())
			outs = append(outs, out)
			cmds = append(cmds, func() []answer {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				return parseAnswers(t, out)
			})
		}
		if !early {
			storetest.AwaitAnswer(t, outs...)
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		var answers []answer
		for _, end := range cmds {
			answers = append(answers, end()...)
		}
		require.True(t, early || len(answers) > 0)
		acknowledged += len(answers)
		requireGuardHolds(t, path, guard, answers)
	}
	t.Logf("%d acknowledged messages over %d kills", acknowledged, kills)
}

func TestTwentyProcessesShareOneGuard(t *testing.T) {
	const processes, numbers = 20, 10
	path, guard := newPath(t), filepath.Join(t.TempDir(), "guard") // all of them make both, too
	var wg sync.WaitGroup
	for p := range processes {
		wg.Go(func() {
			cmd, _ := child(path, envGuard+"="+guard, fmt.Sprintf("%s=racer %d", envRacer, p), fmt.Sprintf("%s=%d", envRounds, numbers))
			assert.NoError(t, cmd.Run())
		})
	}
	wg.Wait()
	o := options(t)
	o.Guard = guard
	l := openWith(t, path, o)
	report := requireClean(t, l)
	assert.GreaterOrEqual(t, report.Size, uint64(numbers))
	assert.Equal(t, report.Size, guardSizeNow(t, guard))
}
