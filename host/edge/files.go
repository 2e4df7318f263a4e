package edge

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// files is a certificate with its key in two files that somebody renews.
type files struct {
	cert, key string
	now       func() time.Time
	report    func(error)

	mu      sync.Mutex
	looked  time.Time
	seen    [2]stamp
	current *tls.Certificate
}

// stamp is what a file's change shows by.
type stamp struct {
	size int64
	time time.Time
}

// lookAgain is how long a handshake trusts what an earlier one saw of the files.
const lookAgain = time.Second

// get returns the certificate for a handshake. Files that are new and wrong, or not there, are told of once and change nothing.
func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookAgain || now.Before(f.looked) {
		f.looked = now
		if f.stamps() != f.seen {
			if err := f.read(); err != nil {
				f.report(fmt.Errorf("reading the renewed certificate: %w", err))
			}
		}
	}
	return f.current, nil
}

// load is the first reading.
func (f *files) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked = f.now()
	return f.read()
}

// read takes the stamps first: what changes while it reads is read again.
func (f *files) read() error {
	f.seen = f.stamps()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.current = &pair
	return nil
}

func (f *files) stamps() (s [2]stamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return s
}
