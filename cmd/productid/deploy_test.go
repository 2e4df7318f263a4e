package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needs skips a test that this machine cannot run, or fails it where everything is required.
func needs(t *testing.T, there bool, what string) {
	t.Helper()
	if !there && os.Getenv("PRODUCTID_REQUIRE") == "all" {
		require.Fail(t, what)
	}
	if !there {
		t.Skip(what)
	}
}

// TestUnitIsOneThatSystemdTakes has systemd read the unit, and say how much of the machine the service could reach.
func TestUnitIsOneThatSystemdTakes(t *testing.T) {
	_, err := exec.LookPath("systemd-analyze")
	needs(t, err == nil, "systemd-analyze is not installed: scripts/setup.sh does it")
	text, err := os.ReadFile("../../scripts/productid.service")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	unit := filepath.Join(t.TempDir(), "productid.service")
	require.NoError(t, os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/local/bin/productid"), []byte(self)), 0o644))

	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	assert.NoError(t, err, "%s", out)
	assert.NotContains(t, string(out), "productid.service")
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit).CombinedOutput() // of 100
	assert.NoError(t, err, "%s", out)
}

// image is what the last stage of the Dockerfile says.
type image struct {
	copies      [][2]string // from, to
	env         []string
	user, group uint32
	command     []string
}

func readImage(t *testing.T) image {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	_, last, found := strings.Cut(string(text), "FROM scratch\n")
	require.True(t, found)
	var i image
	for line := range strings.Lines(last) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "COPY":
			var paths [2]string
			copy(paths[:], regexp.MustCompile(`(?:^| )/\S+`).FindAllString(rest, 2))
			i.copies = append(i.copies, [2]string{strings.TrimSpace(paths[0]), strings.TrimSpace(paths[1])})
		case "ENV":
			i.env = append(i.env, strings.Fields(rest)...)
		case "USER":
			_, err := fmt.Sscanf(rest, "%d:%d", &i.user, &i.group)
			require.NoError(t, err)
		case "ENTRYPOINT", "CMD":
			for _, w := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(rest, -1) {
				i.command = append(i.command, w[1])
			}
		}
	}
	require.NotEmpty(t, i.command)
	require.NotZero(t, i.user)
	return i
}

// TestImageNeedsNothingElse lays out a root as the Dockerfile does, and starts in it what that starts, as its user.
func TestImageNeedsNothingElse(t *testing.T) {
	needs(t, os.Geteuid() == 0, "only root may change the root folder of a process")
	i, root := readImage(t), t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
	binary := filepath.Join(t.TempDir(), "productid")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, c := range i.copies {
		to := filepath.Join(root, c[1])
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		switch c[0] {
		case "/productid":
			require.NoError(t, os.Rename(binary, to))
		case "/data", "/state":
			require.NoError(t, os.Mkdir(to, 0o700))
			require.NoError(t, os.Chown(to, int(i.user), int(i.group)))
		default:
			content, err := os.ReadFile(c[0])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, content, 0o644))
		}
	}

	start := func(more ...string) (*exec.Cmd, *bytes.Buffer) {
		c, talk := exec.Command(i.command[0], append(i.command[1:], more...)...), new(bytes.Buffer)
		c.Env, c.Dir, c.Stdout, c.Stderr = i.env, "/", talk, talk
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: i.user, Gid: i.group}}
		require.NoError(t, c.Start())
		return c, talk
	}
	c, talk := start("--listen", ":0")
	assert.Error(t, c.Wait(), "plain HTTP for everybody, unasked")
	assert.Contains(t, talk.String(), "--behind-proxy")

	at := freeAddress(t)
	begun := time.Now()
	c, talk = start("--listen", at, "--behind-proxy", "--base-url", "https://tap.example.com")
	ready := awaitReady(t, at, 10*time.Second)
	t.Logf("ready after %v", time.Since(begun).Round(time.Millisecond))
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.NoError(t, c.Wait(), talk.String())
	require.True(t, ready, talk.String())
	assert.Contains(t, talk.String(), "https://tap.example.com/office/setup#")
	for _, file := range []string{"data/ledger.db", "data/secrets.json"} {
		assert.FileExists(t, filepath.Join(root, file))
	}
	assert.DirExists(t, filepath.Join(root, "state/productid/guards"))
	roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")) // where Go looks first
	require.NoError(t, err)
	assert.True(t, x509.NewCertPool().AppendCertsFromPEM(roots), "nobody could be asked over TLS")
}

// freeAddress is one of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// awaitReady asks /readyz until that says yes.
func awaitReady(t *testing.T, address string, limit time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return true
		}
	}
	return false
}
