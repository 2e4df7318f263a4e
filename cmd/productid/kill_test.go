package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/card/cardtest"
)

// TestKilledPersonalisationIsMendedByTheNext kills the program at random moments with SIGKILL: the next run brings the
// card to the same end, with one registration and one beginning of service.
func TestKilledPersonalisationIsMendedByTheNext(t *testing.T) {
	const cards, kills, longest = 10, 2, 60 * time.Millisecond
	random := rand.New(rand.NewPCG(1, 2))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	data := t.TempDir() + "/data"
	for n := range cards {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		server := &cardServer{card: cardtest.New(fmt.Sprint("card ", n))}
		go server.serve(l)
		personalise := func() (*exec.Cmd, *bytes.Buffer) {
			c, talk := exec.Command("productid", "card", "personalise", "--yes", "--template", "https://tap.example.com/t"), new(bytes.Buffer)
			c.Env = append(os.Environ(), "PRODUCTID_DATA="+data, "PRODUCTID_READER=sim:"+l.Addr().String())
			c.Stderr = talk
			return c, talk
		}
		for range kills {
			c, _ := personalise()
			require.NoError(t, c.Start())
			time.Sleep(time.Duration(random.Int64N(int64(longest))))
			require.NoError(t, c.Process.Kill())
			c.Wait() // it was killed
		}
		c, talk := personalise()
		require.NoError(t, c.Run(), talk.String())
		server.mu.Lock()
		assert.Equal(t, cardtest.Locked, server.card.State)
		server.mu.Unlock()
	}
	check := exec.Command("productid", "--json", "--data", data, "ledger", "verify")
	out, err := check.Output()
	require.NoError(t, err)
	var report checkView
	require.NoError(t, json.Unmarshal(out, &report))
	assert.True(t, report.Holds)
	assert.EqualValues(t, 1+2*cards, report.Messages, "the issuer's opening, and two for each card")
	t.Logf("%d cards, %d kills each, %d messages", cards, kills, report.Messages)
}
