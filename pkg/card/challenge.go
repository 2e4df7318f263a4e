package card

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/tap"
)

// Challenge lets the card sign a nonce (16 to 32 bytes, from a good source of randomness) and a context (up to 200 bytes). It uses
// up one count, durably, whether the answer arrives or not; nothing else on the card changes. The answer is not verified here:
// tap.Challenge.Verify does that under a key that is known to be the card's. A card of RSA-2048 keeps its signature for this selection
// and hands it over in two parts.
//
// The error is tap.ErrMalformed before anything is sent, ErrState without a key, without a count left or after the tap was read in this
// selection (Open again), ErrMemory if the card could not write its counter, ErrTooLong if the context is too long for the card or the
// answer for the reader, ErrMalformed for an answer that no card gives.
func (c *Client) Challenge(nonce, context []byte) (tap.Challenge, error) {
	answer := tap.Challenge{Nonce: nonce, Context: context}
	if err := answer.Check(); err != nil {
		return tap.Challenge{}, err
	}
	var err error
	if answer.Counter, answer.Signature, err = c.challenge(nonce, context); err != nil {
		return tap.Challenge{}, fmt.Errorf("challenging the card: %w", err)
	}
	return answer, nil
}

func (c *Client) challenge(nonce, context []byte) (uint32, []byte, error) {
	data := append(append([]byte{byte(len(nonce))}, nonce...), context...)
	b, err := c.send(apdu.Command{INS: insChallenge, Data: data, Ne: apdu.MaxAnswer}, ErrState)
	if isWrongLength(err) || isUnforeseen(err) && c.isReaderShort() {
		return 0, nil, tooLong(err)
	}
	if err != nil {
		return 0, nil, err
	}
	if want := counterLength + c.answeredWith(); len(b) != want {
		return 0, nil, fmt.Errorf("%w: challenge answer of %d bytes: want %d", ErrMalformed, len(b), want)
	}
	counter, signature := binary.BigEndian.Uint32(b), b[counterLength:]
	if counter == 0 {
		return 0, nil, fmt.Errorf("%w: challenge answer with counter 0", ErrMalformed)
	}
	if len(signature) > 0 {
		return counter, signature, nil
	}
	signature, err = c.signature()
	return counter, signature, err
}

// answeredWith is how much of a signature stands in the answer to a challenge: the whole one, unless it is longer than any answer.
func (c *Client) answeredWith() int {
	if n := c.algorithm.SignatureLen(); counterLength+n <= apdu.MaxAnswer {
		return n
	}
	return 0
}

// signature reads the signature that the card keeps for this selection.
func (c *Client) signature() ([]byte, error) {
	signature, err := c.read(itemSignature, ErrState)
	if err != nil {
		return nil, fmt.Errorf("reading the signature: %w", err)
	}
	if len(signature) != c.algorithm.SignatureLen() {
		return nil, fmt.Errorf("%w: signature of %d bytes: want %d", ErrMalformed, len(signature), c.algorithm.SignatureLen())
	}
	return signature, nil
}

// shortAnswer is the longest answer that every reader is known to pass on. The ACR122U answers 6F00 in the card's name to a command
// that asks for more, unless it asks for all there is (Le 00).
const shortAnswer = OldReaderMaxRead

// isReaderShort reports whether an answer as long as a key does not come through and a short one does.
func (c *Client) isReaderShort() bool {
	_, long := c.send(apdu.Command{INS: insGetData, P2: itemKey, Ne: apdu.MaxAnswer}, ErrAbsent)
	_, short := c.Info()
	return isUnforeseen(long) && short == nil
}

func isUnforeseen(err error) bool  { return errors.Is(err, apdu.StatusUnknown) }
func isWrongLength(err error) bool { return errors.Is(err, apdu.StatusWrongLength) }

// tooLong is ErrTooLong with the status word of a refusal.
func tooLong(err error) error {
	var status apdu.Status
	errors.As(err, &status)
	return refusal{ErrTooLong, status}
}
