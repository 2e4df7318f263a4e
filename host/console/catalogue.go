package console

import (
	"context"
	"io/fs"
	"net"

	"github.com/productid/productid/host/cardbench"
	"github.com/productid/productid/host/devnet"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/mirror"
	"github.com/productid/productid/host/ledger/stardust"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/bundle"
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
	for _, part := range [][]entry{maybe(), ofServices(), interrupted(), ofStations(), ofReaders(), ofGuards(), ofAnchors(), ofFiles(), ofNetworks(), ofHistories(), ofLedgers(), ofCards(), ofPeople(), ofRequests(), ofFormats(), ofDevnets(), ofMachines()} {
		all = append(all, part...)
	}
	return all
}

// maybe stands first: what may be done must never be called undone, whatever else is in the chain.
func maybe() []entry {
	const next = "run the same command again: it goes on from what stands; but a tap update finds its own tap only by an --idempotency-key, " +
		"without one it may answer already_used, and productid ledger get CARD COUNTER shows the record"
	return []entry{
		is(ledger.ErrUncertain, Uncertain, "uncertain", "nobody knows yet whether the ledger recorded it", next),
		is(store.ErrUncertain, Uncertain, "uncertain", "nobody knows yet whether it was written", next),
	}
}

func interrupted() []entry {
	return []entry{
		is(context.Canceled, Failure, "interrupted", "it was interrupted", "run it again: what was done stays done and is not done twice"),
		is(context.DeadlineExceeded, Failure, "timeout", "it took too long", "run it again"),
	}
}

func ofStations() []entry {
	return []entry{
		is(station.ErrForeign, Reader, "foreign_card", "the card is registered by another issuer", "take a card of your own, or use the data folder of that issuer"),
		is(station.ErrOtherTemplate, Reader, "other_template", "the card has another template, and keeps it", "give the --template it has (productid card info shows it), or take another card"),
		is(station.ErrDisagrees, Usage, "order_disagrees", "the URL, a GS1 Digital Link, names another thing than the order", "give --gs1 with the --lot and --serial of the thing, and let it make the URL"),
		is(station.ErrOtherProfile, Reader, "other_profile", "the card has another profile, and keeps it", "give the --profile and --max-read it has (productid card info shows them), or take another card"),
		is(station.ErrOtherOrder, Reader, "other_order", "the card is registered as something else, for good", "give the order that stands on the ledger (productid card lock takes it from there), or take another card"),
		is(station.ErrNotRegistered, Reader, "not_registered", "this ledger does not know the card", "use the data folder (--data) it was made with; if it is locked and that is lost, take another card"),
		is(station.ErrOtherAlgorithm, Reader, "other_algorithm", "the card cannot sign as ordered", "choose the --alg that productid card info lists"),
		is(station.ErrOtherKey, Reader, "other_key", "the ledger knows the card's id with another key or channel", "do not use this card; check that --data is its own installation"),
		is(station.ErrFewTaps, Reader, "few_taps", "the card has too few taps left to be worth making", "take another card, or install the applet with a larger counterMax (applet/CARDS.md)"),
		is(station.ErrNotLost, Reader, "not_lost", "the ledger knows the card's history", "nothing is to be done"),
		is(station.ErrNotLocked, Reader, "not_locked", "the card is not locked", "lock it with productid card lock, then run it again"),
		is(station.ErrDamaged, Reader, "card_damaged", "the card does not know its own state any more", "take another card: this one signs nothing"),
		is(station.ErrChanged, Reader, "card_changed", "the card is not what was rehearsed; it was not locked", "find out who wrote to it or changed the card; run it again: it writes what was ordered and reads it back anew"),
		is(station.ErrFirstTap, Reader, "first_tap_failed", "the locked card does not serve what it should; it was not put in service", "run it again; if that stays, take another card: this one cannot be changed any more"),
		is(station.ErrRehearsal, Reader, "rehearsal_failed", "what a phone would read from the card is not right", "do not lock it; run it again, and if that stays, take another card"),
	}
}

