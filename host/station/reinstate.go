package station

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Why a card is not reinstated.
var (
	// ErrNotLost says that the ledger knows the card's history, as far as it goes.
	ErrNotLost = errors.New("the card's history is not lost")
	// ErrNotLocked says that the card is not locked: its history has to be finished first.
	ErrNotLocked = errors.New("the card is not locked")
)

// Reinstate puts the card on the reader, whose history the ledger has lost, back into service: it has the card answer a challenge, and
// from the counter of that answer on its taps count. No tap that was read before passes. It may be repeated: a card that an earlier run
// reinstated is ErrNotLost.
//
// Errors, nothing written: ErrNotRegistered, ErrForeign when the station's issuer is not the card's, ErrNotLost, ErrNotLocked, ErrOtherKey.
// Those of card and ledger pass through.
func (s *Station) Reinstate(ctx context.Context, t apdu.Transmitter) (Report, error) {
	j := &job{Station: s, reader: t}
	if err := j.reinstate(ctx); err != nil {
		return j.report, fmt.Errorf("reinstating the card: %w", err)
	}
	return j.report, nil
}

func (j *job) reinstate(ctx context.Context) error {
	if err := j.lookAtLost(ctx); err != nil {
		return err
	}
	if err := j.List.List(ctx, j.taps.Channel()); err != nil {
		return err
	}
	nonce, err := j.nonce()
	if err != nil {
		return err
	}
	answer, err := j.card.Challenge(nonce, record.RegistrationContext(j.issuer.Channel(), j.taps.Channel()))
	if err != nil {
		return err
	}
	if err := answer.Verify(j.key); err != nil {
		return fmt.Errorf("checking the card's proof: %w", err)
	}
	if answer.Counter < j.registered.Last {
		return fmt.Errorf("%w: its counter is at %d, and the ledger knows of %d", ErrDamaged, answer.Counter, j.registered.Last)
	}
	j.report.Counter = answer.Counter
	body, err := record.CardReinstated{
		Last: answer.Counter, State: record.StateInService, Proof: record.Proof{Counter: answer.Counter, Nonce: nonce, Signature: answer.Signature},
	}.Encode()
	if err != nil {
		return err
	}
	receipt, err := j.append(ctx, j.taps, nil, body)
	if _, taken := errors.AsType[*ledger.Conflict](err); taken { // by another station, or by an earlier run of which nobody heard
		return errors.Join(j.lookAtLost(ctx), err)
	}
	if err != nil {
		return err
	}
	j.report.InService, j.report.State = &receipt, record.StateInService
	return nil
}

// lookAtLost reads what card and ledger say, and refuses a card that is not to be reinstated.
func (j *job) lookAtLost(ctx context.Context) (err error) {
	if j.card, err = card.Open(j.reader); err != nil {
		return err
	}
	if j.info, err = j.card.Info(); err != nil {
		return err
	}
	if err := j.issuerReads(ctx); err != nil {
		return err
	}
	known, err := j.Registry.Card(ctx, j.info.ID)
	if errors.Is(err, registry.ErrUnknownCard) {
		return ErrNotRegistered
	}
	if err != nil {
		return err
	}
	if known.Issuer != j.issuer.Channel() {
		return fmt.Errorf("%w: %v", ErrForeign, known.Issuer)
	}
	if known.State != record.StateLost {
		return fmt.Errorf("%w: it is %q", ErrNotLost, known.State)
	}
	if j.info.State != card.Locked {
		return ErrNotLocked
	}
	j.registered = &known
	return j.readLost(known)
}

// readLost takes the key from the card.
func (j *job) readLost(known record.Card) (err error) {
	if j.key, err = j.card.Key(); err != nil {
		return err
	}
	if j.taps, err = j.Authors.Taps(known.Issuer, known.ID); err != nil {
		return err
	}
	if !j.key.Equal(known.Key) || j.taps.Channel() != known.Taps {
		return ErrOtherKey
	}
	j.report = Report{ID: known.ID, Algorithm: j.key.Algorithm().String(), Issuer: known.Issuer, Taps: known.Taps, Template: known.Template,
		State: known.State, Counter: j.info.Counter}
	return nil
}
