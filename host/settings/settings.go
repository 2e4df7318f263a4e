// Package settings keeps what a card is set to: on a channel that only holders of a read key can read, and in force from the moment
// at which the card's public tap channel names the message.
//
// Two messages make a change. The settings message comes first: as long as no head of the tap channel names it, nothing has
// changed, so a crash between the two leaves the card as it was. Who holds a capability of the settings channel reads on until
// [Service.Rotate]; after that only those who get a new one do.
//
// # Concurrency
//
// A [Service] may be used by many goroutines, and several processes may set one card: the ledger gives each number once, and of
// several changes at once the one with the highest number stays in force.
package settings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

var (
	// ErrNoService says that the card is not in service, so that there is nothing to be set.
	ErrNoService = errors.New("card is not in service")
	// ErrOvertaken says that a newer change was made meanwhile and is in force.
	ErrOvertaken = errors.New("a newer change of the settings was made meanwhile")
	// ErrUnreadable says that the settings in force cannot be read, though the ledger answers: the channel does not hold the message
	// that is in force, or that message holds no settings.
	ErrUnreadable = errors.New("settings in force cannot be read")
)

// Authors finds the authors of a card's channels. The error is of a card whose channels are another installation's.
type Authors interface {
	Taps(issuer channel.ID, id tap.CardID) (*channel.Author, error)
	Settings(issuer channel.ID, id tap.CardID) (*channel.Author, error)
}

// Options is what a Service works with; all are needed.
type Options struct {
	Ledger   ledger.Ledger
	List     registry.Lister
	Registry *registry.Registry
	Authors  Authors
	Now      func() time.Time
	Random   io.Reader
}

// Service reads and writes settings.
type Service struct{ Options }

// New returns a Service.
func New(o Options) *Service { return &Service{o} }

// Current is what is in force for a card.
type Current struct {
	record.Settings
	Number   uint64       // of the message on the settings channel
	Hash     channel.Hash // of that message; zero when nothing was ever set
	KeyStart uint64       // number of the message at which the read keys were last rotated
}

// name is how the tap channel names the settings.
func (c Current) name() string {
	if c.Hash == (channel.Hash{}) {
		return ""
	}
	return c.Hash.String()
}

// Current returns the settings in force, the zero Current when nothing was ever set. Errors: registry.ErrUnknownCard,
// ErrUnreadable, those of Authors and of the ledger.
func (s *Service) Current(ctx context.Context, id tap.CardID) (Current, error) {
	c, err := s.open(ctx, id)
	if err != nil {
		return Current{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	current, err := c.current(ctx)
	if err != nil {
		return Current{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	return current, nil
}

// At returns the settings in the message with this hash, which a head of the card's tap channel names; none where it names none. They
// never change. Errors are those of Current.
func (s *Service) At(ctx context.Context, id tap.CardID, hash string) (record.Settings, error) {
	if hash == "" {
		return record.Settings{}, nil
	}
	c, err := s.open(ctx, id)
	if err != nil {
		return record.Settings{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	found, err := c.read(ctx, hash)
	if err != nil {
		return record.Settings{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	return found.Settings, nil
}

// Put sets the card and returns after that is in force and final. Errors, beside those of Current: ErrNoService, ErrOvertaken, and
// ledger.ErrUncertain when the change may be in force or not, or may yet be: Current tells, and Put may be repeated.
func (s *Service) Put(ctx context.Context, id tap.CardID, settings record.Settings) (Current, error) {
	return s.change(ctx, id, func(c *card) (Current, error) { return c.put(ctx, settings, false, nil) })
}

// Change sets the card to what change makes of the settings in force, so that of two changes at once neither undoes the other: change
// is called again when others came in force meanwhile. Errors are those of Put.
func (s *Service) Change(ctx context.Context, id tap.CardID, change func(record.Settings) record.Settings) (Current, error) {
	return s.change(ctx, id, func(c *card) (Current, error) { return c.derive(ctx, change, false) })
}

// Rotate writes the settings in force once more under new read keys: who could read so far reads nothing of what comes. Errors are
// those of Put.
func (s *Service) Rotate(ctx context.Context, id tap.CardID) (Current, error) {
	same := func(s record.Settings) record.Settings { return s }
	return s.change(ctx, id, func(c *card) (Current, error) { return c.derive(ctx, same, true) })
}

// Capability returns what opens the card's settings from the message in force on, until the next rotation; from message 0 on when
// nothing was ever set.
func (s *Service) Capability(ctx context.Context, id tap.CardID) (channel.Capability, error) {
	c, err := s.open(ctx, id)
	if err != nil {
		return channel.Capability{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	current, err := c.current(ctx)
	if err != nil {
		return channel.Capability{}, fmt.Errorf("settings of card %v: %w", id, err)
	}
	return c.author.Capability(current.Number, current.KeyStart), nil
}

func (s *Service) change(ctx context.Context, id tap.CardID, change func(*card) (Current, error)) (Current, error) {
	c, err := s.open(ctx, id)
	if err != nil {
		return Current{}, fmt.Errorf("setting card %v: %w", id, err)
	}
	after, err := change(c)
	if err != nil {
		return Current{}, fmt.Errorf("setting card %v: %w", id, err)
	}
	return after, nil
}

// Describe says in one line what is set, as the records of those who set it have it.
func Describe(s record.Settings) string {
	parts := []string{"product URL " + strconv.Quote(s.ProductURL)}
	if s.LoginRequired {
		parts = append(parts, "login required")
	}
	if len(s.Form) > 0 {
		parts = append(parts, fmt.Sprintf("form of %d fields", len(s.Form)))
	}
	return strings.Join(parts, ", ")
}