func ofReaders() []entry {
	return []entry{
		is(pcsc.ErrUnsupported, Reader, "no_pcsc", "this program was built without card readers", "build it with cgo and libpcsclite-dev, or use --reader sim:HOST:PORT"),
		is(pcsc.ErrNoService, Reader, "no_pcsc_service", "the PC/SC service does not run", "start pcscd (Debian: apt install pcscd; systemctl start pcscd.socket)"),
		is(pcsc.ErrNoCard, Reader, "no_card", "there is no card on the reader", "put the card on the reader and run it again"),
		is(pcsc.ErrNoReader, Reader, "no_reader", "there is no such reader", "plug it in; productid reader list shows what there is"),
		is(pcsc.ErrInUse, Reader, "card_in_use", "another program holds the card", "end the other program; often it is a signature or mail program"),
		is(pcsc.ErrTorn, Reader, "card_torn", "the card was taken off while it worked", "put it on again and run the same command: it goes on from where the card stands"),
		is(simcard.ErrTorn, Reader, "card_torn", "the virtual card went away while it worked", "start it again and run the same command: it goes on from where the card stands"),
		is(simcard.ErrGone, Reader, "no_card", "no virtual card answers at that address", "start it (scripts/virtual-card.sh --tcp 127.0.0.1:0) and give the address it prints"),
	}
}

// ofFiles and ofHistories stand before ofLedgers: a ledger that is altered does not answer either, and to run it again is
// no advice then.
func ofFiles() []entry {
	return []entry{
		is(tlog.ErrCorrupt, Failure, "ledger_altered", "the ledger's file was altered or damaged", "trust no answer of it; put back a copy that productid ledger verify accepts"),
		is(tlog.ErrOtherLog, Failure, "other_ledger", "the file is the ledger of another installation", "check --ledger and --data: they belong together"),
		is(store.ErrCorrupt, Failure, "file_damaged", "the file is damaged, or no database", "put a copy back; a registry can be deleted and is made anew from the ledger, but then nobody here notices an older copy of that"),
		is(store.ErrForeign, Failure, "file_foreign", "the file or schema was made for something else", "check --data and --ledger"),
		is(store.ErrNewerSchema, Failure, "file_too_new", "the file was made by a newer version", "install that version"),
		is(store.ErrBroken, Failure, "file_stuck", "the disk did not take a commit, so nobody knows what the file holds until it is opened anew", "look at the disk, then start it again: what was answered as done is there"),
		is(store.ErrNotDurable, Failure, "not_durable", "the disk or the database server does not keep what it acknowledges", "put the data folder on a local disk; on PostgreSQL set fsync and full_page_writes to on"),
		is(store.ErrReadOnly, Failure, "read_only", "the database takes no writes: it is a standby, or was opened for reading", "name the primary server in --ledger"),
		is(store.ErrMissing, Failure, "database_missing", "the database is there, and nothing of ours in it", "check --ledger; a new installation is begun with productid card personalise"),
		is(store.ErrUnavailable, Unreachable, "database_unavailable", "the database server does not answer; nothing was written", "start it or check --ledger, then run it again"),
		is(store.ErrBusy, Unreachable, "ledger_busy", "another process keeps the file locked; nothing was written", "run it again; if that stays, look for a process that hangs"),
	}
}

func ofNetworks() []entry {
	return []entry{
		is(stardust.ErrNoFunds, Failure, "no_funds", "the funding address cannot pay another channel's deposit; nothing was written", "send tokens to the address that productid ledger info shows, then run it again"),
		is(stardust.ErrOtherNetwork, Failure, "other_network", "the archive is another network's or issuer's, or the nodes have lost what it has seen", "check --ledger, --funding-key and --data: they belong together"),
		is(stardust.ErrMissing, Failure, "history_missing", "a part of the history is neither in the archive nor on the nodes", "put the archive (archive.db in the data folder) back from its backup, or name a node that still has the history"),
		is(stardust.ErrNoAuthor, Failure, "no_author", "the channel's secrets are not here, so nobody can sign its transaction", "write where the channel's secrets are"),
		is(stardust.ErrRefused, Failure, "refused", "the network refused the transaction for good; the number is free", "run it again"),
	}
}

