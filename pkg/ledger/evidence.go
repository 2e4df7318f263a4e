package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Evidence is a message with the proof that it is recorded: all that an offline
// check needs beside a Policy. It is the content of a receipt file, in JSON:
// {"message": base64url, "proof": {"kind", "text"}}; of a message whose payload was
// removed with "stub" in the place of "message".
type Evidence struct {
	Message channel.Message
	Proof   Proof
}

// MarshalJSON returns the evidence's JSON. It returns channel.ErrMalformed where there
// is no message.
func (e Evidence) MarshalJSON() ([]byte, error) {
	if e.Message.Removed() {
		return json.Marshal(struct {
			Stub  channel.Stub `json:"stub"`
			Proof Proof        `json:"proof"`
		}{e.Message.Stub(), e.Proof})
	}
	return json.Marshal(struct {
		Message channel.Message `json:"message"`
		Proof   Proof           `json:"proof"`
	}{e.Message, e.Proof})
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
	var stub channel.Stub
	missing, err := unmarshalObject(data, []member{{"message", &read.Message}, {"stub", &stub}, {"proof", &read.Proof}})
	switch {
	case err != nil:
		return fmt.Errorf("reading evidence: %w", err)
	case len(missing) == 1 && missing[0].name == "message":
		read.Message = channel.Tombstone(stub)
	case len(missing) != 1 || missing[0].name != "stub":
		return errors.New("reading evidence: want one of the members message and stub, and proof")
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
