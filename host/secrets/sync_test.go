package secrets_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
)

// TestNothingIsTakenAwayBeforeItsSuccessorIsOnTheDisk: what a power cut finds is in the order of the system calls.
func TestNothingIsTakenAwayBeforeItsSuccessorIsOnTheDisk(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed: the order of system calls was not looked at")
	}
	key, text := identity(t)
	for _, c := range []struct {
		what, env string
		order     []string
	}{
		{"create", "", []string{`fsync\(.*secrets\.new`, `link.*secrets\.json"`, `fsync\(DIR`}},
		{"change", "", []string{`fsync\(.*secrets\.new`, `rename.*secrets\.new.*secrets\.json"`, `fsync\(DIR`}},
		{"encrypt", text, []string{`fsync\(.*secrets\.new`, `link.*secrets\.age"`, `fsync\(DIR`, `unlink.*secrets\.json"`, `fsync\(DIR`}},
		{"decrypt", text, []string{`fsync\(.*secrets\.new`, `link.*secrets\.json"`, `fsync\(DIR`, `unlink.*secrets\.age"`, `fsync\(DIR`}},
	} {
		s := secrets.Safe{Dir: t.TempDir()}
		if c.what == "decrypt" {
			s.Key = key
		}
		if c.what != "create" {
			require.NoError(t, act(s, "create"))
		}
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command("strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,?link,linkat,?unlink,unlinkat,?rename,renameat,?renameat2", os.Args[0])
		cmd.Env = append(os.Environ(), envDir+"="+s.Dir, envWhat+"="+c.what, envKey+"="+c.env, envDie+"=1000")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		calls, err := os.ReadFile(trace)
		require.NoError(t, err)
		seen := strings.ReplaceAll(string(calls), "<"+s.Dir+">", "<DIR>")
		pattern := strings.ReplaceAll(strings.Join(c.order, `(?s:.*)`), "DIR", `\d+<DIR>\)`)
		require.Regexp(t, regexp.MustCompile(pattern), seen, c.what)
	}
}