func ofAnchors() []entry {
	return []entry{
		is(anchor.ErrForgot, Failure, "anchor_forgot", "the anchor's ledger has less than it recorded: it is another one, or was put back to an older state", "check --anchor; what the ledger has now is anchored again"),
		is(anchor.ErrStrange, Failure, "anchor_strange", "the anchor's channel holds something that is no checkpoint of this ledger", "find out who else writes with these secrets"),
		is(anchor.ErrUnreachable, Unreachable, "anchor_unreachable", "the anchor's ledger does not answer, or did not take the checkpoint", "check --anchor and --funding-key, then run it again"),
	}
}

// ofGuards stands before ofFiles and ofHistories: what a guard says explains what they find.
func ofGuards() []entry {
	return []entry{
		is(tlog.ErrRolledBack, Failure, "rolled_back", "the ledger is shorter than it was: an old copy was put back, or its end was cut off",
			"used taps would pass again, so nothing goes on: put the newest copy back, or productid ledger recover --from takes what is missing from another one"),
		is(tlog.ErrForked, Failure, "forked", "the ledger is not the one that was seen before: two histories were signed with its key",
			"trust neither, and keep both: receipts show which was given out; move this one away, and productid ledger recover --from takes the other from a copy"),
		is(tlog.ErrNoGuard, Failure, "no_guard", "this machine remembers nothing of the ledger, and would not notice an old copy",
			"name what remembers it with --guard FILE; on a new machine compare it (productid ledger verify --against FILE), then productid ledger recover --adopt"),
		is(tlog.ErrBadGuard, Failure, "guard_damaged", "what this machine remembers of the ledger is damaged, or is of another ledger",
			"check --guard; if it is the right one, compare the ledger (productid ledger verify --against FILE), move the guard away, then productid ledger recover --adopt"),
		is(tlog.ErrIncomplete, No, "incomplete_copy", "that copy does not hold all that is missing", "name another copy: a newer backup, the database of another machine, a mirror; if only payloads are missing, and you removed them, give --without-payloads; if there is no copy at all, productid ledger recover --lost gives the ledger up"),
		is(ledger.ErrKept, No, "kept", "it decides something, so it stays", "only messages that say a random salt and no state of a card can go, and no channel's newest one"),
		is(tlog.ErrReason, Usage, "malformed", "the reason is not one line of 1 to 200 bytes", "give a short --reason"),
		is(store.ErrNotErased, Failure, "not_erased", "it is removed, and its bytes may still be in a file: another program looks at an older state", "run the same command again"),
		is(store.ErrOlderSchema, Failure, "file_too_old", "an older version made the file, and reading does not change it", "open it once with its own installation and this version, as productid ledger rebuild does"),
	}
}

func ofHistories() []entry {
	const next = "do not go on, used taps might pass again: compare the ledger with a checkpoint or a mirror of your own, and put the newest copy back"
	return []entry{
		is(mirror.ErrBroken, No, "log_broken", "the log's key signed what no log may: a fork, a cut, or a message out of place", "trust no answer of that log; show the evidence to whoever relies on it; take the file away to begin again"),
		is(tiles.ErrRewritten, No, "log_rewritten", "the log is not the one that was seen before: it was rewritten, cut, or an old copy was put back", "trust no answer of it: whoever keeps a mirror of it can tell what it was"),
		is(tiles.ErrURL, Usage, "malformed_url", "that is not the address of a log or witness", "give https://HOST/…, or http:// on this machine"),
		is(tiles.ErrReadOnly, Usage, "read_only", "others serve this ledger, and it can only be read", "write where the installation is"),
		is(registry.ErrOtherHistory, Failure, "other_history", "the ledger is not as it was known here: it was rewritten or cut, or an old copy was put back", next),
		is(ledger.ErrNoPosition, Failure, "other_history", "the ledger is shorter than it was: it was cut, or an old copy was put back", next),
		is(validation.ErrUnreadable, Failure, "unreadable_head", "the newest message of the card's channel says nothing to go by", "productid channel read shows it; install a newer version, or find out who else writes with these secrets"),
		is(record.ErrMust, Failure, "too_old", "the ledger holds a record that this version must not skip, about this card or its issuer", "install a newer version"),
		is(record.ErrMalformed, Failure, "malformed_record", "a record does not follow the format", "check what was ordered; if the record stands on the ledger already, trust no answer about its channel"),
	}
}

