package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"net"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ledger"
)

// firstVersion is a file of secrets as it was before an installation could serve several issuers.
const firstVersion = `{
	"version": 1,
	"created": "2026-09-21T14:13:20Z",
	"tapMaster": "G8ZRhmNzBC0g6EmDh-Kl5uOIvKIBtAk11_OXm5-qxyQ",
	"issuer": "eG08xZiqrOzSIO5P9cCCCTeQEeQCmUL6FLgT59T1jS0",
	"issuerNext": "b479Jfau_dvTA4DWWp3j4bXx1jfcdhNo9l4ZLjNYeLI",
	"log": "PRIVATE+KEY+log.example.com+db20f223+AclgcBDJpicy9iwyNZtNejV4z1JJLRoUqUK2hDpzoOSO"
}
`

// TestInstallationOfTheFirstVersionGoesOn: its file stays as it is until somebody adds to it, and its cards are recorded before
// and after.
func TestInstallationOfTheFirstVersionGoesOn(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // where what the machine remembers is kept
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	soft := cardtest.New("old")
	go (&cardServer{card: soft}).serve(l)
	data := t.TempDir()
	path := filepath.Join(data, secrets.File)
	require.NoError(t, os.WriteFile(path, []byte(firstVersion), 0o600))
	own, err := secrets.Safe{Dir: data}.Load()
	require.NoError(t, err)
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	log, err := tlog.Open(t.Context(), filepath.Join(data, "ledger.db"), tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now, Create: true})
	require.NoError(t, err)
	require.NoError(t, log.Close())

	try := func(args ...string) (console.Exit, string) {
		var out, talk bytes.Buffer
		all := append([]string{"--data", data, "--reader", "sim:" + l.Addr().String()}, args...)
		code := run(t.Context(), all, streams{strings.NewReader(""), &out, &talk, func(string) string { return "" }})
		return code, out.String() + talk.String()
	}
	code, text := try("card", "personalise", "--yes", "--template", "https://tap.example.com/t", "--issuer-name", "Old Dairy")
	require.Zero(t, code, text)
	code, text = try("tap", "update", soft.Soft.Tap())
	require.Zero(t, code, text)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, firstVersion, string(file))

	code, text = try("issuer", "add", "Old Dairy")
	require.Equal(t, console.Usage, code, "the ledger knows the name: %s", text)
	code, text = try("issuer", "add", "New Dairy")
	require.Zero(t, code, text)
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(file), `"version": 2`)
	code, text = try("tap", "update", soft.Soft.Tap())
	require.Zero(t, code, text)
	code, text = try("--issuer", "Old Dairy", "card", "personalise", "--template", "https://tap.example.com/t")
	require.Zero(t, code, text)
	assert.Contains(t, text, "in_service")
}
