package tap

import (
	"encoding/base64"
	"fmt"
)

// idText is the length of a card id as text.
const idText = 16

// base64url is the one text form of bytes in a tap URL: no padding, and trailing bits must be zero, so that no two texts mean
// the same bytes.
var base64url = base64.RawURLEncoding.Strict()

// CardID names a card: the first 12 bytes of SHA-256(algorithm ‖ public key). Its text form is 16 characters of base64url.
type CardID [12]byte

// ParseCardID reads the text form of a card id. The error is ErrMalformed.
func ParseCardID(text string) (CardID, error) {
	var id CardID
	if !decode(id[:], text) {
		return CardID{}, fmt.Errorf("%w: card id: want %d characters of base64url", ErrMalformed, idText)
	}
	return id, nil
}

// String returns the text form, 16 characters of base64url.
func (id CardID) String() string { return base64url.EncodeToString(id[:]) }

// MarshalText returns the text form.
func (id CardID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form. The error is ErrMalformed.
func (id *CardID) UnmarshalText(text []byte) error {
	parsed, err := ParseCardID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// decode fills dst from exactly as much base64url as it holds. Go's decoder skips line breaks, so the count of bytes it returns
// is checked too.
func decode(dst []byte, text string) bool {
	if len(text) != base64url.EncodedLen(len(dst)) {
		return false
	}
	n, err := base64url.Decode(dst, []byte(text))
	return err == nil && n == len(dst)
}