func ofLedgers() []entry {
	return []entry{
		is(ledger.ErrUnavailable, Unreachable, "ledger_unavailable", "the ledger does not answer; nothing was written", "see productid ledger info, then run it again"),
		is(ledger.ErrInvalidProof, No, "invalid_proof", "the proof does not hold under the keys that were trusted", "check which log key or policy you trust; if it is the right one, the receipt is not genuine"),
		is(bundle.ErrNotRegistered, No, "not_registered", "the issuer's channel on this ledger holds no registration of that card", "check the card, the --issuer, and --data or --ledger"),
		is(bundle.ErrUnsupported, Failure, "bundle_unsupported", "a bundle of this version cannot show that: a later version made it, or the issuer's history before was lost", "install a newer version, or take single proofs with productid ledger prove"),
		is(bundle.ErrTooLarge, Failure, "bundle_too_large", "the card's history does not fit into one bundle", "productid ledger prove gives single messages; a mirror gives all of them"),
		is(move.ErrNotMoved, No, "not_moved", "a card lives on one ledger, and this is not the one for which its channel was ended", "end it for this one: productid ledger export --move, with --to or --network"),
		is(move.ErrNothing, No, "nothing_to_move", "the export holds no issuer whose secrets are here", "check the file and --from"),
		is(move.ErrTaken, Failure, "channel_taken", "the channel goes on otherwise on this ledger", "somebody else writes with these secrets: find out who, and trust no answer about that card"),
		is(move.ErrDoubtful, No, "export_doubtful", "the file says other things than its proofs", "do not use it; export the ledger again"),
		is(move.ErrMalformed, No, "malformed", "malformed: it is no export that is whole", "export the ledger again"),
		is(ledger.ErrNoPhase, Failure, "no_phase", "messages of this ledger do not get that far", "ask for an earlier --phase; witnesses come with productid ledger serve --witness, an anchor with productid ledger anchor"),
		is(ledger.ErrNotListed, Failure, "not_listed", "the channel is not admitted to this ledger", "register the card with productid card personalise"),
		is(ledger.ErrNoChannel, No, "no_channel", "this ledger has no message of that channel", "check the id, and --data or --ledger"),
		is(ledger.ErrNoMessage, No, "no_message", "the channel ends before that number", "productid channel read shows how far it goes"),
		is(ledger.ErrTooLarge, Usage, "too_large", "it is too large for this ledger", "put it elsewhere and record its SHA-256"),
		as[*ledger.Conflict](Failure, "conflict", "somebody else wrote that message first", "run it again: it goes on from what stands there now"),
		is(registry.ErrUnknownCard, No, "unknown_card", "no issuer on this ledger registered this card", "check that you look at the right ledger (--data); else do not trust the card"),
		is(registry.ErrMoved, Failure, "issuer_moved", "the issuer moved to another ledger, and writes nothing on this one any more", "give --data the folder into which productid ledger import put it"),
		is(registry.ErrNotImported, Failure, "not_imported", "the issuer moves to this ledger, and its channel is not there yet", "run productid ledger import to its end"),
		is(registry.ErrUnknownIssuer, No, "unknown_issuer", "no issuer has that channel on this ledger", "check the id, and --data or --ledger"),
		is(secrets.ErrExposed, Failure, "secrets_exposed", "others can read the installation's secrets", "chmod 600 the file; if somebody may have read it, begin a new installation"),
		is(secrets.ErrNoKey, Failure, "secrets_locked", "the secrets are encrypted, and no key to them was given", "set PRODUCTID_SECRETS_KEY or PRODUCTID_SECRETS_KEY_FILE, or run it where a person can be asked"),
		is(secrets.ErrWrongKey, Failure, "wrong_secrets_key", "the key or passphrase is not the one it was encrypted with", "check which file, key or passphrase belong together"),
		is(secrets.ErrWeakKey, Usage, "weak_passphrase", "the passphrase can be guessed", "choose a longer one: openssl rand -base64 24"),
		is(secrets.ErrBadKey, Usage, "bad_secrets_key", "the key is neither an age identity nor a passphrase of one line", "check it: age-keygen makes one"),
		is(secrets.ErrTwo, Failure, "two_secrets", "secrets.json and secrets.age are both there and differ", "the encrypted file counts; find out what the plain one holds, and move it away"),
		is(secrets.ErrElsewhere, Failure, "issuer_elsewhere", "the issuer's secrets are not in this data folder, so nothing can be recorded for it", "record it where that issuer's secrets are; to look at the card needs none"),
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
		is(card.ErrTooLong, Reader, "too_long", "the answer is too long for this reader, or the context for this card", "use another reader, or a context of at most 95 bytes"),
		is(card.ErrMalformed, Reader, "card_malformed", "the card does not follow the protocol", "take it off and put it on again; if that stays, the card is broken or an imitation"),
		is(cardbench.ErrFewCounts, Reader, "few_counts", "the card has too few counts left for this", "give fewer --runs; productid card info shows what it has left"),
		is(cardbench.ErrTap, Reader, "card_malformed", "the card served a tap that is none of its own", "take it off and put it on again; if that stays, the card is broken or an imitation"),
		is(t4t.ErrNoTag, Reader, "not_a_tag", "what is on the reader is no NFC tag of type 4", "put a ProductID card on the reader"),
		is(t4t.ErrMalformed, Reader, "card_malformed", "the tag does not follow the standard, so no phone would read it", "take it off and put it on again; if that stays, the card is broken or an imitation"),
		as[apdu.Status](Reader, "card_refused", "the card refused a command", "take the card off and put it on again, then run the command once more"),
	}
}

