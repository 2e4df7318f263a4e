package validation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Request asks for a tap to be recorded.
type Request struct {
	URL     string
	Action  string          // "" is ActionUpdate
	Payload json.RawMessage // stands in the public record: any JSON value, or nil
	// Operator is who asks, in a word that names nobody. It stands in the public record too; "" for anybody.
	Operator string
	// Decide, when set, has the last word on a tap that is good otherwise, each time before its record is signed: v.Settings is what
	// will be in force for it. An error ends the update, and nothing was written.
	Decide func(ctx context.Context, v Verdict) (Decision, error)
	// Retry, when set, makes a repetition of this request get the first answer again. Without it every repetition is
	// AlreadyUsed, whoever sends it.
	Retry *Retry
}

// Decision is what becomes of a tap that is good.
type Decision struct {
	Refuse   Code            // "" to record it
	Payload  json.RawMessage // what stands in the record, whatever the request had
	Operator string          // the same
}

// decide asks for the last word.
func (r Request) decide(ctx context.Context, v Verdict) (Decision, error) {
	if r.Decide == nil {
		return Decision{Payload: r.Payload, Operator: r.Operator}, nil
	}
	return r.Decide(ctx, v)
}

// Retry is a client's name for a request.
type Retry struct {
	Scope string // whose key it is: an API key's id, a browser session, a station
	Key   string // chosen by the client: at least 128 random bits, in at least 22 characters
}

// errPayload says that no record can hold the payload.
var errPayload = errors.New("payload cannot be recorded")

// minRetryKey is the length of 128 bits in base64url. A key that is short is likely one that stays the same, and would turn
// every replay into "recorded".
const minRetryKey = 22

// ErrRetryKey refuses a Retry whose key cannot hold 128 random bits. Nothing was looked at.
var ErrRetryKey = errors.New("idempotency key is shorter than 22 characters")

func (r Request) action() string {
	if r.Action == "" {
		return ActionUpdate
	}
	return r.Action
}

func (r Request) payloadOK() bool { return len(r.Payload) == 0 || json.Valid(r.Payload) }

// marks are the two halves of a record's member retry: the first is the same for one Retry, the second for one Retry and request.
type marks struct{ key, request string }

func (m marks) String() string { return m.key + "." + m.request }

// markSize is the length of each half in bytes.
const markSize = 16

// mark returns the marks of r.Retry under a key of the master secret, so that a reader of the ledger learns nothing of them.
func (s *Service) mark(r Request) marks {
	key := channel.DeriveKey(s.Master, "retry")
	mac := hmac.New(sha256.New, key[:])
	writeFields(mac, r.Retry.Scope, r.Retry.Key)
	first := mac.Sum(nil)[:markSize]
	request := sha256.New()
	writeFields(request, r.action(), r.URL, string(r.Payload))
	if r.Operator != "" {
		writeFields(request, r.Operator)
	}
	mac.Write(request.Sum(nil))
	second := mac.Sum(nil)[:markSize]
	return marks{base64.RawURLEncoding.EncodeToString(first), base64.RawURLEncoding.EncodeToString(second)}
}

// writeFields writes each field behind its length, so that no two lists of fields write the same bytes.
func writeFields(w hash.Hash, fields ...string) {
	for _, f := range fields {
		w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(f))))
		w.Write([]byte(f))
	}
}

// retryReused reports whether the request's Retry stands in a message up to head. The tap itself is not recorded up to there, so
// that message is another request's. The error is errGrown when it stands in a newer one, which may be this very request's.
func (s *Service) retryReused(ctx context.Context, r Request, head ledger.Entry) (bool, error) {
	if r.Retry == nil {
		return false, nil
	}
	taps := head.Message.Channel()
	if err := s.Registry.SyncChannel(ctx, taps); err != nil {
		return false, fmt.Errorf("looking up the request: %w", err)
	}
	number, found, err := s.Registry.Retry(ctx, taps, s.mark(r).key)
	if err != nil {
		return false, fmt.Errorf("looking up the request: %w", err)
	}
	if found && number > head.Message.Number() {
		return false, errGrown
	}
	return found, nil
}

// answerUsed answers for a counter that is used up: with the first answer again when this very request used it, whatever became
// of the card since.
func (s *Service) answerUsed(ctx context.Context, t tap.URL, v Verdict, r Request, head ledger.Entry) (Verdict, error) {
	decided, err := s.decidedBy(ctx, head, t.Counter)
	if err != nil {
		return v, err
	}
	if v.Code == AlreadyUsed {
		v = v.explain(t, decided)
	}
	found, recorded := tapIn(decided, t)
	if r.Retry == nil || !recorded || found.Retry == "" {
		return v, nil
	}
	mine := s.mark(r)
	if found.Retry == mine.String() {
		return s.replay(ctx, v, found, decided)
	}
	if len(found.Retry) > len(mine.key) && found.Retry[:len(mine.key)] == mine.key {
		return v.refuse(RetryMismatch), nil
	}
	return v, nil
}

// replay gives the first answer again. The receipt is made anew: what the ledger holds does not change.
func (s *Service) replay(ctx context.Context, v Verdict, found record.Tap, e ledger.Entry) (Verdict, error) {
	receipt, err := ledger.Record(ctx, s.Ledger, e.Message) // identical bytes: the first receipt
	if err != nil {
		return v, fmt.Errorf("finding the first receipt: %w", err)
	}
	v = v.recorded(e.Message, receipt)
	v.Skipped, v.Replayed = found.Skipped, true
	return v, nil
}

// sign makes the record of the tap as the message after head. The salt makes the message of each request another: of two
// requests for one tap in the same millisecond the ledger would else take the second for the first one sent again.
func (s *Service) sign(t tap.URL, v Verdict, r Request, d Decision, head ledger.Entry) (channel.Message, error) {
	author, err := s.Authors.Taps(v.Card.Issuer, v.Card.ID)
	if err != nil {
		return channel.Message{}, fmt.Errorf("taps of card %v cannot be recorded here: %w", v.Card.ID, err)
	}
	if author.Channel() != v.Card.Taps {
		return channel.Message{}, fmt.Errorf("card %v has its channel with another installation: its taps cannot be recorded here", v.Card.ID)
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(s.Random, salt); err != nil {
		return channel.Message{}, fmt.Errorf("reading random salt: %w", err)
	}
	before, err := headOf(head)
	if err != nil {
		return channel.Message{}, err
	}
	body := record.Tap{
		ID: t.ID, Counter: record.Counter(t.Counter), Signature: t.CanonicalSignature(v.Card.Key.Algorithm()),
		Alg: v.Card.Key.Algorithm().String(), Action: r.action(), Last: t.Counter, State: before.State, Settings: before.Settings,
		Payload: d.Payload, Operator: d.Operator, Skipped: v.Skipped, Salt: salt,
	}
	if r.Retry != nil {
		body.Retry = s.mark(r).String()
	}
	encoded, err := body.Encode()
	if err != nil {
		return channel.Message{}, fmt.Errorf("%w: %w", errPayload, err) // all else in the body was checked before
	}
	return author.Sign(channel.Draft{Number: head.Message.Number() + 1, Prev: head.Message.Hash(), Time: s.Now(), Body: encoded})
}
