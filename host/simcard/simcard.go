// Package simcard talks to a virtual card over TCP: the VirtualCard runner of jcardsim-tests, started by scripts/virtual-card.sh.
//
// The framing is that of vpcd: a big-endian length of 16 bits, then so many bytes. One byte is a control (power off, power on, read
// the ATR), anything longer a command APDU; each gets one frame back.
//
// # Concurrency
//
// A Card serves one caller at a time. Close may be called while another goroutine waits for an answer, which then fails.
//
// # Limitations
//
// For tests and demonstrations: there is no authentication, and the runner listens on the loopback interface only.
package simcard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"
)

// What can happen to the connection.
var (
	// ErrTorn says that the connection broke after a command was sent: whether the card carried it out is unknown.
	ErrTorn = errors.New("the card was torn from the reader; whether it carried the command out is unknown")
	// ErrGone says that there is no connection: nothing was sent.
	ErrGone = errors.New("no connection to the card")
)

// Controls, as vpcd numbers them.
const (
	powerOff = 0x00
	powerOn  = 0x01
	getATR   = 0x04
)

const (
	minCommand = 4 // shorter ones would be taken for controls

	// answerTimeout is far above what any command takes; RSA key generation takes seconds.
	answerTimeout = 60 * time.Second
)

// Card is a virtual card that is connected and powered. It is an apdu.Transmitter.
type Card struct {
	conn net.Conn
	atr  []byte
}

// Dial connects to a virtual card, switches it on and reads its ATR. SELECT is the caller's. The context bounds all of that, not what
// follows. The error is ErrGone: nobody listens, or the runner serves another program, for it takes one at a time.
func Dial(ctx context.Context, address string) (*Card, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the virtual card: %w: %w", ErrGone, err)
	}
	c := &Card{conn: conn}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // wakes Reset
	defer stop()
	if err := c.Reset(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: it does not answer: %w", ErrGone, err), ctx.Err(), c.Close())
	}
	return c, nil
}

// Reset switches the card off and on: the selection is forgotten, what is persistent stays.
func (c *Card) Reset() error {
	for _, control := range []byte{powerOff, powerOn} {
		if _, err := c.exchange([]byte{control}); err != nil {
			return fmt.Errorf("switching the virtual card off and on: %w", err)
		}
	}
	atr, err := c.exchange([]byte{getATR})
	if err != nil {
		return fmt.Errorf("reading the virtual card's ATR: %w", err)
	}
	c.atr = atr
	return nil
}

// ATR returns what the card answered to the last reset.
func (c *Card) ATR() []byte { return append([]byte(nil), c.atr...) }

// Transmit sends a command APDU of 4 to 65,535 bytes and returns the answer. ErrGone: nothing was sent. ErrTorn: the result is
// unknown. After either, the Card is of no use any more; Dial again.
func (c *Card) Transmit(command []byte) ([]byte, error) {
	if len(command) < minCommand || len(command) > math.MaxUint16 {
		return nil, fmt.Errorf("command of %d bytes: want %d to %d", len(command), minCommand, math.MaxUint16)
	}
	return c.exchange(command)
}

// exchange sends a frame and reads one. After a failure the connection is closed, lest a late answer be taken for the next one.
func (c *Card) exchange(frame []byte) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	answer, err := c.roundTrip(frame)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrTorn, err), c.Close())
	}
	return answer, nil
}

func (c *Card) roundTrip(frame []byte) ([]byte, error) {
	// One write: two small segments would wait for each other's acknowledgement for 40 ms.
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(frame)), uint16(len(frame)))
	if _, err := c.conn.Write(append(out, frame...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c.conn, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(c.conn, answer)
	return answer, err
}

// Close drops the connection. Closing twice is no error.
func (c *Card) Close() error {
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the connection to the virtual card: %w", err)
	}
	return nil
}
