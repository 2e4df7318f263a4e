package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
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
	slow       time.Duration // as the event of the step in hand says it
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
	if err := j.issuerReads(ctx); err != nil {
		return "", err
	}
	if err := j.order.Suits(j.info); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("applet %v, %v", j.info.Version, j.info.State)
	if j.info.State == card.Installed {
		return detail, nil
	}
	return detail + ", " + j.info.ID.String(), j.readKey(ctx)
}

// Suits refuses a card that cannot become what the order says, by its own word alone: ErrDamaged, ErrFewTaps or ErrOtherAlgorithm.
func (o Order) Suits(i card.Info) error {
	switch {
	case i.State == card.Unknown:
		return ErrDamaged
	case i.State == card.Installed && !slices.Contains(i.Algorithms, o.Algorithm):
		return fmt.Errorf("%w: it has no %v", ErrOtherAlgorithm, o.Algorithm)
	}
	return lasts(i)
}

// issuerReads refuses to work for an issuer whose channel this version cannot read to its end, or that moved to another ledger: no
// registration there would be seen here.
func (j *job) issuerReads(ctx context.Context) error {
	if err := j.Registry.Sync(ctx); err != nil {
		return err
	}
	if err := j.Registry.TooOld(j.issuer.Channel()); err != nil {
		return err
	}
	return j.Registry.CheckIssuer(ctx, j.issuer.Channel())
}

// lasts refuses a card without enough taps left. A locked one is past that: it can only be finished.
func lasts(i card.Info) error {
	if i.State == card.Locked || !i.Exhausted() && i.CounterMax-i.Counter >= minTaps {
		return nil
	}
	return fmt.Errorf("%w: its counter is at %d of %d, and %d must be left", ErrFewTaps, i.Counter, i.CounterMax, minTaps)
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
	if j.taps, err = j.Authors.Taps(j.issuer.Channel(), id); err != nil {
		return err
	}
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
	case j.order.thing(known.ID) != thingOf(known):
		return fmt.Errorf("%w: the ledger says %v, the order says %v", ErrOtherOrder, thingOf(known), j.order.thing(known.ID))
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
	if errors.Is(err, card.ErrAlgorithm) { // it lists the algorithm and has no such keys: nothing was made, and nothing is final
		return "", fmt.Errorf("%w: %w", ErrOtherAlgorithm, err)
	}
	if err != nil {
		return "", err
	}
	if j.info, err = j.card.Info(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v, card %v", j.order.Algorithm, id), j.readKey(ctx)
}

// configure puts template and profile on a card that has others. On a locked card others are a refusal.
func (j *job) configure(context.Context) (string, error) {
	on, err := j.templateOnCard()
	if err != nil {
		return "", err
	}
	if j.info.State == card.Locked {
		return on.Prefix, j.lockedAs(on)
	}
	return j.order.Template.Prefix + unusual(j.order.profile()), j.write(on)
}

// unusual says what is particular about a profile; "" for the one that suits phones.
func unusual(p card.Profile) string {
	var text string
	if p.ChallengeOnly {
		text = ", challenge-only"
	}
	if p.MaxRead != card.DefaultMaxRead {
		text += fmt.Sprintf(", read by at most %d bytes", p.MaxRead)
	}
	return text
}

// write puts what the card, which has the template on, has otherwise.
func (j *job) write(on tap.Template) error {
	if j.info.Profile != j.order.profile() {
		if err := j.card.PutProfile(j.order.profile()); err != nil {
			return err
		}
	}
	if on == j.order.Template {
		return nil
	}
	return j.card.PutTemplate(j.order.Template)
}

// lockedAs refuses a locked card whose template or profile is not the order's.
func (j *job) lockedAs(on tap.Template) error {
	switch {
	case on != j.order.Template:
		return fmt.Errorf("%w: it is locked with %s", ErrOtherTemplate, on.Prefix)
	case j.info.Profile != j.order.profile():
		return fmt.Errorf("%w: it is locked with %s", ErrOtherProfile, j.info.Profile)
	}
	return nil
}

// profile is the order's, whole.
func (o Order) profile() card.Profile {
	if o.Profile.MaxRead == 0 {
		o.Profile.MaxRead = card.DefaultMaxRead
	}
	return o.Profile
}

// templateOnCard is what the card has now; empty if it has none, or the halves of two.
func (j *job) templateOnCard() (tap.Template, error) {
	on, err := j.card.Template()
	if errors.Is(err, card.ErrAbsent) || errors.Is(err, card.ErrMalformed) {
		return tap.Template{}, nil
	}
	return on, err
}

// lock closes the card for ever. Until then anybody may write to it, and a person may have thought for long before
// agreeing: what is locked is looked at in the very selection that locks.
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
	if err := j.unchanged(); err != nil {
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

// unchanged refuses a card that is not, in this selection, what the order makes of it.
func (j *job) unchanged() error {
	info, err := j.card.Info()
	if err != nil {
		return err
	}
	on, err := j.templateOnCard()
	if err != nil {
		return err
	}
	switch {
	case info.ID != j.key.ID():
		return fmt.Errorf("%w: it is card %v, and %v was read", ErrChanged, info.ID, j.key.ID())
	case on != j.order.Template:
		return fmt.Errorf("%w: its template is %q", ErrChanged, on.Prefix+"…"+on.Middle)
	case info.Profile != j.order.profile():
		return fmt.Errorf("%w: its profile is %s", ErrChanged, info.Profile)
	}
	return lasts(info)
}

// nonce is a fresh one of the length that challenges want.
func (j *job) nonce() ([]byte, error) {
	b := make([]byte, tap.MinNonce)
	if _, err := io.ReadFull(j.Random, b); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	return b, nil
}
