package main

import (
	"bytes"
	"net"
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

// TestDemoLeavesItsTapsInTheRegistry: what the registry knows is what a ledger put back to an older copy is found out by.
func TestDemoLeavesItsTapsInTheRegistry(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // where what the machine remembers is kept
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	soft := cardtest.New("demo")
	go (&cardServer{card: soft}).serve(l)
	data := filepath.Join(t.TempDir(), "data")
	var talk bytes.Buffer
	args := []string{"demo", "--yes", "--data", data, "--reader", "sim:" + l.Addr().String()}
	code := run(t.Context(), args, streams{strings.NewReader("\n"), &talk, &talk, func(string) string { return "" }})
	require.Zero(t, code, talk.String())

	own, err := secrets.Safe{Dir: data}.Load()
	require.NoError(t, err)
	signer, err := ledger.NewSigner(string(own.Log))
	require.NoError(t, err)
	log, err := tlog.Open(t.Context(), filepath.Join(data, "ledger.db"), tlog.Options{Origin: signer.Name(), Signer: signer, Now: time.Now})
	require.NoError(t, err)
	defer log.Close()
	r, err := registry.Open(t.Context(), filepath.Join(data, "registry.db"), registry.Options{Ledger: log, Master: own.Master})
	require.NoError(t, err)
	defer r.Close()
	known, err := r.Card(t.Context(), soft.Soft.ID())
	require.NoError(t, err)
	assert.EqualValues(t, 3, known.Recorded, "the story's two taps and the one at Enter")
}
