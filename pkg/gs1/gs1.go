// Package gs1 reads and writes the numbers of GS1 and the URIs that carry them, GS1 Digital Links:
//
//	https://example.com/01/09520123456788/10/LOT-7/21/4711?17=271231
//
// [ParseGTIN] takes an article number in any of its lengths, [Parse] takes a whole URI apart, [Link.String] writes one.
//
// Sources: GS1 General Specifications (application identifiers, check digits, character set 82), GS1 Digital Link Standard: URI
// Syntax 1.2 to 1.4 (uncompressed), RFC 3986. Known are the keys and qualifiers that an article, a place or a carrier of ours can
// have: SSCC 00, GTIN 01 with 22, 10 and 21, GLN 414 with 254, GRAI 8003, GIAI 8004; none of them uses character set 39. Other
// application identifiers may stand in the query. Compressed URIs are refused.
//
// Everything here is pure: no clock, no file, no socket. All values may be used by many goroutines at once.
package gs1

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed says that a number, a URI or a linkset does not follow its format.
var ErrMalformed = errors.New("malformed")

// WrongCheckDigit is the error for a number whose check digit does not follow from its other digits: most likely one of them was
// mistyped. It is an ErrMalformed.
type WrongCheckDigit struct {
	Name      string // of the number: "GTIN", …
	Got, Want byte   // '0' to '9'
}

// Error says which digit it is, and which it should be.
func (w *WrongCheckDigit) Error() string {
	return fmt.Sprintf("%v: %s: the check digit is %c and should be %c", ErrMalformed, w.Name, w.Got, w.Want)
}

// Unwrap returns ErrMalformed.
func (w *WrongCheckDigit) Unwrap() error { return ErrMalformed }

// GTIN is the number of an article in its form of 14 digits, or "". ParseGTIN makes it.
type GTIN string

const gtinDigits = 14

// ParseGTIN returns the GTIN that a text of 8, 12, 13 or 14 digits says; the shorter ones are filled up with zeros from the left.
// The error is ErrMalformed, and *WrongCheckDigit when only the last digit is wrong.
func ParseGTIN(text string) (GTIN, error) {
	switch len(text) {
	case 8, 12, 13, gtinDigits:
	default:
		return "", fmt.Errorf("%w: GTIN: %d characters: want 8, 12, 13 or 14 digits", ErrMalformed, len(text))
	}
	full := strings.Repeat("0", gtinDigits-len(text)) + text
	if err := (Element{KeyGTIN, full}).Check(); err != nil {
		return "", err
	}
	return GTIN(full), nil
}

// FullGTIN returns a GTIN of any length with its 14 digits, and a text that is none as it is. Two texts that say one number are equal then,
// also where old records hold what nobody checked.
func FullGTIN(text string) string {
	if gtin, err := ParseGTIN(text); err == nil {
		return string(gtin)
	}
	return text
}

// CheckDigit returns the digit, '0' to '9', that stands behind these digits: their sum, weighted by 3 and 1 in turn from the
// right, filled up to a multiple of ten (General Specifications §7.9.1). The error is ErrMalformed: not one digit or more.
func CheckDigit(digits string) (byte, error) {
	if !all(digits, isDigit) || digits == "" {
		return 0, fmt.Errorf("%w: %.40q: want digits", ErrMalformed, digits)
	}
	sum := 0
	for i := range len(digits) {
		weight := 1 + 2*((len(digits)-i)%2)
		sum += weight * int(digits[i]-'0')
	}
	return byte('0' + (10-sum%10)%10), nil
}
