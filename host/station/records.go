package station

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// openIssuer writes the first message of the issuer's channel, if there is none.
func (j *job) openIssuer(ctx context.Context) (string, error) {
	_, err := registry.OpenIssuer(ctx, j.Ledger, j.List, j.Issuer)
	return j.issuer.Channel().String(), err
}

// register lists the card on the issuer's channel, with the card's own proof that it holds the key.
func (j *job) register(ctx context.Context) (string, error) {
	if j.registered != nil {
		return fmt.Sprintf("registered before, message %d of the issuer's channel", j.registered.Registered.Number), nil
	}
	if err := j.List.List(ctx, j.taps.Channel()); err != nil {
		return "", err
	}
	body, err := j.registration()
	if err != nil {
		return "", err
	}
	for j.registered == nil {
		head, err := j.Ledger.Head(ctx, j.issuer.Channel())
		if err != nil {
			return "", err
		}
		receipt, err := j.append(ctx, j.issuer, &head, body)
		if err == nil {
			j.report.Registered = &receipt
			return place(receipt), j.confirmRegistration(ctx)
		}
		if _, taken := errors.AsType[*ledger.Conflict](err); !taken {
			return "", err
		}
		// Who was first with this number may be another station, or an earlier run of ours of which nobody heard.
		if err := j.find(ctx); err != nil {
			return "", err
		}
	}
	return "registered by an earlier run just now", nil
}

// registration is the body of card.registered. It costs the card a counter.
func (j *job) registration() ([]byte, error) {
	nonce, err := j.nonce()
	if err != nil {
		return nil, err
	}
	answer, err := j.card.Challenge(nonce, record.RegistrationContext(j.issuer.Channel(), j.taps.Channel()))
	if err != nil {
		return nil, err
	}
	if err := answer.Verify(j.key); err != nil {
		return nil, fmt.Errorf("checking the card's proof: %w", err)
	}
	j.report.Counter = answer.Counter
	r := j.order.record(j.Name, j.info, j.key.ID())
	r.ID, r.Key, r.Taps = j.key.ID(), j.key.Bytes(), j.taps.Channel()
	r.Proof = record.Proof{Counter: answer.Counter, Nonce: nonce, Signature: answer.Signature}
	return r.Encode()
}

// record is the part of a registration that follows from the order. The id is zeros for a card without a key.
func (o Order) record(station string, info card.Info, id tap.CardID) record.CardRegistered {
	return record.CardRegistered{
		Alg: o.Algorithm.String(), Prefix: o.Template.Prefix, Middle: o.Template.Middle,
		Subject: o.Subject, GTIN: o.GTIN, Lot: o.Lot, Serial: o.serial(id),
		Station: station, Operator: o.Operator, Applet: record.Applet{Version: info.Version.String()},
	}
}

// confirmRegistration reads back what the ledger made of the registration: of several of one id the first counts, and
// it need not be ours.
func (j *job) confirmRegistration(ctx context.Context) error {
	if err := j.find(ctx); err != nil {
		return err
	}
	if j.registered == nil {
		return errors.New("the ledger holds the registration, yet the registry does not accept it")
	}
	return nil
}

// putInService begins the card's tap channel. Every counter up to that of the tap just verified is used up by it: no URL
// that was read before will ever pass. Where an earlier run's record is still undecided on the ledger, that one stands, and the tap
// that this run read, which nobody else has seen, stays good. What the card only says of itself is not taken into a record.
func (j *job) putInService(ctx context.Context) (string, error) {
	if j.registered.State == record.StateLost {
		return "its history was lost: it has to be reinstated", nil
	}
	if j.registered.State != "" {
		return j.since(), nil
	}
	if err := j.List.List(ctx, j.taps.Channel()); err != nil {
		return "", err
	}
	body, err := record.CardInService{Last: j.report.Counter, State: record.StateInService}.Encode()
	if err != nil {
		return "", err
	}
	receipt, err := j.append(ctx, j.taps, nil, body)
	if _, taken := errors.AsType[*ledger.Conflict](err); taken {
		return j.inServiceBefore(ctx, err)
	}
	if err != nil {
		return "", err
	}
	j.report.InService, j.report.State = &receipt, record.StateInService
	return fmt.Sprintf("taps count from %d on, %s", j.report.Counter+1, place(receipt)), nil
}

// inServiceBefore finds what an earlier run of ours, of which nobody heard, has begun meanwhile: a ledger that needs time decides it
// not before another message wants the number. The tap that this run has read is past what that one used up, and was shown to nobody.
func (j *job) inServiceBefore(ctx context.Context, conflict error) (string, error) {
	if err := j.find(ctx); err != nil {
		return "", err
	}
	if j.registered.State == "" {
		return "", conflict // by a message that puts no card in service
	}
	return j.since() + ", by an earlier run", nil
}

// since says when the tap channel's newest message was recorded.
func (j *job) since() string {
	return "since " + j.registered.Head.Time.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// append signs body as the message after head (nil: as the first), submits it and waits until it is final. The ledger
// assigns each number once: an append whose answer was lost cannot lead to a second message with its number.
func (s *Station) append(ctx context.Context, author *channel.Author, head *ledger.Entry, body []byte) (ledger.Receipt, error) {
	draft := channel.Draft{Time: s.Now(), Body: body}
	if head != nil {
		draft.Number, draft.Prev = head.Message.Number()+1, head.Message.Hash()
	}
	message, err := author.Sign(draft)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return ledger.Record(ctx, s.Ledger, message)
}

// place says where on the ledger a message stands, and under which checkpoint that is proved.
func place(r ledger.Receipt) string {
	text := fmt.Sprintf("message %d of its channel, %s", r.Number, r.Place())
	proof, err := ledger.ParseLogProof(r.Proof.Text)
	if err != nil {
		return text // not a log, or not yet final
	}
	if lines := strings.Split(string(proof.Checkpoint), "\n"); len(lines) > 2 {
		text += fmt.Sprintf(", checkpoint %s %s", lines[1], lines[2])
	}
	return text
}
