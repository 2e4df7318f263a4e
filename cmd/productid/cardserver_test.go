package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/productid/productid/pkg/card/cardtest"
)

// cardServer serves one card in software as scripts/virtual-card.sh serves the applet: a length of 16 bits, then so
// many bytes; frames of one byte are the power switch.
type cardServer struct {
	mu      sync.Mutex
	card    *cardtest.Card
	between func(*cardtest.Card, []byte) ([]byte, error) // a reader that meddles; nil for an honest one
}

// serve answers until the listener is closed.
func (s *cardServer) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go s.talk(conn)
	}
}

func (s *cardServer) talk(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		answer, err := s.answer(frame)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func (s *cardServer) answer(frame []byte) ([]byte, error) {
	const controlATR = 4
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(frame) > 1 && s.between != nil:
		return s.between(s.card, frame)
	case len(frame) > 1:
		return s.card.Transmit(frame)
	}
	if frame[0] == controlATR {
		return []byte("\x3B\x80\x80\x01\x01"), nil
	}
	s.card.Reset()
	return nil, nil
}
