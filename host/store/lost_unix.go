//go:build unix

package store

import (
	"errors"
	"net"
	"syscall"
)

// lost reports whether an idle connection has ended, or has something to say, which
// is why it will: after a restart of the server nobody is to find out by a query.
func lost(conn net.Conn) bool {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	p, ok := conn.(*patient)
	if !ok {
		return false
	}
	socket, ok := p.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	var peeked error
	err = raw.Control(func(fd uintptr) {
		_, _, peeked = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK) // which does not block: no socket of Go's does
	})
	return err != nil || !errors.Is(peeked, syscall.EAGAIN)
}
