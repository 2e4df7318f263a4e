package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ledger"
)

// TestRestoredKeysAndTheLedgerMakeTheSameRegistry: two issuers' cards and taps, on a machine that has nothing else.
func TestRestoredKeysAndTheLedgerMakeTheSameRegistry(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // where what the machine remembers is kept
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	server := &cardServer{}
	go server.serve(l)
	data, empty := t.TempDir(), t.TempDir()
	do := func(args ...string) {
		t.Helper()
		var talk bytes.Buffer
		args = append([]string{"--data", data, "--reader", "sim:" + l.Addr().String()}, args...)
		require.Zero(t, run(t.Context(), args, streams{strings.NewReader(""), &talk, &talk, func(string) string { return "" }}), talk.String())
	}
	for _, name := range []string{"Acme", "Bell"} {
		server.card = cardtest.New(name)
		if name == "Bell" {
			do("issuer", "add", "Bell")
		}
		do("card", "personalise", "--yes", "--template", "https://tap.example.com/t", "--issuer-name", "Acme", "--issuer", map[string]string{"Bell": "Bell"}[name])
		do("tap", "update", server.card.Soft.Tap())
		do("tap", "update", server.card.Soft.Tap())
	}

	key, err := secrets.ParseKey("AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33")
	require.NoError(t, err)
	own, err := secrets.Safe{Dir: data}.Load()
	require.NoError(t, err)
	backup := filepath.Join(t.TempDir(), "keys.age")
	require.NoError(t, secrets.WriteBackup(backup, own, key, time.Now()))
	b, err := secrets.ReadBackup(backup, key)
	require.NoError(t, err)
	require.NoError(t, secrets.Safe{Dir: empty, Key: key}.Restore(b))
	file, err := os.ReadFile(filepath.Join(data, "ledger.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(empty, "ledger.db"), file, 0o600))

	before, after := dumpOf(t, secrets.Safe{Dir: data}), dumpOf(t, secrets.Safe{Dir: empty, Key: key})
	assert.Equal(t, string(before), string(after))
	assert.Equal(t, 4, bytes.Count(after, []byte("\n")), "two issuers and two cards")
}

// dumpOf folds an installation's ledger anew and writes down what it comes to.
func dumpOf(t *testing.T, s secrets.Safe) []byte {
	t.Helper()
	own, err := s.Load()
	require.NoError(t, err)
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	log, err := tlog.Open(t.Context(), filepath.Join(s.Dir, "ledger.db"), tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now})
	require.NoError(t, err)
	defer log.Close()
	r, err := registry.Open(t.Context(), filepath.Join(s.Dir, "registry.db"), registry.Options{Ledger: log, Master: own.Master})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Rebuild(context.Background()))
	dump, err := r.Dump(t.Context())
	require.NoError(t, err)
	return dump
}
