// Package bundle makes and checks proof bundles: one file that holds everything a
// ledger says of one card, and everything that is needed to believe it offline.
//
// [Make] takes a card's messages and their proofs from a ledger, [Verify] checks such
// a file under a policy, with no ledger, network or clock at hand: every message and
// proof, the tap channel from its first message on without a gap, and what the messages
// say, folded by package record as a registry folds them. Its [Report] says what that
// proves and whom one trusts in believing it. Format: docs/formats/bundle.md.
//
// # Limitations
//
// A bundle shows one card, not the ledger: that nobody registered the card before is
// the ledger's and the issuer's word. That the tap channel ends where the bundle does
// is its author's word, as of the time of the signed head, and nobody's without one.
package bundle

import (
	"errors"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Version is the version of the format that this package writes and reads.
const Version = 1

// MaxSize is the size in bytes that no bundle exceeds: room for about 50,000 taps.
const MaxSize = 64 << 20

// Skew is how far in the future a signed head's time may lie: the clocks of author
// and verifier differ.
const Skew = 5 * time.Minute

// The classes of refusal that are not those of packages channel and ledger.
var (
	// ErrMalformed refuses a file that is no bundle.
	ErrMalformed = errors.New("malformed bundle")
	// ErrUnsupported refuses a bundle of another version, or one that holds a record
	// which an old reader must not skip.
	ErrUnsupported = errors.New("bundle that this version cannot read")
	// ErrUntrustedIssuer refuses a card of an issuer that the policy does not name.
	ErrUntrustedIssuer = errors.New("card of an issuer that the policy does not trust")
	// ErrNotRegistered refuses a bundle whose registration does not hold.
	ErrNotRegistered = errors.New("bundle does not show the card's registration")
	// ErrFutureHead refuses a head that was signed later than now.
	ErrFutureHead = errors.New("signed head is from the future")
	// ErrTooLarge says that a card's history does not fit into a bundle.
	ErrTooLarge = errors.New("card's history is too large for a bundle")
)

// Class returns the class of a refusal as docs/formats/bundle.md names it: "ok" for
// nil, "malformed", "unsupported", "bad_signature", "wrong_channel", "broken_chain",
// "invalid_proof", "untrusted_issuer", "not_registered", "future_head", and "" for an
// error that is none of Verify's.
func Class(err error) string {
	switch {
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrUnsupported), errors.Is(err, record.ErrMust):
		return "unsupported"
	case errors.Is(err, ledger.ErrInvalidProof):
		return "invalid_proof"
	case errors.Is(err, ErrUntrustedIssuer):
		return "untrusted_issuer"
	case errors.Is(err, ErrNotRegistered):
		return "not_registered"
	case errors.Is(err, ErrFutureHead):
		return "future_head"
	}
	return channel.Class(err)
}
