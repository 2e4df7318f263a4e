//go:build !cgo && !windows

package pcsc

import "context"

// List returns ErrUnsupported: this program was built without cgo.
func List() ([]Reader, error) { return nil, ErrUnsupported }

// Watch returns ErrUnsupported: this program was built without cgo.
func Watch(context.Context, func(Event) error) error { return ErrUnsupported }

// Open returns ErrUnsupported: this program was built without cgo.
func Open(string) (*Card, error) { return nil, ErrUnsupported }

// Card is a card on a reader. There is none in a program that was built without cgo.
type Card struct{}

// Reader returns "".
func (*Card) Reader() string { return "" }

// ATR returns nil.
func (*Card) ATR() []byte { return nil }

// Transmit returns ErrUnsupported.
func (*Card) Transmit([]byte) ([]byte, error) { return nil, ErrUnsupported }

// Reset returns ErrUnsupported.
func (*Card) Reset() error { return ErrUnsupported }

// Close returns ErrUnsupported.
func (*Card) Close() error { return ErrUnsupported }
