// Package pcsc finds cards on PC/SC readers: pcscd on Linux, the system's own service on macOS and Windows.
//
// [List] says which readers there are, [Open] connects to a card and [Watch] tells when cards come and go. A [Card] is an
// apdu.Transmitter; selecting an application is the caller's, after each Open and each Reset, for a card on a reader may have been
// powered down in between.
//
// # Concurrency
//
// A Card serves one caller at a time and is connected exclusively: no other program sees it until Close. Each call of List, Open and
// Watch has a connection of its own to the service, so they may run at the same time.
//
// # Limitations
//
// On Linux and macOS the package needs cgo; without it every call returns ErrUnsupported. Chained answers (61xx, as contact cards
// under protocol T=0 give them) are not fetched: our cards speak T=1 and T=CL. A reader that is plugged in is noticed within a
// second. Some contactless readers switch their field off for a reset and then report a card removed and inserted; so Close leaves
// the card as it is.
package pcsc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with readers and cards, in words. The errors of this package unwrap to one of these where one fits.
var (
	// ErrUnsupported says that this program was built without PC/SC.
	ErrUnsupported = errors.New("this program was built without support for card readers (cgo)")
	// ErrNoService says that the PC/SC service does not run, or does not let this user in.
	ErrNoService = errors.New("the PC/SC service does not run or refuses this user")
	// ErrNoReader says that there is no reader, or none of the name.
	ErrNoReader = errors.New("no card reader")
	// ErrNoCard says that there is no card on the reader, or one that does not answer.
	ErrNoCard = errors.New("no card on the reader")
	// ErrInUse says that another program holds the card.
	ErrInUse = errors.New("another program uses the card")
	// ErrTorn says that the card was taken away or reset while it was used: whether it carried out the last command is unknown.
	ErrTorn = errors.New("the card was taken from the reader; whether it carried the command out is unknown")
)

// Reader is a reader and what is on it.
type Reader struct {
	Name    string
	Present bool   // there is a card
	ATR     []byte // what the card answered to its reset; nil without one

	insertions uint16 // how often a card came or went, as far as the service counts it
}

// EventKind says what happened.
type EventKind byte

// What can happen.
const (
	ReaderAdded EventKind = iota + 1
	ReaderRemoved
	CardInserted
	CardRemoved
)

// String returns "reader added", "reader removed", "card inserted" or "card removed".
func (k EventKind) String() string {
	switch k {
	case ReaderAdded:
		return "reader added"
	case ReaderRemoved:
		return "reader removed"
	case CardInserted:
		return "card inserted"
	case CardRemoved:
		return "card removed"
	}
	return "unknown event"
}

// MarshalText returns String.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Event is one thing that happened at a reader.
type Event struct {
	Kind   EventKind
	Reader string
	ATR    []byte // of a card that was inserted
}

// diff says what happened between two looks at the readers: first what went, then what came. A card that was exchanged for another
// in between was removed and inserted.
func diff(before, after []Reader) []Event {
	var gone, come []Event
	for _, b := range before {
		a, still := find(after, b.Name)
		if b.Present && !(still && sameCard(a, b)) {
			gone = append(gone, Event{Kind: CardRemoved, Reader: b.Name})
		}
		if !still {
			gone = append(gone, Event{Kind: ReaderRemoved, Reader: b.Name})
		}
	}
	for _, a := range after {
		b, known := find(before, a.Name)
		if !known {
			come = append(come, Event{Kind: ReaderAdded, Reader: a.Name})
		}
		if a.Present && !(known && sameCard(a, b)) {
			come = append(come, Event{Kind: CardInserted, Reader: a.Name, ATR: a.ATR})
		}
	}
	return append(gone, come...)
}

func find(readers []Reader, name string) (Reader, bool) {
	for _, r := range readers {
		if r.Name == name {
			return r, true
		}
	}
	return Reader{}, false
}

// sameCard reports whether the card on a is still the one that was on b.
func sameCard(a, b Reader) bool {
	return a.Present && b.Present && a.insertions == b.insertions && bytes.Equal(a.ATR, b.ATR)
}

// choose finds the reader that a name or part of a name means, in either case: the exact name, else the first match with a card. The
// empty name means the first reader with a card.
func choose(readers []Reader, name string) (Reader, error) {
	matches := matching(readers, name)
	if len(matches) == 0 && len(readers) == 0 {
		return Reader{}, ErrNoReader
	}
	if len(matches) == 0 {
		return Reader{}, fmt.Errorf("%w named %q; there are: %s", ErrNoReader, name, names(readers))
	}
	for _, r := range matches {
		if r.Present {
			return r, nil
		}
	}
	return Reader{}, fmt.Errorf("%w: %s", ErrNoCard, names(matches))
}

func matching(readers []Reader, name string) []Reader {
	if exact, found := find(readers, name); found {
		return []Reader{exact}
	}
	var matches []Reader
	for _, r := range readers {
		if strings.Contains(strings.ToLower(r.Name), strings.ToLower(name)) {
			matches = append(matches, r)
		}
	}
	return matches
}

func names(readers []Reader) string {
	var all []string
	for _, r := range readers {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}
