package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Lister admits channels to a ledger: durable on return, and to admit one again changes nothing.
type Lister interface {
	List(ctx context.Context, ids ...channel.ID) error
}

// ErrNotImported says that an issuer's channel was opened on another ledger and is not here yet: a second opening would be a second
// message of its number.
var ErrNotImported = errors.New("the issuer's channel has not come from its former ledger yet")

// CheckOpening refuses a name and an address that no issuer's opening can hold. The error is record.ErrMalformed.
func CheckOpening(name, url string) error {
	log := strings.Repeat("l", 253) // its name is not known yet: room for a long one
	_, err := record.IssuerOpened{Name: name, URL: url, Log: log}.Encode()
	return err
}

// OpenIssuer writes the first message of an issuer's own channel, unless it is there, and returns its receipt when
// it is final. It can be repeated at any time, also by several processes at once and after a crash at any moment: as long as
// name, address and ledger are the same the message is, to the byte, because it bears the time at which the issuer's secrets were made.
// Once it is written, name and address stay as they were. Errors are the ledger's.
func OpenIssuer(ctx context.Context, l ledger.Ledger, list Lister, i secrets.Issuer) (ledger.Receipt, error) {
	author := i.Author()
	receipt, err := openIssuer(ctx, l, list, i, author)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("first message of channel %v: %w", author.Channel(), err)
	}
	return receipt, nil
}

func openIssuer(ctx context.Context, l ledger.Ledger, list Lister, i secrets.Issuer, author *channel.Author) (ledger.Receipt, error) {
	first, err := l.Range(ctx, author.Channel(), 0, 1)
	switch {
	case err == nil && len(first) == 1:
		return ledger.Record(ctx, l, first[0].Message) // identical bytes: the first receipt
	case err != nil && !errors.Is(err, ledger.ErrNoChannel):
		return ledger.Receipt{}, err
	}
	if i.Moved {
		return ledger.Receipt{}, ErrNotImported
	}
	if err := list.List(ctx, author.Channel()); err != nil {
		return ledger.Receipt{}, err
	}
	info, err := l.Info(ctx)
	if err != nil {
		return ledger.Receipt{}, err
	}
	opened := record.IssuerOpened{Name: i.Name, URL: i.URL, Log: info.Origin, Next: i.Successor()}
	if info.Kind == "stardust" {
		opened.Log, opened.Network = "", info.Origin
	}
	body, err := opened.Encode()
	if err != nil {
		return ledger.Receipt{}, err
	}
	m, err := author.Sign(channel.Draft{Time: i.Created, Body: body})
	if err != nil {
		return ledger.Receipt{}, err
	}
	receipt, err := ledger.Record(ctx, l, m)
	if taken, lost := errors.AsType[*ledger.Conflict](err); lost { // opened just now, under another name
		return ledger.Record(ctx, l, taken.Winner.Message)
	}
	return receipt, err
}
