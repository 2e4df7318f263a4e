package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/productid/productid/pkg/channel"
)

// Phase says how far the recording of a message is. Later phases are greater.
// Text form: taken, final, witnessed, anchored. The zero Phase is none.
type Phase uint8

// The phases, in order.
const (
	// Taken: the ledger has the message, and nothing is decided.
	Taken Phase = iota + 1
	// Final: the number belongs to this message for good, as the ledger has it.
	Final
	// Witnessed: independent witnesses have cosigned a checkpoint that covers it.
	Witnessed
	// Anchored: such a checkpoint is recorded on another ledger.
	Anchored
)

var phaseNames = [...]string{Taken: "taken", Final: "final", Witnessed: "witnessed", Anchored: "anchored"}

// String returns the text form.
func (p Phase) String() string {
	if p == 0 || int(p) >= len(phaseNames) {
		return fmt.Sprintf("phase(%d)", uint8(p))
	}
	return phaseNames[p]
}

// MarshalText returns the text form.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Phase) UnmarshalText(text []byte) error {
	i := slices.Index(phaseNames[:], string(text))
	if i < int(Taken) {
		return fmt.Errorf("unknown phase %.20q", text)
	}
	*p = Phase(i)
	return nil
}

// Position is a place between two entries of a ledger: Index is that of the next
// entry, or lies between the last one's and it. Zero is the beginning. Positions of
// one ledger compare; those of two have nothing in common. Text form: decimal.
type Position struct{ Index uint64 }

// String returns the text form.
func (p Position) String() string { return strconv.FormatUint(p.Index, 10) }

// MarshalText returns the text form.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Position) UnmarshalText(text []byte) error {
	i, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("ledger position: %w", err)
	}
	p.Index = i
	return nil
}

// Entry is a message as a ledger recorded it.
type Entry struct {
	Message channel.Message
	// Time is when the ledger recorded it by its own clock, in UTC and
	// milliseconds. It never goes down in the ledger's order.
	Time time.Time
	// Index is the entry's place in the ledger's order. In a log it is the leaf's
	// number, without gaps; elsewhere it only grows.
	Index uint64
}

// Receipt returns the receipt of the entry.
func (e Entry) Receipt(origin string, phase Phase, proof Proof) Receipt {
	return Receipt{
		Ledger:  origin,
		Channel: e.Message.Channel(),
		Number:  e.Message.Number(),
		Hash:    e.Message.Hash(),
		Index:   e.Index,
		Time:    e.Time,
		Phase:   phase,
		Proof:   proof,
	}
}

// Receipt is what a ledger says about a message that it accepted. By itself it
// is a claim; Policy.Verify makes the same receipt out of message and proof.
type Receipt struct {
	Ledger  string       `json:"ledger"` // origin
	Channel channel.ID   `json:"channel"`
	Number  uint64       `json:"number"`
	Hash    channel.Hash `json:"hash"`
	Index   uint64       `json:"index"` // as in Entry; 0 before Final
	Time    time.Time    `json:"time"`  // as in Entry; of the submission before Final
	Phase   Phase        `json:"phase"`
	Proof   Proof        `json:"proof,omitzero"` // zero before Final
}

// Place says in words where on its ledger the message stands: as which leaf of a
// log, or under which milestone.
func (r Receipt) Place() string {
	if r.Proof.Kind == KindStardust {
		return fmt.Sprintf("block %d of milestone %d of %s", uint32(r.Index), r.Index>>32, r.Ledger)
	}
	return fmt.Sprintf("leaf %d of %s", r.Index, r.Ledger)
}

// Proof is what proves a recorded message to somebody with a Policy. In JSON:
// {"kind", "text"}.
type Proof struct {
	Kind string // format of Text: KindTlog or KindStardust
	Text []byte // UTF-8
}

// KindTlog is the kind of proofs in the C2SP tlog-proof format: see LogProof.
const KindTlog = "tlog"

type proofJSON struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// IsZero reports whether this is no proof at all.
func (p Proof) IsZero() bool { return p.Kind == "" && len(p.Text) == 0 }

// checkForm returns ErrInvalidProof for a proof of a known kind whose text is none.
func (p Proof) checkForm() (err error) {
	switch p.Kind {
	case KindTlog:
		_, err = ParseLogProof(p.Text)
	case KindStardust:
		_, err = ParseStardustProof(p.Text)
	}
	return err
}

// MarshalJSON returns the proof with its text as it is.
func (p Proof) MarshalJSON() ([]byte, error) {
	if !utf8.Valid(p.Text) {
		return nil, fmt.Errorf("text of the proof is not UTF-8: %w", ErrInvalidProof)
	}
	return json.Marshal(proofJSON{p.Kind, string(p.Text)})
}

// UnmarshalJSON reads the proof strictly; whether it holds is for Policy.Verify.
func (p *Proof) UnmarshalJSON(data []byte) error {
	var v proofJSON
	if err := unmarshalMembers(data, member{"kind", &v.Kind}, member{"text", &v.Text}); err != nil {
		return fmt.Errorf("reading proof: %w", err)
	}
	*p = Proof{v.Kind, []byte(v.Text)}
	return nil
}

// Info describes a ledger.
type Info struct {
	Kind        string `json:"kind"`                  // memory, tlog, stardust
	Origin      string `json:"origin"`                // names this ledger in receipts and policies
	VerifierKey string `json:"verifierKey,omitempty"` // for the policy of who trusts it; of a log: LogKey.Key
	Size        uint64 `json:"size"`                  // number of final entries
	MaxMessage  int    `json:"maxMessage"`            // bytes
	Highest     Phase  `json:"highest"`               // what Await can wait for
	Uniqueness  string `json:"uniqueness"`            // in words: who enforces that a number is taken once
	Retention   string `json:"retention"`             // in words: how long messages and proofs can be had
	Finality    string `json:"finality"`              // in words: when a message is final
	// Warnings say, each in one line, what whoever runs the ledger should see to.
	Warnings []string `json:"warnings,omitempty"`
}

// Conflict refuses a message whose number another message holds for good. It is
// always returned as a pointer, for errors.As.
type Conflict struct {
	Winner Entry // what holds the number
}

// Error says which message holds the number since when.
func (c *Conflict) Error() string {
	m := c.Winner.Message
	return fmt.Sprintf("number %d of channel %s is taken by message %s, recorded %s",
		m.Number(), m.Channel(), m.Hash(), c.Winner.Time.Format(time.RFC3339))
}
