package ledger

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
)

// Policy is what a verifier trusts, as he decides it himself: a proof is worth as
// much as the policy that it is verified under. The zero Policy trusts nothing.
type Policy struct {
	Logs []LogKey `json:"logs"`
}

// LogKey is one log that a verifier trusts to record each number of a channel
// once. A log that changed its key has one entry for each.
type LogKey struct {
	Origin string `json:"origin"` // first line of the log's checkpoints
	Key    string `json:"key"`    // note verifier key: <name>+<hash>+<base64>
}

// UnmarshalJSON reads a policy strictly: a member that it does not know could be
// one that restricts what is trusted.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var read struct{ logs []LogKey }
	if err := unmarshalMembers(data, member{"logs", &read.logs}); err != nil {
		return fmt.Errorf("reading policy: %w", err)
	}
	*p = Policy{read.logs}
	return nil
}

// UnmarshalJSON reads a log key strictly.
func (k *LogKey) UnmarshalJSON(data []byte) error {
	var read LogKey
	if err := unmarshalMembers(data, member{"origin", &read.Origin}, member{"key", &read.Key}); err != nil {
		return fmt.Errorf("reading log key: %w", err)
	}
	*k = read
	return nil
}

// ParsePolicy reads a policy from JSON and checks that its keys are keys.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	if err := json.Unmarshal(data, &p); err != nil {
		return Policy{}, err
	}
	for _, k := range p.Logs {
		if _, err := note.NewVerifier(k.Key); err != nil {
			return Policy{}, fmt.Errorf("reading policy: key of log %q: %w", k.Origin, err)
		}
	}
	return p, nil
}

// Verify reports whether the proof shows that a ledger of the policy recorded the
// message, and returns the receipt that this amounts to. It returns
// ErrInvalidProof otherwise. It needs no network, no clock and no ledger. That the
// message is genuine, the Message type says; that no other message has its number,
// the policy trusts the ledger with.
func (p Policy) Verify(m channel.Message, proof Proof) (Receipt, error) {
	if m.IsZero() {
		return Receipt{}, fmt.Errorf("no message: %w", ErrInvalidProof)
	}
	if proof.Kind != KindTlog {
		return Receipt{}, fmt.Errorf("proof of unknown kind %.20q: %w", proof.Kind, ErrInvalidProof)
	}
	parsed, err := ParseLogProof(proof.Text)
	if err != nil {
		return Receipt{}, err
	}
	checkpoint, err := p.checkpoint(parsed.Checkpoint)
	if err != nil {
		return Receipt{}, err
	}
	logTime, err := parseLogTime(parsed.Extra)
	if err != nil {
		return Receipt{}, fmt.Errorf("extra line of the proof: %w: %w", err, ErrInvalidProof)
	}
	leaf := Leaf{logTime, m.Stub()}
	err = tlog.CheckRecord(parsed.Hashes, int64(checkpoint.Size), checkpoint.Root, int64(parsed.Index), leaf.Hash())
	if err != nil {
		return Receipt{}, fmt.Errorf("message %d of channel %s is not leaf %d of log %s: %w",
			m.Number(), m.Channel(), parsed.Index, checkpoint.Origin, ErrInvalidProof)
	}
	entry := Entry{Message: m, Time: logTime, Index: parsed.Index}
	return entry.Receipt(checkpoint.Origin, Final, proof), nil
}

// checkpoint opens a signed checkpoint with the keys that the policy has for its origin.
func (p Policy) checkpoint(text []byte) (Checkpoint, error) {
	origin, _, _ := strings.Cut(string(text), "\n")
	var verifiers []note.Verifier
	for _, k := range p.Logs {
		if k.Origin != origin {
			continue
		}
		v, err := note.NewVerifier(k.Key)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("policy's key of log %q: %w", origin, err)
		}
		verifiers = append(verifiers, v)
	}
	if len(verifiers) == 0 {
		return Checkpoint{}, fmt.Errorf("policy does not trust log %.100q: %w", origin, ErrInvalidProof)
	}
	return ParseCheckpoint(text, origin, verifiers...)
}
