package vectors

import (
	"encoding/json"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

type proofFile struct {
	Policies map[string]ledger.Policy
	Proofs   []proofVector
}

type proofVector struct {
	Name, Policy, Kind, Text, Expect string
	Message                          hexText
	Ledger, Alias                    string
	Index                            uint64
	UnixMs                           int64
	Phase                            ledger.Phase
}

// proofs runs the vectors of messages proved by ledgers.
func (t *Tally) proofs(text []byte) error {
	var file proofFile
	if err := json.Unmarshal(text, &file); err != nil {
		return malformed(err)
	}
	for _, v := range file.Proofs {
		t.compare(v.Name, v.Expect, v.run(file.Policies[v.Policy]))
	}
	return nil
}

func (v proofVector) run(p ledger.Policy) string {
	m, err := channel.Parse(v.Message)
	if err != nil {
		return channel.Class(err)
	}
	receipt, err := p.Verify(m, ledger.Proof{Kind: v.Kind, Text: []byte(v.Text)})
	if err != nil {
		return "invalid_proof"
	}
	if receipt.Ledger != v.Ledger || receipt.Index != v.Index || receipt.Time.UnixMilli() != v.UnixMs || receipt.Phase != v.Phase || v.alias(m) != v.Alias {
		return different
	}
	return channel.Class(nil)
}

// alias names the alias that a Stardust proof puts the message on.
func (v proofVector) alias(m channel.Message) string {
	if v.Kind != ledger.KindStardust {
		return ""
	}
	proof, err := ledger.ParseStardustProof([]byte(v.Text))
	if err != nil {
		return err.Error()
	}
	state, err := proof.Open(m)
	if err != nil {
		return err.Error()
	}
	return state.Alias.ID.String()
}
