package record

import (
	"fmt"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Reason says in one word why a record changes nothing.
type Reason string

// The reasons.
const (
	ReasonBrokenChain   Reason = "broken_chain"   // number, previous hash or mode do not continue the channel
	ReasonMalformed     Reason = "malformed"      // no body that Parse reads
	ReasonRemoved       Reason = "removed"        // its payload was removed
	ReasonMust          Reason = "must"           // of a kind that this reader does not know and must not skip: it folds the channel no further
	ReasonUnknownKind   Reason = "unknown_kind"   // skipped; in a tap channel the head it carries is kept
	ReasonWrongChannel  Reason = "wrong_channel"  // a kind that this channel does not hold
	ReasonOpenedTwice   Reason = "opened_twice"   // an issuer's second opening
	ReasonIDTaken       Reason = "id_taken"       // the card was registered before; the first registration stands
	ReasonTapsTaken     Reason = "taps_taken"     // the tap channel is another card's or an issuer's
	ReasonBadTemplate   Reason = "bad_template"   // no card is to hold such a template
	ReasonBadKey        Reason = "bad_key"        // no public key of the algorithm
	ReasonWrongKey      Reason = "wrong_key"      // the key does not hash to the id
	ReasonBadProof      Reason = "bad_proof"      // the card did not answer for this issuer and tap channel
	ReasonNotFirst      Reason = "not_first"      // card.in_service after the channel's first message
	ReasonWrongLast     Reason = "wrong_last"     // last does not follow
	ReasonWrongState    Reason = "wrong_state"    // state does not follow
	ReasonWrongSettings Reason = "wrong_settings" // settings do not follow
	ReasonWrongSkipped  Reason = "wrong_skipped"  // not the counters between the tap before and this one
	ReasonWrongCard     Reason = "wrong_card"     // another card's tap, or another algorithm
	ReasonNotInService  Reason = "not_in_service" // a tap while the card is not in service
	ReasonCounterUsed   Reason = "counter_used"   // the counter is not above the highest one used up
	ReasonBadSignature  Reason = "bad_signature"  // the card did not sign this tap
	ReasonMovedChannel  Reason = "channel_moved"  // the channel has ended here, its author goes on elsewhere
	ReasonNotMoved      Reason = "not_moved"      // a continuation of what did not move
	ReasonNotLost       Reason = "not_lost"       // a reinstatement of a card whose history is known
	ReasonHistoryLost   Reason = "history_lost"   // the card has not been reinstated

	// ReasonBadRegistration: what is carried over is no registration on a channel that the issuer's succeeded.
	ReasonBadRegistration Reason = "bad_registration"
)

// Fold takes the next message of a ledger into account. Messages of one channel are to come in the order of their numbers; a
// message that was folded already changes nothing, so one may begin again anywhere before the end. A record that does not hold
// is handed to Reject and changes nothing, except that its channel's head is now at its number.
//
// Every message is either an issuer's, a registered card's, or ignored. A message that stands in the ledger before its card's
// registration is ignored whenever it is folded.
//
// The error is one of s's own, or ErrMust: then nothing was changed and this reader cannot go on in this channel. It can in others,
// but what it knows of an issuer's cards is then not to be relied on.
func Fold(s States, e ledger.Entry) error {
	card, found, err := s.CardByTaps(e.Message.Channel())
	if err != nil {
		return err
	}
	if found {
		return foldTaps(s, card, e)
	}
	issuer, found, err := s.Issuer(e.Message.Channel())
	if err != nil {
		return err
	}
	if found {
		return foldIssuer(s, issuer, e)
	}
	return foldOther(s, e)
}

// foldOther opens an issuer, when that is what the first message of a public channel says, and proves if it is to succeed another.
func foldOther(s States, e ledger.Entry) error {
	if e.Message.Number() != 0 {
		return s.Ignore(e)
	}
	r, reason := readRecord(e.Message)
	if reason != "" {
		return s.Ignore(e)
	}
	at := refOf(e)
	switch v := r.Value.(type) {
	case IssuerOpened:
		return s.PutIssuer(Issuer{
			Channel: at.Channel, Name: v.Name, URL: v.URL, Log: v.Log, Network: v.Network, Next: v.Next, Opened: at, Head: at,
		})
	case IssuerSucceeded:
		if issuer, proved := v.succeed(e); proved {
			return s.PutIssuer(issuer)
		}
	}
	return s.Ignore(e)
}

// foldIssuer registers a card, when that is what the message says and proves.
func foldIssuer(s States, issuer Issuer, e ledger.Entry) error {
	if e.Message.Number() <= issuer.Head.Number {
		return nil
	}
	if !continues(issuer.Head, e.Message) {
		return reject(s, e, Record{}, ReasonBrokenChain)
	}
	r, reason := readRecord(e.Message)
	if err := mustKnow(r, e); err != nil {
		return err
	}
	if reason == "" {
		var err error
		if issuer, reason, err = foldIssuerRecord(s, issuer, r, e); err != nil {
			return err
		}
	}
	if reason != "" {
		if err := reject(s, e, r, reason); err != nil {
			return err
		}
	}
	issuer.Head = refOf(e)
	return s.PutIssuer(issuer)
}

func foldIssuerRecord(s States, issuer Issuer, r Record, e ledger.Entry) (Issuer, Reason, error) {
	if issuer.Moved {
		issuer, reason := issuer.goOn(r)
		return issuer, reason, nil
	}
	switch v := r.Value.(type) {
	case nil:
		return issuer, ReasonUnknownKind, nil
	case IssuerOpened, IssuerSucceeded:
		return issuer, ReasonOpenedTwice, nil
	case IssuerMoved:
		issuer.Place, issuer.Moved = v.To, true
		return issuer, "", nil
	case IssuerContinued:
		return issuer, ReasonNotMoved, nil
	case CardRegistered:
		card, reason := v.prove(e)
		reason, err := list(s, card, reason, r)
		return issuer, reason, err
	case CardCarried:
		card, reason := v.prove(issuer, e)
		reason, err := list(s, card, reason, r)
		return issuer, reason, err
	}
	return issuer, ReasonWrongChannel, nil
}

// list stores a card that r lists, unless there is a reason against it.
func list(s States, card Card, reason Reason, r Record) (Reason, error) {
	if reason != "" {
		return reason, nil
	}
	if reason, err := findTaken(s, card); reason != "" || err != nil {
		return reason, err
	}
	return "", s.PutCard(card, r)
}

// findTaken says whether card's id or tap channel is another's: the first registration in a ledger stands.
func findTaken(s States, card Card) (Reason, error) {
	if _, taken, err := s.Card(card.ID); taken || err != nil {
		return ReasonIDTaken, err
	}
	if _, taken, err := s.CardByTaps(card.Taps); taken || err != nil {
		return ReasonTapsTaken, err
	}
	if _, taken, err := s.Issuer(card.Taps); taken || err != nil {
		return ReasonTapsTaken, err
	}
	return "", nil
}

// foldTaps lets a card follow a message of its tap channel.
func foldTaps(s States, card Card, e ledger.Entry) error {
	if e.Index < card.Registered.Index {
		return s.Ignore(e)
	}
	if !card.Head.IsZero() && e.Message.Number() <= card.Head.Number {
		return nil
	}
	if !continues(card.Head, e.Message) {
		return reject(s, e, Record{}, ReasonBrokenChain)
	}
	r, reason := readRecord(e.Message)
	if err := mustKnow(r, e); err != nil {
		return err
	}
	if reason == "" {
		card, reason = card.follow(r, refOf(e))
	}
	card.Head = refOf(e)
	if reason == "" {
		return s.PutCard(card, r)
	}
	if err := reject(s, e, r, reason); err != nil {
		return err
	}
	return s.PutCard(card, Record{})
}

// continues reports whether m is a public message that comes next after head. A channel may have had messages before anybody
// registered it: then head is zero and m may have any number.
func continues(head Ref, m channel.Message) bool {
	number, prev := m.Number(), m.Prev()
	if !head.IsZero() {
		number, prev = head.Number+1, head.Hash
	}
	return m.Check(m.Channel(), channel.Public, number, prev) == nil
}

func readRecord(m channel.Message) (Record, Reason) {
	if m.Removed() {
		return Record{}, ReasonRemoved
	}
	body, err := m.Body()
	if err != nil {
		return Record{}, ReasonMalformed
	}
	r, err := Parse(body)
	if err != nil {
		return Record{}, ReasonMalformed
	}
	return r, ""
}

func mustKnow(r Record, e ledger.Entry) error {
	if r.Must && r.Value == nil {
		m := e.Message
		return fmt.Errorf("message %d of channel %v: %w: %.40q", m.Number(), m.Channel(), ErrMust, r.Kind)
	}
	return nil
}

func reject(s States, e ledger.Entry, r Record, reason Reason) error {
	m := e.Message
	return s.Reject(Rejection{Index: e.Index, Channel: m.Channel(), Number: m.Number(), Kind: r.Kind, Reason: reason})
}
