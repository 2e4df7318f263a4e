package tap

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Limits of a challenge, in bytes.
const (
	MinNonce   = 16
	MaxNonce   = 32
	MaxContext = 200
)

// Challenge is a card's answer to a nonce: proof that the card is there now. It uses up a counter of its own.
type Challenge struct {
	Nonce     []byte // 16 to 32 bytes, chosen at random by who asks
	Context   []byte // up to 200 bytes that say what the answer is for
	Counter   uint32
	Signature []byte // the card's raw form, see Algorithm
}

// Check says whether nonce and context have lengths that a card answers to. The error is ErrMalformed.
func (c Challenge) Check() error {
	if len(c.Nonce) < MinNonce || len(c.Nonce) > MaxNonce {
		return fmt.Errorf("%w: challenge: nonce of %d bytes: want %d to %d", ErrMalformed, len(c.Nonce), MinNonce, MaxNonce)
	}
	if len(c.Context) > MaxContext {
		return fmt.Errorf("%w: challenge: context of %d bytes: want at most %d", ErrMalformed, len(c.Context), MaxContext)
	}
	return nil
}

// SignedBytes returns what the card with this id signs. The tail is SHA-256(be16 len(nonce) ‖ nonce ‖ context): a card never
// signs bytes or a hash that a host chose as a whole.
func (c Challenge) SignedBytes(a Algorithm, id CardID) []byte {
	tail := binary.BigEndian.AppendUint16(make([]byte, 0, 2+MaxNonce+MaxContext), uint16(len(c.Nonce)))
	tail = append(append(tail, c.Nonce...), c.Context...)
	sum := sha256.Sum256(tail)
	signed := appendSigned(make([]byte, 0, signedLen+len(sum)), purposeChallenge, a, id, c.Counter)
	return append(signed, sum[:]...)
}

// Verify checks that the card with this key gave the answer. The error is ErrMalformed (nonce or context of a wrong length,
// counter 0), ErrWrongKey (no key) or ErrBadSignature.
func (c Challenge) Verify(k Key) error {
	if err := c.Check(); err != nil {
		return err
	}
	if c.Counter == 0 {
		return fmt.Errorf("%w: challenge: counter 0", ErrMalformed)
	}
	if k.IsZero() {
		return ErrWrongKey
	}
	return k.verify(c.SignedBytes(k.algorithm, k.id), c.Signature)
}
