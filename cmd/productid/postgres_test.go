package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/card/cardtest"
)

// machine is a computer with a data folder and the database that it shares with others.
type machine struct {
	t              *testing.T
	data, database string
	reader         string
}

// run executes a command line and wants an exit code.
func (m machine) run(want console.Exit, args ...string) (out, talk string) {
	m.t.Helper()
	var o, e bytes.Buffer
	args = append([]string{"--data", m.data, "--ledger", m.database, "--reader", m.reader}, args...)
	code := run(m.t.Context(), args, streams{strings.NewReader(""), &o, &e, func(name string) string {
		return map[string]string{"XDG_STATE_HOME": filepath.Join(m.data, "state")}[name]
	}})
	require.Equal(m.t, want, code, "%v\n%s%s", args, &o, &e)
	return o.String(), e.String()
}

// TestTwoMachinesShareADatabase: what one records is used up at the other, and neither prints the database's password.
func TestTwoMachinesShareADatabase(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go (&cardServer{card: cardtest.New("acme-1")}).serve(l)
	first := machine{t, t.TempDir(), storetest.Postgres(t), "sim:" + l.Addr().String()}
	first.run(console.OK, "card", "personalise", "--yes", "--template", "https://tap.example.com/t")

	second := first
	second.data = t.TempDir()
	keys, err := os.ReadFile(filepath.Join(first.data, secrets.File))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(second.data, secrets.File), keys, 0o600))
	url, _ := first.run(console.OK, "card", "read")
	url = regexp.MustCompile(`https://\S+`).FindString(url)
	_, talk := second.run(console.Failure, "tap", "verify", url)
	assert.Contains(t, talk, "this machine remembers nothing of the ledger")
	second.run(console.OK, "ledger", "recover", "--adopt", "--yes")
	second.run(console.OK, "tap", "verify", url)
	out, _ := first.run(console.OK, "tap", "update", url)
	assert.Contains(t, out, "recorded")
	out, _ = second.run(console.No, "tap", "update", url)
	assert.Contains(t, out, "already_used")
	out, _ = second.run(console.OK, "ledger", "verify")
	assert.Contains(t, out, "holds: 4 messages")
	out, _ = second.run(console.OK, "ledger", "rebuild")
	assert.Contains(t, out, "holds what it held before")

	elsewhere := machine{t, first.data, "postgres://somebody:letmein@127.0.0.1:1/none", first.reader}
	_, talk = elsewhere.run(console.Unreachable, "ledger", "info")
	assert.NotContains(t, talk, "letmein")
}
