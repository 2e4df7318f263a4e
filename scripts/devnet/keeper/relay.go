package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// relay passes connections from outside to the processes inside.
type relay struct {
	mu        sync.Mutex
	healed    chan struct{} // closed while the network is whole
	listeners []net.Listener
}

func newRelay() *relay {
	r := &relay{healed: make(chan struct{})}
	close(r.healed)
	return r
}

// cut holds new connections until the network is whole again, as their packets would be lost.
func (r *relay) cut(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.healed:
		if yes {
			r.healed = make(chan struct{})
		}
	default:
		if !yes {
			close(r.healed)
		}
	}
}

func (r *relay) whole() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.healed
}

// open takes over the inherited sockets, from descriptor 3 on, one for each address.
func (r *relay) open(addresses []string) error {
	const first = 3
	for i, to := range addresses {
		f := os.NewFile(uintptr(first+i), "listener for "+to)
		l, err := net.FileListener(f)
		if err != nil {
			return fmt.Errorf("taking over socket %d: %w", first+i, err)
		}
		f.Close() // l has its own copy
		r.listeners = append(r.listeners, l)
		go r.accept(l, to)
	}
	return nil
}

// close lets nobody in any more. The end of the process would do that too, but a little after it is seen to have ended.
func (r *relay) close() {
	for _, l := range r.listeners {
		l.Close()
	}
}

func (r *relay) accept(l net.Listener, to string) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors, most likely: some come free
			continue
		}
		go r.pass(c, to)
	}
}

// pass copies both ways until either end has closed. A process that is not there closes the connection at once.
func (r *relay) pass(outer net.Conn, to string) {
	defer outer.Close()
	<-r.whole()
	inner, err := net.DialTimeout("tcp", to, 10*time.Second)
	if err != nil {
		return
	}
	defer inner.Close()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{inner, outer}, {outer, inner}} {
		go func() {
			io.Copy(way[0], way[1])
			if half, ok := way[0].(interface{ CloseWrite() error }); ok {
				half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}
