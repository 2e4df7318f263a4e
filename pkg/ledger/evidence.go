package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Evidence is a message with the proof that it is recorded: all that an offline
// check needs beside a Policy. It is the content of a receipt file, in JSON:
// {"message": base64url, "proof": {"kind", "text"}}.
type Evidence struct {
	Message channel.Message `json:"message"`
	Proof   Proof           `json:"proof"`
}

// ParseEvidence reads evidence from JSON strictly. The message is genuine; a
// proof of a known kind has its form. That it holds is for Verify.
func ParseEvidence(data []byte) (Evidence, error) {
	var e Evidence
	if err := json.Unmarshal(data, &e); err != nil {
		return Evidence{}, err
	}
	return e, nil
}

// UnmarshalJSON reads evidence as ParseEvidence does.
func (e *Evidence) UnmarshalJSON(data []byte) error {
	var read Evidence
	if err := unmarshalMembers(data, member{"message", &read.Message}, member{"proof", &read.Proof}); err != nil {
		return fmt.Errorf("reading evidence: %w", err)
	}
	if read.Message.IsZero() {
		return fmt.Errorf("reading evidence: no message: %w", channel.ErrMalformed)
	}
	if err := read.Proof.checkForm(); err != nil {
		return fmt.Errorf("reading evidence: %w", err)
	}
	*e = read
	return nil
}

// Verify checks the evidence as Policy.Verify does.
func (e Evidence) Verify(p Policy) (Receipt, error) { return p.Verify(e.Message, e.Proof) }
