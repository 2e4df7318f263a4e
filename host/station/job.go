package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// job is one card on its way.
type job struct {
	*Station
	reader apdu.Transmitter
	order  Order

	card       *card.Client
	info       card.Info
	key        tap.Key
	taps       *channel.Author
	registered *record.Card // what the ledger knows; nil if nothing
	report     Report
}

// look opens the card and, if it has a key, reads what the ledger knows about it. Everything that refuses the card
// without a key of its own being made is found here.
func (j *job) look(ctx context.Context) (string, error) {
	var err error
	if j.card, err = card.Open(j.reader); err != nil {
		return "", err
	}
	if j.info, err = j.card.Info(); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("applet %v, %v", j.info.Version, j.info.State)
	switch {
	case j.info.State == card.Unknown:
		return "", ErrDamaged
	case j.info.State != card.Installed:
		return detail + ", " + j.info.ID.String(), j.readKey(ctx)
	case !slices.Contains(j.info.Algorithms, j.order.Algorithm):
		return "", fmt.Errorf("%w: it has no %v", ErrOtherAlgorithm, j.order.Algorithm)
	}
	return detail, nil
}

// readKey takes the key from the card and what belongs to it from the ledger.
func (j *job) readKey(ctx context.Context) (err error) {
	if j.key, err = j.card.Key(); err != nil {
		return err
	}
	if j.key.Algorithm() != j.order.Algorithm {
		return fmt.Errorf("%w: its key is %v, the order says %v", ErrOtherAlgorithm, j.key.Algorithm(), j.order.Algorithm)
	}
	id := j.key.ID()
	j.taps = registry.TapAuthor(j.Master, id)
	j.report = Report{ID: id, Algorithm: j.key.Algorithm().String(), Issuer: j.issuer.Channel(), Taps: j.taps.Channel(),
		Template: j.order.Template, State: j.info.State.String(), Counter: j.info.Counter}
	if err := j.find(ctx); err != nil {
		return err
	}
	if j.info.State == card.Locked && j.registered == nil {
		return ErrNotRegistered
	}
	return nil
}

// find asks the ledger for the card, and refuses what it says otherwise than we would.
func (j *job) find(ctx context.Context) error {
	if err := j.Registry.Sync(ctx); err != nil {
		return err
	}
	known, err := j.Registry.Card(ctx, j.key.ID())
	if errors.Is(err, registry.ErrUnknownCard) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case known.Issuer != j.issuer.Channel():
		return fmt.Errorf("%w: %v", ErrForeign, known.Issuer)
	case !known.Key.Equal(j.key) || known.Taps != j.taps.Channel():
		return ErrOtherKey
	case known.Template != j.order.Template:
		return fmt.Errorf("%w: it is registered with %s", ErrOtherTemplate, known.Template.Prefix)
	}
	j.registered = &known
	switch {
	case known.State != "":
		j.report.State = known.State
	case j.info.State != card.Locked:
		j.report.State = stateRegistered
	}
	return nil
}

// makeKey has the card make its key, once.
func (j *job) makeKey(ctx context.Context) (string, error) {
	if j.info.State != card.Installed {
		return "made before", nil
	}
	if err := j.order.Confirm(MakesKey, tap.CardID{}); err != nil {
		return "", err
	}
	id, err := j.card.Generate(j.order.Algorithm)
	if err != nil {
		return "", err
	}
	if j.info, err = j.card.Info(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v, card %v", j.order.Algorithm, id), j.readKey(ctx)
}

// writeTemplate puts the template on a card that has another. On a locked card another is a refusal.
func (j *job) writeTemplate(context.Context) (string, error) {
	on, err := j.templateOnCard()
	if err != nil {
		return "", err
	}
	if on == j.order.Template {
		return on.Prefix, nil
	}
	if j.info.State == card.Locked {
		return "", fmt.Errorf("%w: it is locked with %s", ErrOtherTemplate, on.Prefix)
	}
	return j.order.Template.Prefix, j.card.PutTemplate(j.order.Template)
}

// templateOnCard is what the card has now; empty if it has none, or the halves of two.
func (j *job) templateOnCard() (tap.Template, error) {
	on, err := j.card.Template()
	if errors.Is(err, card.ErrAbsent) || errors.Is(err, card.ErrMalformed) {
		return tap.Template{}, nil
	}
	return on, err
}

// rehearse reads the card as a phone does and verifies what it serves: before the lock the rehearsal, after it a tap,
// which putInService uses up. A card in service is not read: its tap would stay good in the station's hands.
func (j *job) rehearse(context.Context) (string, error) {
	if j.registered.State != "" {
		return "read before", nil
	}
	message, err := t4t.Read(j.reader)
	if err != nil {
		return "", err
	}
	uri, err := ndef.ParseURI(message.NDEF)
	if err != nil {
		return "", err
	}
	served, err := tap.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	verify, what := served.VerifyRehearsal, "rehearsal"
	if j.info.State == card.Locked {
		verify, what = served.Verify, "tap"
	}
	if err := verify(j.key); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRehearsal, err)
	}
	if uri != j.order.Template.URL(j.key.ID(), served.Counter, served.Signature) {
		return "", fmt.Errorf("%w: its URL is not made by the template", ErrRehearsal)
	}
	if served.Counter <= j.report.Counter {
		return "", fmt.Errorf("%w: counter %d after %d", ErrRehearsal, served.Counter, j.report.Counter)
	}
	j.report.Counter = served.Counter
	return fmt.Sprintf("%s %d verified, %d bytes of NDEF", what, served.Counter, len(message.NDEF)), nil
}

// lock closes the card for ever.
func (j *job) lock(context.Context) (string, error) {
	if j.info.State == card.Locked {
		return "locked before", nil
	}
	if err := j.order.Confirm(Locks, j.key.ID()); err != nil {
		return "", err
	}
	var err error
	if j.card, err = card.Open(j.reader); err != nil { // the rehearsal made a selection of its own
		return "", err
	}
	if err := j.card.Lock(j.key.ID()); err != nil {
		return "", err
	}
	if j.info, err = j.card.Info(); err != nil {
		return "", err
	}
	if j.info.State != card.Locked {
		return "", fmt.Errorf("%w: it took the lock and is %v", card.ErrMalformed, j.info.State)
	}
	j.report.State = card.Locked.String()
	return "nothing on it can be changed any more", nil
}

// nonce is a fresh one of the length that challenges want.
func (j *job) nonce() ([]byte, error) {
	b := make([]byte, tap.MinNonce)
	if _, err := io.ReadFull(j.Random, b); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	return b, nil
}
