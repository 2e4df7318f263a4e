package simcard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

var atr = []byte{0x3B, 0x80, 0x80, 0x01, 0x01}

// serve puts a card on a TCP port, in vpcd's framing, and returns the address. An error from the card breaks the connection.
func serve(t *testing.T, c *cardtest.Card) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			for err == nil {
				err = answerOne(conn, c)
			}
			_ = conn.Close() // broken on purpose, or by the other side
		}
	}()
	return listener.Addr().String()
}

func answerOne(conn net.Conn, c *cardtest.Card) error {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	frame := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		return err
	}
	answer, err := answerTo(c, frame)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

func answerTo(c *cardtest.Card, frame []byte) ([]byte, error) {
	if len(frame) > 1 {
		return c.Transmit(frame)
	}
	if frame[0] == 0x04 {
		return atr, nil
	}
	c.Reset()
	return nil, nil
}

func dial(t *testing.T, address string) *simcard.Card {
	t.Helper()
	c, err := simcard.Dial(context.Background(), address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func TestDialReadsTheATRAndTheCardAnswers(t *testing.T) {
	soft := cardtest.NewLocked("card")
	c := dial(t, serve(t, soft))
	assert.Equal(t, atr, c.ATR())

	message, err := t4t.Read(c)
	require.NoError(t, err)
	text, err := ndef.ParseURI(message.NDEF)
	require.NoError(t, err)
	u, err := tap.Parse(text)
	require.NoError(t, err)
	assert.NoError(t, u.Verify(soft.Soft.Key()))
}

func TestResetForgetsTheSelection(t *testing.T) {
	c := dial(t, serve(t, cardtest.NewLocked("card")))
	client, err := card.Open(c)
	require.NoError(t, err)
	require.NoError(t, c.Reset())
	_, err = client.Info()
	assert.ErrorIs(t, err, card.ErrState, "the application must be selected again")
	_, err = card.Open(c)
	assert.NoError(t, err)
}

func TestConnectionBrokenInACommandMeansTorn(t *testing.T) {
	soft := cardtest.New("card")
	c := dial(t, serve(t, soft))
	client, err := card.Open(c)
	require.NoError(t, err)
	soft.After = func(_ apdu.Command, _ []byte) ([]byte, error) { return nil, errors.New("torn") }
	_, err = client.Generate(tap.P256)
	assert.ErrorIs(t, err, simcard.ErrTorn)
	_, err = client.Info()
	assert.ErrorIs(t, err, simcard.ErrGone, "nothing is sent over a broken connection")
}

// mute listens, and answers what it is told to the first connection.
func mute(t *testing.T, answer []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, _ = conn.Write(answer)
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	return listener.Addr().String()
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := simcard.Dial(ctx, mute(t, nil))
	assert.ErrorIs(t, err, simcard.ErrGone)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAnswerCutShortIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := simcard.Dial(ctx, mute(t, []byte{0, 9, 1}))
	assert.ErrorIs(t, err, simcard.ErrGone)
}

func TestDialWithoutACard(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = simcard.Dial(context.Background(), listener.Addr().String())
	assert.ErrorIs(t, err, simcard.ErrGone)
}

func TestTransmitSendsNoControls(t *testing.T) {
	c := dial(t, serve(t, cardtest.New("card")))
	for _, n := range []int{0, 1, 3, 65536} {
		_, err := c.Transmit(make([]byte, n))
		assert.ErrorContains(t, err, "want 4 to 65535")
	}
}

func TestCloseTwice(t *testing.T) {
	c := dial(t, serve(t, cardtest.New("card")))
	require.NoError(t, c.Close())
	assert.NoError(t, c.Close())
	_, err := c.Transmit([]byte{0, 0, 0, 0})
	assert.ErrorIs(t, err, simcard.ErrGone)
}
