package main

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card/cardtest"
)

// TestSlowCardIsMadeWithAWarning: phones might give up on it, and who makes it hears that while something can still be done.
func TestSlowCardIsMadeWithAWarning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	c := cardtest.New("slow")
	c.Before = func(command apdu.Command) error {
		if command.INS == 0xB0 && command.P2 == 0 && command.Ne == 2 { // where the message's length is read, it is signed
			time.Sleep(520 * time.Millisecond)
		}
		return nil
	}
	go (&cardServer{card: c}).serve(l)
	b := &bench{t: t, data: t.TempDir(), reader: "sim:" + l.Addr().String()}
	code, talk := b.personalise(orders["gs1"])
	require.Equal(t, console.OK, code, talk)
	assert.Regexp(t, `(?m)^ok .*rehearsal read back .*\nwarning: the card took \d{3,5} ms for one answer, and phones give up after 1000 ms; move it on the reader`, talk)
	b.proves(orders["gs1"])
}
