package secrets_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
)

// A child is this test binary started again to change the secrets in a folder and to die at the n-th point it passes.
const (
	envDir  = "SECRETS_TEST_DIR"
	envWhat = "SECRETS_TEST_WHAT"
	envDie  = "SECRETS_TEST_DIE"
	envKey  = "SECRETS_TEST_KEY"
	died    = 9
)

func TestMain(m *testing.M) {
	if os.Getenv(envDir) == "" {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

func child() error {
	last, err := strconv.Atoi(os.Getenv(envDie))
	if err != nil {
		return err
	}
	s := secrets.Safe{Dir: os.Getenv(envDir), Hook: func(string) {
		if last--; last < 0 {
			os.Exit(died)
		}
	}}
	if text := os.Getenv(envKey); text != "" {
		if s.Key, err = secrets.ParseKey(text); err != nil {
			return err
		}
	}
	return act(s, os.Getenv(envWhat))
}

// act is one change of files.
func act(s secrets.Safe, what string) error {
	first, err := secrets.New(origin, "Acme", "https://acme.example.com", rand.NewChaCha8([32]byte{5}), made)
	if err != nil {
		return err
	}
	switch what {
	case "create":
		return s.Create(first)
	case "encrypt":
		return s.Encrypt()
	case "decrypt":
		return s.Decrypt()
	}
	_, err = s.Change(func(all *secrets.Secrets) error {
		second, err := secrets.NewIssuer("Bell", "", rand.NewChaCha8([32]byte{6}), made)
		all.Issuers = append(all.Issuers[:1:1], second)
		return err
	})
	return err
}

// TestSecretsOutliveACrashAnywhere: at each point of each change the process dies; what is then there is the old secrets or the
// new, and the same change once more goes through and leaves one file and no remains, least of all in the clear.
func TestSecretsOutliveACrashAnywhere(t *testing.T) {
	key, text := identity(t)
	two, _, _ := twoIssuers(t)
	one := fresh(t, 5)
	for _, c := range []struct {
		what          string
		before, after string // the file
		keyed         bool
	}{
		{"create", "", secrets.File, false},
		{"create", "", secrets.SealedFile, true},
		{"change", secrets.File, secrets.File, false},
		{"change", secrets.SealedFile, secrets.SealedFile, true},
		{"encrypt", secrets.File, secrets.SealedFile, true},
		{"decrypt", secrets.SealedFile, secrets.File, true},
	} {
		want := one
		if c.what == "change" {
			want = two
		}
		for point := 0; ; point++ {
			s, env := secrets.Safe{Dir: t.TempDir()}, ""
			if c.before == secrets.SealedFile {
				s.Key = key
			}
			if c.before != "" {
				require.NoError(t, act(s, "create"))
			}
			if c.keyed {
				s.Key, env = key, text
			}
			crashed := dies(t, s.Dir, c.what, env, point)
			loaded, err := s.Load()
			switch {
			case c.before == "" && crashed && errors.Is(err, fs.ErrNotExist):
			case err != nil:
				require.NoError(t, err, "%s at %d", c.what, point)
			case len(loaded.Issuers) == 1:
				assert.Equal(t, one, loaded)
			default:
				assert.Equal(t, want, loaded)
			}
			if err := act(s, c.what); err != nil {
				require.ErrorIs(t, err, fs.ErrExist, "%s at %d", c.what, point)
			}
			loaded, err = s.Load()
			require.NoError(t, err, "%s at %d", c.what, point)
			assert.Equal(t, want, loaded)
			if c.what == "create" { // which stops at what is there, and any later change cleans up
				require.NoError(t, act(s, "change"))
			}
			assert.Equal(t, []string{c.after}, names(t, s.Dir), "%s at %d", c.what, point)
			if !crashed {
				require.Greater(t, point, 3, "%s passes its points", c.what)
				break
			}
		}
	}
}

// dies reports whether the child came to the point.
func dies(t *testing.T, dir, what, key string, point int) bool {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), envDir+"="+dir, envWhat+"="+what, envKey+"="+key, envDie+"="+strconv.Itoa(point))
	out, err := c.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == died {
		return true
	}
	require.NoError(t, err, "%s", out)
	return false
}

// TestRemainsOfACrashAreNotFollowed: the place where a new file is written is nobody else's.
func TestRemainsOfACrashAreNotFollowed(t *testing.T) {
	s := secrets.Safe{Dir: t.TempDir()}
	target := filepath.Join(t.TempDir(), "target")
	require.NoError(t, os.WriteFile(target, []byte("mine"), 0o644))
	require.NoError(t, os.Symlink(target, filepath.Join(s.Dir, "secrets.new")))
	require.NoError(t, act(s, "create"))
	text, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(text))
	assert.Equal(t, []string{secrets.File}, names(t, s.Dir))
}
