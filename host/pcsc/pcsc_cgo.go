//go:build cgo || windows

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ebfe/scard"
)

// patience is how long the service is asked to wait for a change before readers are listed anew. SCardCancel wakes only a call that
// already waits, so this also bounds how late a cancelled Watch ends.
const patience = time.Second

const statusLength = 2 // of the status word that ends every answer

// List returns the readers and what is on them, in the service's order. No reader is no error. The error is ErrNoService.
func List() ([]Reader, error) {
	service, err := scard.EstablishContext()
	if err != nil {
		return nil, explain("asking for card readers", err)
	}
	readers, _, err := look(service)
	return readers, errors.Join(err, release(service))
}

// look returns the readers, and the states to wait for a change from.
func look(service *scard.Context) ([]Reader, []scard.ReaderState, error) {
	names, err := service.ListReaders()
	if errors.Is(err, scard.ErrNoReadersAvailable) || err == nil && len(names) == 0 {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, explain("listing card readers", err)
	}
	states := make([]scard.ReaderState, len(names))
	for i, name := range names {
		states[i] = scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware}
	}
	if err := service.GetStatusChange(states, 0); err != nil {
		return nil, nil, explain("asking what is on the card readers", err)
	}
	var readers []Reader
	for i := range states {
		readers = append(readers, readerOf(states[i]))
		states[i].CurrentState = states[i].EventState &^ scard.StateChanged
	}
	return readers, states, nil
}

func readerOf(s scard.ReaderState) Reader {
	const insertionsShift = 16 // the high half of the state counts cards that came or went
	r := Reader{Name: s.Reader, Present: s.EventState&scard.StatePresent != 0, insertions: uint16(s.EventState >> insertionsShift)}
	if r.Present {
		r.ATR = s.Atr
	}
	return r
}

// Watch calls fn for what is there when it begins (as added and inserted) and then for each change, until fn returns an error, which it
// returns, or the context ends, whose error it returns. While fn works, changes are not lost, but a card that comes and goes in that
// time may not be seen. ErrNoService ends it too.
func Watch(ctx context.Context, fn func(Event) error) error {
	service, err := scard.EstablishContext()
	if err != nil {
		return explain("watching card readers", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = service.Cancel() }) // wakes wait; if it comes too early, wait ends by itself
	err = watch(ctx, service, fn)
	stop()
	return errors.Join(err, release(service))
}

func watch(ctx context.Context, service *scard.Context, fn func(Event) error) error {
	var before []Reader
	for ctx.Err() == nil {
		after, states, err := look(service)
		if errors.Is(err, ErrNoReader) { // one went between two calls
			after, err = before, nil
		}
		if err != nil {
			return err
		}
		for _, event := range diff(before, after) {
			if err := fn(event); err != nil {
				return err
			}
		}
		before = after
		if err := wait(ctx, service, states); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// wait returns when a state may have changed.
func wait(ctx context.Context, service *scard.Context, states []scard.ReaderState) error {
	if len(states) == 0 { // the service would not wait
		select {
		case <-ctx.Done():
		case <-time.After(patience):
		}
		return nil
	}
	err := service.GetStatusChange(states, patience)
	for _, harmless := range []error{scard.ErrTimeout, scard.ErrCancelled, scard.ErrUnknownReader, scard.ErrReaderUnavailable} {
		if errors.Is(err, harmless) {
			return nil
		}
	}
	if err != nil {
		return explain("waiting for cards", err)
	}
	return nil
}

// Card is a card on a reader, connected exclusively and powered. It is an apdu.Transmitter.
type Card struct {
	service *scard.Context
	card    *scard.Card
	reader  Reader
}

// Open connects to the card on the reader of this name, or part of a name; "" takes the first reader that has a card. The error is
// ErrNoService, ErrNoReader, ErrNoCard or ErrInUse.
func Open(name string) (*Card, error) {
	service, err := scard.EstablishContext()
	if err != nil {
		return nil, explain("looking for a card", err)
	}
	c, err := connect(service, name)
	if err != nil {
		return nil, errors.Join(err, release(service))
	}
	return c, nil
}

func connect(service *scard.Context, name string) (*Card, error) {
	readers, _, err := look(service)
	if err != nil {
		return nil, err
	}
	reader, err := choose(readers, name)
	if err != nil {
		return nil, err
	}
	card, err := service.Connect(reader.Name, scard.ShareExclusive, scard.ProtocolAny)
	if err != nil {
		return nil, explain("connecting to the card on "+reader.Name, err)
	}
	return &Card{service, card, reader}, nil
}

// Reader returns the name of the reader.
func (c *Card) Reader() string { return c.reader.Name }

// ATR returns what the card answered to its reset.
func (c *Card) ATR() []byte { return append([]byte(nil), c.reader.ATR...) }

// Transmit sends a command APDU and returns the answer. ErrTorn means that its result is unknown.
func (c *Card) Transmit(command []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, errors.New("sending an empty command to the card")
	}
	answer, err := c.card.Transmit(command)
	if err != nil {
		return nil, explain("sending to the card", err)
	}
	if len(answer) < statusLength { // what some drivers return for a card that went away
		return nil, fmt.Errorf("sending to the card: %w", ErrTorn)
	}
	return answer, nil
}

// Reset resets the card: the selection is forgotten, what is persistent stays.
func (c *Card) Reset() error {
	if err := c.card.Reconnect(scard.ShareExclusive, scard.ProtocolAny, scard.ResetCard); err != nil {
		return explain("resetting the card", err)
	}
	return nil
}

// Close lets go of the card and leaves it as it is. A card that was taken away is no error.
func (c *Card) Close() error {
	err := c.card.Disconnect(scard.LeaveCard)
	if err != nil {
		err = explain("letting go of the card", err)
	}
	if errors.Is(err, ErrTorn) || errors.Is(err, ErrNoCard) {
		err = nil
	}
	return errors.Join(err, release(c.service))
}

func release(service *scard.Context) error {
	if err := service.Release(); err != nil {
		return explain("leaving the PC/SC service", err)
	}
	return nil
}

// explain puts an error of the service into words: ours where one fits, the service's own in any case.
func explain(doing string, err error) error {
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("%s: %w (%w)", doing, kind, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func kindOf(err error) error {
	switch {
	case isAny(err, scard.ErrNoService, scard.ErrServiceStopped, scard.ErrSecurityViolation):
		return ErrNoService
	case isAny(err, scard.ErrUnknownReader, scard.ErrNoReadersAvailable, scard.ErrReaderUnavailable):
		return ErrNoReader
	case isAny(err, scard.ErrNoSmartcard, scard.ErrUnresponsiveCard, scard.ErrUnpoweredCard):
		return ErrNoCard
	case isAny(err, scard.ErrSharingViolation):
		return ErrInUse
	case isAny(err, scard.ErrRemovedCard, scard.ErrResetCard, scard.ErrNotTransacted, scard.ErrCommError, scard.ErrInvalidHandle):
		return ErrTorn
	}
	return nil
}

func isAny(err error, targets ...scard.Error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
