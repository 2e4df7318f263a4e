package console

import (
	"context"
	"io/fs"
	"net"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// catalogue is every error that has words of its own; the first that fits is taken, so the more particular stand
// first. Codes are stable: machines branch on them.
func catalogue() []entry {
	var all []entry
	for _, part := range [][]entry{interrupted(), ofLedgers(), ofCards(), ofFormats(), ofMachines()} {
		all = append(all, part...)
	}
	return all
}

func interrupted() []entry {
	return []entry{
		is(context.Canceled, Failure, "interrupted", "it was interrupted", "run it again: what was done stays done and is not done twice"),
		is(context.DeadlineExceeded, Failure, "timeout", "it took too long", "run it again"),
	}
}

func ofLedgers() []entry {
	return []entry{
		is(ledger.ErrUncertain, Uncertain, "uncertain", "nobody knows yet whether the ledger recorded it", "run the same command again: it finds out, and records nothing twice"),
		is(ledger.ErrUnavailable, Unreachable, "ledger_unavailable", "the ledger does not answer; nothing was written", "see productid ledger info, then run it again"),
		is(ledger.ErrInvalidProof, No, "invalid_proof", "the proof does not hold under the keys that were trusted", "check which log key or policy you trust; if it is the right one, the receipt is not genuine"),
		is(ledger.ErrNotListed, Failure, "not_listed", "the channel is not admitted to this ledger", "register the card with productid card personalise"),
		is(ledger.ErrNoChannel, No, "no_channel", "this ledger has no message of that channel", "check the id, and --data or --ledger"),
		is(ledger.ErrNoMessage, No, "no_message", "the channel ends before that number", "productid channel read shows how far it goes"),
		is(ledger.ErrTooLarge, Usage, "too_large", "it is too large for this ledger", "put it elsewhere and record its SHA-256"),
		is(ledger.ErrNoPosition, Failure, "history_lost", "the ledger is shorter than it was: somebody put an old copy in place", "put the newer ledger back, then run productid ledger rebuild"),
		as[*ledger.Conflict](Failure, "conflict", "somebody else wrote that message first", "run it again: it goes on from what stands there now"),
		is(record.ErrMust, Failure, "too_old", "the ledger holds a record that this version must not skip", "install a newer version"),
	}
}

func ofCards() []entry {
	return []entry{
		is(card.ErrNotOurs, Reader, "not_our_card", "the card on the reader runs no ProductID applet", "put a ProductID card on the reader, or install the applet (applet/CARDS.md)"),
		is(card.ErrVersion, Reader, "card_too_new", "the card's applet is newer than this program", "install a newer version"),
		is(card.ErrContactOnly, Reader, "contact_only", "the card lets itself be configured over its contacts only", "use a contact reader"),
		is(card.ErrAlgorithm, Reader, "no_algorithm", "the card cannot make such a key", "choose another --alg; productid card info lists them"),
		is(card.ErrAbsent, Reader, "absent", "the card does not hold that yet", "productid card personalise makes it whole"),
		is(card.ErrState, Reader, "card_state", "the card's state does not allow it", "productid card info shows the state; a second productid card personalise goes on from it"),
		is(card.ErrMemory, Reader, "card_worn_out", "the card could not count, so it did not sign", "the card is at its end: make a new one"),
		is(card.ErrRefused, Reader, "card_refused", "the card refuses the value", "check the value; productid card info shows what the card holds"),
		is(card.ErrMalformed, Reader, "card_malformed", "the card does not follow the protocol", "take it off and put it on again; if that stays, the card is broken or an imitation"),
		is(t4t.ErrNoTag, Reader, "not_a_tag", "what is on the reader is no NFC tag of type 4", "put a ProductID card on the reader"),
		is(t4t.ErrMalformed, Reader, "card_malformed", "the tag does not follow the standard, so no phone would read it", "take it off and put it on again; if that stays, the card is broken or an imitation"),
		as[apdu.Status](Reader, "card_refused", "the card refused a command", "take the card off and put it on again, then run the command once more"),
	}
}

func ofFormats() []entry {
	const next = "productid inspect says what a text is and what is wrong with it"
	return []entry{
		is(tap.ErrUnsupported, No, "unsupported", "unsupported: a later version than this program knows", "install a newer version"),
		is(tap.ErrUnsigned, No, "unsigned", "unsigned: the card cannot or must not sign taps", "it is no counterfeit; productid card challenge asks the card itself"),
		is(tap.ErrWrongKey, No, "wrong_key", "wrong_key: the key does not belong to the card id", "do not trust the card or the key: one of them was swapped"),
		is(tap.ErrBadSignature, No, "bad_signature", "bad_signature: the card with this key did not make it", "do not trust it: it was changed or made up"),
		is(tap.ErrMalformed, No, "malformed", "malformed: it does not follow the format", next),
		is(channel.ErrBadSignature, No, "bad_signature", "bad_signature: the channel's author did not sign it", "do not trust it: it was changed or made up"),
		is(channel.ErrWrongChannel, No, "wrong_channel", "wrong_channel: it belongs to another channel", "check the channel's id"),
		is(channel.ErrBrokenChain, No, "broken_chain", "broken_chain: it does not follow the message before it", "do not trust this copy of the channel; read it from another"),
		is(channel.ErrCannotOpen, No, "cannot_open", "cannot_open: the read key does not open it", "ask the author for a newer capability"),
		is(channel.ErrMalformed, No, "malformed", "malformed: it does not follow the format", next),
		is(record.ErrMalformed, No, "malformed", "malformed: it is no record", next),
		is(ndef.ErrMalformed, No, "malformed", "malformed: it is no NDEF message with a URI", next),
		is(apdu.ErrMalformed, Reader, "malformed", "malformed: it is no APDU, or no answer to one", "take the card off and put it on again"),
	}
}

func ofMachines() []entry {
	return []entry{
		is(fs.ErrNotExist, Failure, "not_found", "the file or folder is not there", "check the path; --data DIR names the data folder"),
		is(fs.ErrPermission, Failure, "permission", "this user may not do that", "check who owns the file or folder"),
		as[*net.OpError](Reader, "no_connection", "nobody answers at that address", "start the virtual card (scripts/virtual-card.sh) or name another --reader"),
	}
}
