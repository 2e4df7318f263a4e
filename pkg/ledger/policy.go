package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
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
	Logs []LogKey `json:"logs,omitempty"`
	// Witnesses are verifier keys of C2SP tlog-cosignature, and Quorum is how many of
	// them must have cosigned the checkpoint of a log's proof; 0 asks for none.
	Witnesses []string `json:"witnesses,omitempty"`
	Quorum    int      `json:"quorum,omitempty"`
	// Coordinators are those of Stardust networks. One that changed its keys has an
	// entry for each set of them.
	Coordinators []Coordinator `json:"coordinators,omitempty"`
	// Issuers are the channels of those who are trusted to register cards. Verify
	// does not look at them: what a message says is for package record.
	Issuers []channel.ID `json:"issuers,omitempty"`
}

// LogKey is one log that a verifier trusts to record each number of a channel
// once. A log that changed its key has one entry for each.
type LogKey struct {
	Origin string `json:"origin"` // first line of the log's checkpoints
	Key    string `json:"key"`    // note verifier key: <name>+<hash>+<base64>
}

// Coordinator is whom a verifier trusts to decide, with his milestones, what a
// Stardust network's ledger applied.
type Coordinator struct {
	Network   string   `json:"network"`   // the network's name
	Keys      []string `json:"keys"`      // Ed25519 public keys, 64 hexadecimal digits in lower case
	Threshold int      `json:"threshold"` // how many of them sign a milestone at least
}

// UnmarshalJSON reads a policy strictly: a member that it does not know could be
// one that restricts what is trusted. Members that are not there are zero.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var read Policy
	err := unmarshalSome(data, member{"logs", &read.Logs}, member{"witnesses", &read.Witnesses}, member{"quorum", &read.Quorum},
		member{"coordinators", &read.Coordinators}, member{"issuers", &read.Issuers})
	if err != nil {
		return fmt.Errorf("reading policy: %w", err)
	}
	*p = read
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

// UnmarshalJSON reads a coordinator strictly.
func (c *Coordinator) UnmarshalJSON(data []byte) error {
	var read Coordinator
	err := unmarshalMembers(data, member{"network", &read.Network}, member{"keys", &read.Keys}, member{"threshold", &read.Threshold})
	if err != nil {
		return fmt.Errorf("reading coordinator: %w", err)
	}
	*c = read
	return nil
}

// ParsePolicy reads a policy from JSON and checks it as Check does.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	if err := json.Unmarshal(data, &p); err != nil {
		return Policy{}, err
	}
	if err := p.Check(); err != nil {
		return Policy{}, fmt.Errorf("reading policy: %w", err)
	}
	return p, nil
}

// Check reports what makes the policy one that nobody can mean: no ledger that it
// trusts, keys that are none or stand there twice under two names, a quorum or
// threshold out of reach.
func (p Policy) Check() error {
	if len(p.Logs) == 0 && len(p.Coordinators) == 0 {
		return fmt.Errorf("it trusts no log and no coordinator")
	}
	for _, k := range p.Logs {
		if _, err := note.NewVerifier(k.Key); err != nil {
			return fmt.Errorf("key of log %q: %w", k.Origin, err)
		}
	}
	witnesses, err := parseWitnesses(p.Witnesses)
	if err != nil {
		return err
	}
	for _, w := range witnesses {
		if p.isLog(w.public) {
			return fmt.Errorf("witness %q has the key of a log: it would witness for itself", w.name)
		}
	}
	if p.Quorum < 0 || p.Quorum > len(witnesses) {
		return fmt.Errorf("quorum of %d among %d witnesses", p.Quorum, len(witnesses))
	}
	for _, c := range p.Coordinators {
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

// isLog reports whether a log of the policy has this key, whatever its name for it.
func (p Policy) isLog(public ed25519.PublicKey) bool {
	for _, k := range p.Logs {
		parts := strings.SplitN(k.Key, "+", 3)
		typed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
		if err == nil && len(typed) > 0 && bytes.Equal(typed[1:], public) {
			return true
		}
	}
	return false
}

func (c Coordinator) check() error {
	keys, err := c.keys()
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		seen[string(k)] = true
	}
	if c.Network == "" || len(seen) != len(keys) || c.Threshold < 1 || c.Threshold > len(keys) {
		return fmt.Errorf("coordinator of network %q: no name, a key twice, or a threshold of %d among %d keys", c.Network, c.Threshold, len(keys))
	}
	return nil
}

func (c Coordinator) keys() ([]ed25519.PublicKey, error) {
	keys := make([]ed25519.PublicKey, len(c.Keys))
	for i, text := range c.Keys {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize || hex.EncodeToString(key) != text {
			return nil, fmt.Errorf("coordinator of network %q: key %.100q is not 64 hexadecimal digits in lower case", c.Network, text)
		}
		keys[i] = key
	}
	return keys, nil
}

// Verify reports whether the proof shows that a ledger of the policy recorded the
// message, and returns the receipt that this amounts to: Witnessed for a log's proof
// where the policy asks for a quorum, else Final. It returns ErrInvalidProof
// otherwise. It needs no network, no clock and no ledger. That the message is
// genuine, the Message type says; that no other message has its number, the policy
// trusts the ledger with.
func (p Policy) Verify(m channel.Message, proof Proof) (Receipt, error) {
	if m.IsZero() {
		return Receipt{}, fmt.Errorf("no message: %w", ErrInvalidProof)
	}
	switch proof.Kind {
	case KindTlog:
		return p.verifyLog(m, proof)
	case KindStardust:
		return p.verifyStardust(m, proof)
	}
	return Receipt{}, fmt.Errorf("proof of unknown kind %.20q: %w", proof.Kind, ErrInvalidProof)
}

// verifyLog is Verify for a proof of kind KindTlog.
func (p Policy) verifyLog(m channel.Message, proof Proof) (Receipt, error) {
	parsed, err := ParseLogProof(proof.Text)
	if err != nil {
		return Receipt{}, err
	}
	checkpoint, phase, err := p.Checkpoint(parsed.Checkpoint)
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
	return entry.Receipt(checkpoint.Origin, phase, proof), nil
}

// witnessed returns the phase that the cosignatures of a checkpoint amount to.
func (p Policy) witnessed(checkpoint []byte) (Phase, error) {
	if p.Quorum <= 0 {
		return Final, nil
	}
	found, err := Cosignatures(checkpoint, p.Witnesses...)
	if err != nil {
		return 0, err
	}
	if len(found) < p.Quorum {
		return 0, fmt.Errorf("checkpoint has %d of %d cosignatures that the policy asks for: %w", len(found), p.Quorum, ErrInvalidProof)
	}
	return Witnessed, nil
}

// Checkpoint opens the signed checkpoint of a log that the policy trusts and says how
// far it is, as Verify does: for who checks many leaves under one. It returns
// ErrInvalidProof.
func (p Policy) Checkpoint(text []byte) (Checkpoint, Phase, error) {
	c, err := p.checkpoint(text)
	if err != nil {
		return Checkpoint{}, 0, err
	}
	phase, err := p.witnessed(text)
	if err != nil {
		return Checkpoint{}, 0, err
	}
	return c, phase, nil
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