func ofRequests() []entry {
	return []entry{
		is(lifecycle.ErrNotInService, No, "not_in_service", "the card is not in service, or its history was lost, so there is nothing to be changed", "productid card personalise puts a card in service, productid card recover one whose history was lost"),
		is(lifecycle.ErrRevoked, No, "revoked", "the card is revoked already, and stays so", "productid card list shows it; make a new card in its place"),
		is(lifecycle.ErrMoved, No, "moved", "the card's life goes on on another ledger", "give --data the folder into which productid ledger import put it"),
		is(lifecycle.ErrBadText, Usage, "bad_text", "the text is too long, or holds control characters", "give one line of at most 200 characters; everybody can read it"),
		is(sandbox.ErrUnknown, No, "unknown_test_card", "there is no such test card here", "productid sandbox card list shows which there are; a real card is tapped on a reader"),
		is(sandbox.ErrTooMany, Failure, "too_many_test_cards", "there are as many test cards as an installation may have", "tap one of those that productid sandbox card list shows"),
		is(sandbox.ErrBadName, Usage, "bad_name", "the name is too long, or holds control characters", "give one line of at most 100 characters"),
		is(sandbox.ErrUsedUp, Failure, "test_card_used_up", "the test card has used its last counter", "make another one"),
		is(settings.ErrNoService, No, "not_in_service", "the card is not in service, so nothing about it can be set", "productid card personalise puts a card in service; a revoked one stays as it is"),
		is(settings.ErrOvertaken, Failure, "overtaken", "somebody else set the card meanwhile, and that is in force", "productid card settings show tells what holds; run it again if it is still wanted"),
		is(settings.ErrUnreadable, Failure, "settings_unreadable", "the settings in force cannot be read: the settings channel does not hold them", "productid card settings put writes new ones; look for a ledger that lost messages"),
		is(validation.ErrRetryKey, Usage, "short_key", "the idempotency key is shorter than 22 characters, so that others might find it", "give 128 random bits as text: openssl rand -hex 16"),
	}
}

