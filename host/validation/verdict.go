package validation

import (
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Code is the answer in one stable word, for machines. It is never an error: "no" is an answer too.
type Code string

// The answers. Whatever could not be decided is an error instead: ledger.ErrUnavailable when nothing was written,
// ledger.ErrUncertain when something may have been.
const (
	Valid    Code = "valid"    // genuine and its counter is not used up; nothing was written
	Recorded Code = "recorded" // genuine, and from now on its counter is used up

	MalformedURL       Code = "malformed_url"
	UnsupportedVersion Code = "unsupported_version"
	UnsignedURL        Code = "unsigned_url" // says that the card cannot or must not sign: not valid, and no counterfeit
	UnknownCard        Code = "unknown_card"
	BadSignature       Code = "bad_signature"
	NotInService       Code = "not_in_service" // registered, and its tap channel is not open yet
	Revoked            Code = "revoked"
	Moved              Code = "moved"            // its life goes on on another ledger
	HistoryLost        Code = "history_lost"     // nobody knows which of its taps were used, until it is reinstated
	AlreadyUsed        Code = "already_used"     // this very tap was recorded before
	Superseded         Code = "superseded"       // a newer tap was recorded, this one never
	RetryMismatch      Code = "retry_mismatch"   // the idempotency key was used for another request
	PayloadRejected    Code = "payload_rejected" // the payload is no JSON, or too long for a record
)

// OK reports whether the tap is good: valid, or recorded by this very request.
func (c Code) OK() bool { return c == Valid || c == Recorded }

// Verdict is what validation found.
type Verdict struct {
	Code     Code          `json:"code"`
	ID       *tap.CardID   `json:"id,omitempty"`      // as the URL has it, once it could be read
	Counter  uint32        `json:"counter,omitempty"` // as the URL has it
	Card     *record.Card  `json:"-"`                 // as registered; nil when it is not
	Last     uint32        `json:"last,omitempty"`    // highest counter that is used up now
	State    string        `json:"state,omitempty"`   // of the tap channel
	Settings string        `json:"-"`                 // hash of those in force, or ""
	MovedTo  string        `json:"movedTo,omitempty"` // origin of the ledger where a moved card's life goes on, when its channel says so
	Skipped  *record.Range `json:"skipped,omitempty"` // counters between Last and this tap that nobody recorded

	// Unsigned is why the card did not sign, as an UnsignedURL has it: tap.Exhausted or tap.ChallengeOnly. Anybody can write such a URL.
	Unsigned string `json:"unsigned,omitempty"`
	// Registered says whether the card that an UnsignedURL names is registered; nil with other answers.
	Registered *bool `json:"registered,omitempty"`
	// Contradicted says that the card which the UnsignedURL calls one for challenges only has signed taps that are recorded. No card
	// changes from one into the other: it does not serve this URL.
	Contradicted bool `json:"contradicted,omitempty"`
	// Since is until when the card's history is known; only when HistoryLost.
	Since *time.Time `json:"since,omitempty"`
	// When is the ledger's time of the record that decided: of this tap when it is Recorded or AlreadyUsed, of the newer one when
	// it is Superseded.
	When *time.Time `json:"when,omitempty"`
	// Replayed says that this request was answered before, and this is the first answer again.
	Replayed bool `json:"replayed,omitempty"`
	// Message and Receipt are the tap's record and the ledger's final receipt for it; only when Recorded.
	Message channel.Message `json:"-"`
	Receipt *ledger.Receipt `json:"receipt,omitempty"`
}

// Evidence returns what proves the record of a tap to somebody who trusts the ledger's key alone.
func (v Verdict) Evidence() ledger.Evidence {
	return ledger.Evidence{Message: v.Message, Proof: v.Receipt.Proof}
}

// refuse returns the verdict with another answer.
func (v Verdict) refuse(c Code) Verdict {
	v.Code, v.Skipped = c, nil
	return v
}
