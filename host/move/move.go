// Package move writes a ledger into a file and brings cards from one ledger to another.
//
// [Export] copies everything that a ledger holds, with its proofs, into one file (docs/formats/export.md) and changes nothing. A card
// lives on one ledger: [End] ends the channels of issuers and their cards there for good, [Check] reads a file that was
// exported after that as somebody who trusts nobody but a policy, and [Plan.Import] records all of it, byte for byte, on the
// ledger that was named at the end, and lets the channels go on there.
//
// # Durability
//
// Each of the four can be broken off at any point and done again from its beginning: what was recorded is found, and nothing is
// recorded twice. A file has its name only when it is whole and on the disk.
//
// # Limitations
//
// A ledger is named by its origin. Who imports one file into two ledgers of one name gives two messages one number, as the author of
// both: it is provable, and nothing here keeps him from it.
package move

import (
	"context"
	"errors"
	"sync"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Why a file is not imported, or a channel not ended. The line, or the channel, stands in the text.
var (
	// ErrMalformed refuses a file that is no export, or not whole.
	ErrMalformed = errors.New("malformed export")
	// ErrDoubtful refuses what an export holds: it is not what a ledger records, or was not ended for this ledger.
	ErrDoubtful = errors.New("export does not hold")
	// ErrNotMoved refuses to import a card or an issuer that would live on two ledgers.
	ErrNotMoved = errors.New("it did not move to this ledger")
	// ErrNothing says that the export holds no issuer whose secrets are here.
	ErrNothing = errors.New("export holds no issuer whose secrets are here")
	// ErrTaken says that the channel went on otherwise.
	ErrTaken = errors.New("channel goes on otherwise")
)

// abreast is how many channels are written at once: a ledger makes one decision of what it is given meanwhile.
const abreast = 128

// each does something with all items, many at a time, and returns the first error, after which it begins no further one.
func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	slots := make(chan struct{}, abreast)
	for _, item := range items {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, item); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// Authors are those of an installation, as host/secrets makes them.
type Authors interface {
	Issuer(channel.ID) (*channel.Author, error)
	Taps(issuer channel.ID, card tap.CardID) (*channel.Author, error)
	Settings(issuer channel.ID, card tap.CardID) (*channel.Author, error)
	Audit(issuer channel.ID) (*channel.Author, error)
}
