package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func requireStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed: the order of system calls was not looked at")
	}
}

const tracedEntries = 12

// traced runs a child that writes one entry after the other under strace and
// returns its system calls, each on one line, in the order they ended.
func traced(t *testing.T, path string, options ...string) (calls []string, a answers) {
	trace := filepath.Join(t.TempDir(), "trace")
	wrap := append([]string{"strace", "-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,fsync,fdatasync"}, options...)
	a, _ = runToEnd(t, childCommand(path, []string{envWriters + "=1", envEntries + fmt.Sprint("=", tracedEntries)}, wrap...))
	f, err := os.Open(trace)
	require.NoError(t, err)
	defer f.Close()
	begun := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		thread, call, _ := strings.Cut(lines.Text(), " ")
		call = strings.TrimSpace(call)
		if head, ok := strings.CutSuffix(call, " <unfinished ...>"); ok {
			begun[thread] = head
			continue
		}
		if strings.HasPrefix(call, "<... ") {
			_, tail, _ := strings.Cut(call, " resumed>")
			call = begun[thread] + tail
		}
		calls = append(calls, call)
	}
	require.NoError(t, lines.Err())
	return calls, a
}

func walCall(names string) *regexp.Regexp {
	return regexp.MustCompile(`^(` + names + `)\(\d+<[^>]*-wal>`)
}

func TestTheLogIsSyncedBetweenWriteAndAnswer(t *testing.T) {
	requireStrace(t)
	write, sync := walCall("write|pwrite64"), walCall("fsync|fdatasync")
	calls, a := traced(t, filepath.Join(t.TempDir(), "test.db"))
	require.Len(t, a["stored"], tracedEntries)
	written, synced, answered := false, false, 0
	for _, call := range calls {
		switch {
		case write.MatchString(call):
			written, synced = true, false
		case sync.MatchString(call):
			require.True(t, strings.HasSuffix(call, "= 0"), call)
			synced = true
		case strings.Contains(call, `"stored 0 `):
			answered++
			assert.True(t, written && synced, "answer %d came before the log was written and synced", answered)
			written, synced = false, false
		}
	}
	assert.Equal(t, tracedEntries, answered)
}

func TestNoPositiveAnswerAfterASyncFailed(t *testing.T) {
	requireStrace(t)
	sync := walCall("fsync|fdatasync")
	uncertain := 0
	for from := 1; from <= tracedEntries; from++ {
		path := filepath.Join(t.TempDir(), "test.db")
		calls, a := traced(t, path, "-e", fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d+", from))
		failed := false
		for _, call := range calls {
			if sync.MatchString(call) && strings.HasSuffix(call, "(INJECTED)") {
				failed = true
			}
			assert.False(t, failed && strings.Contains(call, `"stored 0 `), "sync %d failed: %s", from, call)
		}
		if len(a["uncertain"]) > 0 {
			uncertain++
			assert.Len(t, a["uncertain"], 1, "the first failed commit is uncertain")
			assert.Len(t, a["broken"], tracedEntries-1-len(a["stored"]), "and nothing is written after it")
		}
		requireNothingLost(t, path, a)
	}
	assert.GreaterOrEqual(t, uncertain, 4, "runs in which the file was opened and a commit failed")
}