func ofFormats() []entry {
	const next = "productid inspect says what a text is and what is wrong with it"
	return []entry{
		is(tap.ErrUnsupported, No, "unsupported", "unsupported: a later version than this program knows", "install a newer version"),
		is(tap.ErrUnsigned, No, "unsigned", "unsigned: the URL says that its card cannot or must not sign taps", "it is no proof, and no sign of a counterfeit; productid card verify asks the card itself"),
		is(tap.ErrWrongKey, No, "wrong_key", "wrong_key: the key does not belong to the card id", "do not trust the card or the key: one of them was swapped"),
		is(tap.ErrBadSignature, No, "bad_signature", "bad_signature: the card with this key did not make it", "do not trust it: it was changed or made up"),
		is(tap.ErrMalformed, No, "malformed", "malformed: it does not follow the format", next),
		is(channel.ErrBadSignature, No, "bad_signature", "bad_signature: the channel's author did not sign it", "do not trust it: it was changed or made up"),
		is(channel.ErrWrongChannel, No, "wrong_channel", "wrong_channel: it belongs to another channel", "check the channel's id"),
		is(channel.ErrBrokenChain, No, "broken_chain", "broken_chain: it does not follow the message before it", "do not trust this copy of the channel; read it from another"),
		is(channel.ErrCannotOpen, No, "cannot_open", "cannot_open: the read key does not open it", "ask the author for a newer capability"),
		is(channel.ErrMalformed, No, "malformed", "malformed: it does not follow the format", next),
		is(ndef.ErrMalformed, No, "malformed", "malformed: it is no NDEF message with a URI", next),
		is(apdu.ErrMalformed, Reader, "malformed", "malformed: it is no APDU, or no answer to one", "take the card off and put it on again"),
	}
}

func ofDevnets() []entry {
	return []entry{
		is(devnet.ErrNotBuilt, Failure, "no_devnet_programs", "hornet, its coordinator or the keeper is not built for this source tree", "make devnet builds them, in about five minutes the first time"),
		is(devnet.ErrNoNetwork, Failure, "no_devnet", "the folder holds no devnet", "productid devnet up makes one; --dir names another folder"),
		is(devnet.ErrForeign, Failure, "other_devnet", "the folder holds something else, or a devnet of another shape", "name another folder by --dir, or leave --nodes out"),
		is(devnet.ErrLost, Failure, "devnet_lost", "its nodes were killed, and hornet's databases do not survive that", "remove the folder and bring a new one up; with --nodes 3 one node may be lost"),
		is(devnet.ErrDown, Failure, "devnet_down", "the devnet is not up", "productid devnet up"),
		is(devnet.ErrNoNamespace, Failure, "no_namespace", "the nodes share the machine's network", "run it as root, or where unprivileged user namespaces are allowed"),
	}
}

func ofMachines() []entry {
	return []entry{
		is(edge.ErrPlain, Usage, "plain_http", "whoever is on the way could read and change plain HTTP, and taps and passwords with it",
			"give --domain NAME (a certificate comes by itself), or --tls-cert and --tls-key; --behind-proxy where a proxy ends TLS; or listen on 127.0.0.1"),
		is(edge.ErrCertificate, Failure, "bad_certificate", "the files of --tls-cert and --tls-key hold no certificate with its key", "give both in PEM, the certificate with its chain"),
		is(fs.ErrNotExist, Failure, "not_found", "the file or folder is not there", "check the path; --data DIR names the data folder"),
		is(fs.ErrPermission, Failure, "permission", "this user may not do that", "check who owns the file or folder"),
		as[*net.OpError](Reader, "no_connection", "nobody answers at that address", "start the virtual card (scripts/virtual-card.sh) or name another --reader"),
	}
}
