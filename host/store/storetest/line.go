package storetest

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Line is a way to a PostgreSQL server that can be disturbed, as a network is.
type Line struct {
	server string // the server's socket

	mu               sync.Mutex
	conns            map[net.Conn]bool
	dead             bool
	loseAsk, loseAns bool
}

// socketName is what PostgreSQL calls its Unix socket.
const socketName = ".s.PGSQL.5432"

// NewLine returns a line to the server of a URL that [Postgres] gave, and the URL that
// goes over it.
func NewLine(t testing.TB, place string) (*Line, string) {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "line-") // a test's own folder may have too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{server: filepath.Join(u.Query().Get("host"), socketName), conns: map[net.Conn]bool{}}
	listener, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = listener.Close()
		l.Cut()
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			l.join(client)
		}
	}()
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	return l, u.String()
}

// join forwards between a client and the server until one of them ends.
func (l *Line) join(client net.Conn) {
	server, err := net.Dial("unix", l.server)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.dead {
		_ = client.Close()
		if err == nil {
			_ = server.Close()
		}
		return
	}
	l.conns[client], l.conns[server] = true, true
	go l.forward(server, client, &l.loseAsk)
	go l.forward(client, server, &l.loseAns)
}

func (l *Line) forward(to, from net.Conn, lose *bool) {
	defer func() {
		_, _ = to.Close(), from.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, to)
		delete(l.conns, from)
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		lost := *lose
		l.mu.Unlock()
		if lost {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Lose lets what is sent to the server, and what it answers, go nowhere from now on.
func (l *Line) Lose(asked, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loseAsk, l.loseAns = asked, answered
}

// Cut ends every connection and refuses new ones.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for conn := range l.conns {
		_ = conn.Close()
	}
}

// Mend makes the line as it was, for new connections.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead, l.loseAsk, l.loseAns = false, false, false
}
