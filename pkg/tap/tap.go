// Package tap reads and checks what a card says when it is tapped.
//
// A card holds a private key that was made on it. At each tap it counts up, signs the count and serves a URL
//
//	https://HOST/PATH?i=<card id>&c=<counter>&s=<signature>
//
// [Parse] takes such a URL apart, [URL.Verify] checks it under the card's public [Key]. The card id is a hash of that key, so a
// key that was swapped is noticed without asking anybody. [Challenge] is the card's answer to a nonce of ours. Formats:
// docs/formats/tap.md.
//
// A signature that verifies says that the card made it; it does not say that the URL is fresh. Whoever accepts a tap also asks
// whether the pair (card id, counter) was used before. That pair is the replay key, never the bytes of the signature: an ECDSA
// signature has two valid forms.
//
// Everything here is pure: no clock, no file, no socket. All values may be used by many goroutines at once.
package tap

import "errors"

// What can be wrong with a tap, in the order in which it is looked for.
var (
	// ErrMalformed says that a URL, key, card id, template or challenge does not follow the format.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported says that a URL names a version, or a key an algorithm, that this package does not know.
	ErrUnsupported = errors.New("unsupported")
	// ErrUnsigned says that the card served a URL without a signature because it cannot or must not sign. Such a URL is never
	// valid and never a counterfeit.
	ErrUnsigned = errors.New("the card did not sign")
	// ErrWrongKey says that the key does not hash to the card id.
	ErrWrongKey = errors.New("the key does not belong to the card id")
	// ErrBadSignature says that the signature does not verify.
	ErrBadSignature = errors.New("the signature does not verify")
)

// Class returns the word by which the test vectors and the API name what is wrong: "ok" for nil, "malformed", "unsupported",
// "unsigned", "wrong_key" or "bad_signature"; "" for an error that is none of this package's.
func Class(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrUnsupported):
		return "unsupported"
	case errors.Is(err, ErrUnsigned):
		return "unsigned"
	case errors.Is(err, ErrWrongKey):
		return "wrong_key"
	case errors.Is(err, ErrBadSignature):
		return "bad_signature"
	}
	return ""
}
