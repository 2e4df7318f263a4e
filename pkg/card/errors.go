package card

import (
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// What a card can refuse. Errors of this package that stem from a status word unwrap to one of these and to the apdu.Status.
var (
	// ErrNotOurs says that there is no application of ours on the card: no Type 4 Tag at all, or another maker's.
	ErrNotOurs = errors.New("not one of our cards")
	// ErrVersion says that the card speaks a later version of the protocol than this package.
	ErrVersion = errors.New("the card speaks a version of the protocol that is not known here")
	// ErrState says that the card's life cycle does not allow the command, or that the selection does not: it was already used for
	// a tap, or lost by a reset (then select again, by Open).
	ErrState = errors.New("the card's state does not allow it")
	// ErrAbsent says that the card does not hold the item: no key yet, no template yet.
	ErrAbsent = errors.New("the card does not hold it")
	// ErrContactOnly says that the card was installed to be configured over its contacts only.
	ErrContactOnly = errors.New("the card allows this only over its contacts")
	// ErrAlgorithm says that the card cannot make keys of this algorithm.
	ErrAlgorithm = errors.New("the card cannot make such a key")
	// ErrRefused says that the card found the value wrong.
	ErrRefused = errors.New("the card refuses the value")
	// ErrMemory says that the card could not write its counter: it is worn out or at its end, and did not sign.
	ErrMemory = errors.New("the card could not write its memory")
	// ErrTooLong says that a message is too long for what carries it: a reader that passes on no answer as long as a key or a signature,
	// which the protocol cannot cut shorter, or a card with a small buffer, which takes no challenge whose context has more than 95
	// bytes. Nothing but the message's length is wrong.
	ErrTooLong = errors.New("too long for the reader or the card: use another reader, or a shorter context")
	// ErrMalformed says that an answer does not follow the protocol: the card is broken or an imitation.
	ErrMalformed = errors.New("the card's answer does not follow the protocol")
)

// refusal is a status word with the words for it. The number is not in the text: errors.As gets it as apdu.Status.
type refusal struct {
	kind   error
	status apdu.Status
}

func (r refusal) Error() string   { return r.kind.Error() }
func (r refusal) Unwrap() []error { return []error{r.kind, r.status} }

// explain puts a status word into words; conditions is what 6985 means here. Other errors stay as they are.
func explain(err, conditions error) error {
	var status apdu.Status
	switch {
	case errors.As(err, &status):
		return refusal{kindOf(status, conditions), status}
	case errors.Is(err, apdu.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}

func kindOf(status apdu.Status, conditions error) error {
	switch status {
	case apdu.StatusConditions:
		return conditions
	case apdu.StatusNoFileSelected: // what a Java Card answers when no application is selected
		return ErrState
	case apdu.StatusSecurity:
		return ErrContactOnly
	case apdu.StatusFunctionNotSupported:
		return ErrAlgorithm
	case apdu.StatusWrongData:
		return ErrRefused
	case apdu.StatusMemoryFailure:
		return ErrMemory
	case apdu.StatusClass, apdu.StatusInstruction:
		return ErrNotOurs
	}
	return fmt.Errorf("%w: status %w", ErrMalformed, status)
}
