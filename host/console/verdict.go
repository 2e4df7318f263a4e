package console

// Sentence is what a verdict's code means, for who holds the card, and what to do next; both empty for a code that
// is none.
func Sentence(code string) (means, next string) {
	switch code {
	case "valid":
		return "genuine, and this tap was not used before", "record it with productid tap update: a URL is good once"
	case "recorded":
		return "genuine, and now recorded: this URL is used up", "keep the receipt; productid ledger verify checks it offline"
	case "already_used":
		return "this very tap was recorded before", "tap the card again: a genuine card gives a new URL each time"
	case "superseded":
		return "a newer tap of this card was recorded, this one never", "tap the card again; an old URL kept back looks like this"
	case "unknown_card":
		return "no issuer on this ledger registered this card", "check that you look at the right ledger (--data); else do not trust the card"
	case "bad_signature":
		return "the card with this id did not make this URL", "do not trust it: it was changed or made up"
	case "malformed_url":
		return "this is no tap URL", "productid inspect says what is wrong with it"
	case "unsupported_version":
		return "the card speaks a later version than this program knows", "install a newer version"
	case "unsigned_url":
		return "the URL has no signature, so anybody can have written it: no proof, and no sign of a counterfeit", "productid card verify, with the card on the reader, asks the card itself"
	case "not_in_service":
		return "the card is registered and not yet in service", "productid card personalise finishes it"
	case "history_lost":
		return "the ledger lost this card's newest taps: nobody knows whether this one was used", "productid card recover, with the card on the reader, puts it back into service"
	case "revoked":
		return "the issuer revoked this card", "do not accept it; ask the issuer"
	case "moved":
		return "the card's life goes on on another ledger", "look there: the issuer serves it on that ledger from now on"
	case "retry_mismatch":
		return "the idempotency key was used for another request", "take a new key for a new request"
	case "payload_rejected":
		return "the payload is no JSON, or too long for a record", "give JSON of at most a few kilobytes, or record the SHA-256 of what is larger"
	}
	return "", ""
}

// Unsigned is what a URL without a signature says of its card, by its reason, and what to do next; for a reason that is none, that of
// unsigned_url.
func Unsigned(reason string) (says, next string) {
	_, next = Sentence("unsigned_url")
	switch reason {
	case "exhausted":
		return "exhausted: its card has used up its counter", "productid card info, with the card on the reader, shows whether it says the same; a copy can say that too, so look at the thing itself before it gets a new card"
	case "challenge":
		return "challenge: its card signs no taps and answers challenges only", next
	}
	return "", next
}
