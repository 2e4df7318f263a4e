package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

var update = flag.Bool("update", false, "write testdata/vectors/stardust.json and log.json anew")

// proofVectors is a file of proofs, each with the policy that it is verified under.
type proofVectors struct {
	Format   string                   `json:"format"`
	Policies map[string]ledger.Policy `json:"policies"`
	Proofs   []proofVector            `json:"proofs"`
}

type proofVector struct {
	Name    string `json:"name"`
	Policy  string `json:"policy"`
	Message string `json:"message"` // hexadecimal
	Kind    string `json:"kind"`
	Text    string `json:"text"`
	Expect  string `json:"expect"` // ok or invalid_proof
	// What a good proof amounts to.
	Ledger string `json:"ledger,omitempty"`
	Index  uint64 `json:"index,omitempty"`
	UnixMs int64  `json:"unixMs,omitempty"`
	Phase  string `json:"phase,omitempty"`
	Alias  string `json:"alias,omitempty"`
}

// add verifies a proof and adds it with what came out.
func (v *proofVectors) add(t *testing.T, name, policy string, m channel.Message, proof ledger.Proof, good bool) {
	t.Helper()
	row := proofVector{Name: name, Policy: policy, Message: hex.EncodeToString(m.Bytes()), Kind: proof.Kind, Text: string(proof.Text), Expect: "invalid_proof"}
	receipt, err := v.Policies[policy].Verify(m, proof)
	if good {
		require.NoError(t, err, name)
		row.Expect, row.Ledger, row.Index = "ok", receipt.Ledger, receipt.Index
		row.UnixMs, row.Phase = receipt.Time.UnixMilli(), receipt.Phase.String()
		if proof.Kind == ledger.KindStardust {
			row.Alias = aliasOf(t, m, proof).String()
		}
	} else {
		require.ErrorIs(t, err, ledger.ErrInvalidProof, name)
	}
	v.Proofs = append(v.Proofs, row)
}

func aliasOf(t *testing.T, m channel.Message, proof ledger.Proof) stardust.Hash {
	parsed, err := ledger.ParseStardustProof(proof.Text)
	require.NoError(t, err)
	state, err := parsed.Open(m)
	require.NoError(t, err)
	return state.Alias.ID
}

// golden compares with the file, or writes it.
func (v proofVectors) golden(t *testing.T, name string) {
	text, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	text = append(text, '\n')
	if *update {
		require.NoError(t, os.WriteFile("../../testdata/vectors/"+name, text, 0o644))
	}
	have, err := os.ReadFile("../../testdata/vectors/" + name)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(have, text), "%s is not what this test writes; -update writes it anew", name)
}

// stardustPolicies are the policies of stardust.json.
func stardustPolicies() map[string]ledger.Policy {
	stranger := stardusttest.Key(9)
	renamed := coordinator(2, coordinators...)
	renamed.Coordinators[0].Network = "another network"
	rotated := coordinator(1, stranger)
	rotated.Coordinators = append(rotated.Coordinators, coordinator(2, coordinators...).Coordinators...)
	return map[string]ledger.Policy{
		"both keys":           coordinator(2, coordinators...),
		"one of two keys":     coordinator(1, coordinators...),
		"three of three keys": coordinator(3, append(coordinators[:2:2], stranger)...),
		"a stranger's key":    coordinator(1, stranger),
		"old and new keys":    rotated,
		"another network":     renamed,
	}
}

func TestStardustVectors(t *testing.T) {
	v := proofVectors{Format: "proofs v1", Policies: stardustPolicies()}
	good(t, &v)
	c := newOnStardust(1)
	c.record(t, "first")
	m, proof := c.record(t, "second")
	for _, row := range [][2]string{{"too few signatures", "three of three keys"}, {"signed by nobody trusted", "a stranger's key"}, {"network that the policy does not name", "another network"}} {
		v.add(t, row[0], row[1], m, proof.Proof(), false)
	}
	badTexts(t, &v, m, proof)
	badObjects(t, &v, m, proof)
	badMilestones(t, &v)
	badStates(t, &v)
	v.golden(t, "stardust.json")
}

// good adds proofs that hold.
func good(t *testing.T, v *proofVectors) {
	c := newOnStardust(1)
	m, proof := c.record(t, "first")
	v.add(t, "number 0 creates the alias", "both keys", m, proof.Proof(), true)
	m, proof = c.record(t, "second")
	v.add(t, "number 1 is the author's step", "both keys", m, proof.Proof(), true)
	v.add(t, "more signatures than asked for", "one of two keys", m, proof.Proof(), true)
	v.add(t, "a second coordinator of the network signed", "old and new keys", m, proof.Proof(), true)

	c.chain.Edit = func(e *iotago.TransactionEssence) {
		e.Inputs = append(e.Inputs, &iotago.UTXOInput{TransactionID: iotago.TransactionID{9}, TransactionOutputIndex: 127})
		rest := &iotago.BasicOutput{Amount: 1, Conditions: iotago.UnlockConditions{&iotago.AddressUnlockCondition{Address: stardusttest.Address(stardustOwner.Public)}}}
		e.Outputs = iotago.Outputs{rest, e.Outputs[0]}
	}
	m, proof = c.record(t, "third")
	v.add(t, "two inputs, one referred to, and the alias second", "both keys", m, proof.Proof(), true)

	m, proof = newOnStardust(3).recordAt(t, "first of eight", 0, 8)
	v.add(t, "the first of eight blocks, with the least size", "both keys", m, proof.Proof(), true)
	eight := ledger.Proof{Kind: ledger.KindStardust, Text: bytes.Replace(proof.Marshal(), []byte("size 5"), []byte("size 8"), 1)}
	v.add(t, "size that is not the least", "both keys", m, eight, false)

	c = newOnStardust(2)
	m, proof = c.record(t, "alone")
	proof.Path = stardust.Path{Size: 1}
	alone := stardusttest.Blocks(proof.Block, 0, 1)
	proof.Milestone = stardusttest.Milestone(t, 1, milestoneTime, alone, func(m *iotago.Milestone) {
		m.Metadata = []byte("says nothing")
		m.Opts = iotago.MilestoneOpts{&iotago.ProtocolParamsMilestoneOpt{TargetMilestoneIndex: 9, ProtocolVersion: 3, Params: []byte("parameters")}}
	}, append(coordinators[:2:2], stardusttest.Key(9))...)
	v.add(t, "the only block applied, under a milestone with metadata, option and a stranger's signature", "both keys", m, proof.Proof(), true)
}

// badTexts adds texts that are no proof.
func badTexts(t *testing.T, v *proofVectors, m channel.Message, proof ledger.StardustProof) {
	text := string(proof.Marshal())
	header, rest, _ := strings.Cut(text, "\n")
	header += "\n"
	hash := strings.Split(text, "\n")[3] + "\n"
	for _, row := range [][2]string{
		{"empty text", ""},
		{"header of another version", strings.Replace(text, "@v1", "@v2", 1)},
		{"carriage returns", strings.ReplaceAll(text, "\n", "\r\n")},
		{"no empty line", strings.Replace(text, "\n\n", "\n", 1)},
		{"no line break at the end", strings.TrimSuffix(text, "\n")},
		{"a line after the block", text + "\n"},
		{"index with a leading zero", strings.Replace(text, "index 4", "index 04", 1)},
		{"index of more than 32 bits", strings.Replace(text, "index 4", "index 4294967300", 1)},
		{"base64 without padding", strings.Replace(text, hash, strings.Replace(hash, "=", "", 1), 1)},
		{"base64url", header + strings.NewReplacer("/", "_", "+", "-").Replace(rest)},
	} {
		v.add(t, row[0], "both keys", m, ledger.Proof{Kind: ledger.KindStardust, Text: []byte(row[1])}, false)
	}
}

// badObjects adds proofs whose parts are changed or do not belong together.
func badObjects(t *testing.T, v *proofVectors, m channel.Message, proof ledger.StardustProof) {
	other, otherProof := newOnStardust(2).record(t, "other")
	add := func(name string, m channel.Message, edit func(*ledger.StardustProof)) {
		p := proof
		p.Path.Hashes = append([]stardust.Hash{}, proof.Path.Hashes...)
		edit(&p)
		v.add(t, name, "both keys", m, p.Proof(), false)
	}
	add("message of another channel", other, func(*ledger.StardustProof) {})
	add("block of another channel", m, func(p *ledger.StardustProof) { p.Block = otherProof.Block })
	add("milestone that did not apply the block", m, func(p *ledger.StardustProof) { p.Milestone = otherProof.Milestone })
	add("a byte after the block", m, func(p *ledger.StardustProof) { p.Block = append(bytes.Clone(p.Block), 0) })
	add("a byte after the milestone", m, func(p *ledger.StardustProof) { p.Milestone = append(bytes.Clone(p.Milestone), 0) })
	add("block cut short", m, func(p *ledger.StardustProof) { p.Block = p.Block[:len(p.Block)-1] })
	add("milestone cut short", m, func(p *ledger.StardustProof) { p.Milestone = p.Milestone[:len(p.Milestone)-1] })
	add("another index", m, func(p *ledger.StardustProof) { p.Path.Index-- })
	add("index beyond the size", m, func(p *ledger.StardustProof) { p.Path.Index = p.Path.Size })
	add("a hash of the path changed", m, func(p *ledger.StardustProof) { p.Path.Hashes[0][31] ^= 1 })
	add("a hash of the path missing", m, func(p *ledger.StardustProof) { p.Path.Hashes = p.Path.Hashes[1:] })
	add("a hash of the path too many", m, func(p *ledger.StardustProof) { p.Path.Hashes = append(p.Path.Hashes, stardust.Hash{}) })
	add("a signature of the milestone changed", m, func(p *ledger.StardustProof) {
		p.Milestone = bytes.Clone(p.Milestone)
		p.Milestone[len(p.Milestone)-1] ^= 1
	})
}

// badMilestones adds proofs under milestones that do not count.
func badMilestones(t *testing.T, v *proofVectors) {
	for _, row := range []struct {
		name string
		edit func(*iotago.Milestone)
	}{
		{"referred to by the milestone, and not applied", func(m *iotago.Milestone) {
			m.InclusionMerkleRoot, m.AppliedMerkleRoot = m.AppliedMerkleRoot, m.InclusionMerkleRoot
		}},
		{"milestone of another protocol version", func(m *iotago.Milestone) { m.ProtocolVersion = 3 }},
	} {
		c := newOnStardust(1)
		m, proof := c.record(t, "first")
		proof.Milestone = stardusttest.Milestone(t, 50, milestoneTime, stardusttest.Blocks(proof.Block, 4, 6), row.edit, coordinators...)
		v.add(t, row.name, "both keys", m, proof.Proof(), false)
	}
	// One key's signature twice: what would be counted as two.
	m, proof := newOnStardust(1).record(t, "first")
	milestone := stardusttest.Milestone(t, 50, milestoneTime, stardusttest.Blocks(proof.Block, 4, 6), nil, coordinators[0])
	proof.Milestone = append(milestone, milestone[len(milestone)-97:]...)
	proof.Milestone[len(milestone)-98] = 2
	v.add(t, "one signature of the milestone twice", "both keys", m, proof.Proof(), false)
}

// badStates adds applied transactions that do not make the channel's state.
func badStates(t *testing.T, v *proofVectors) {
	for _, row := range statesThatProveNothing() {
		c := newOnStardust(1)
		for range row.number {
			c.record(t, "before")
		}
		c.chain.Edit = row.edit
		m, proof := c.record(t, "body")
		v.add(t, row.name, "both keys", m, proof.Proof(), false)
	}
	c := newOnStardust(1)
	c.record(t, "first")
	c.chain.Author = stardustOwner
	c.chain.Edit = func(e *iotago.TransactionEssence) {
		e.Outputs[0].(*iotago.AliasOutput).Conditions[0] = &iotago.StateControllerAddressUnlockCondition{Address: stardusttest.Address(authorKey(c))}
	}
	m, proof := c.record(t, "second")
	v.add(t, "step that the author did not sign", "both keys", m, proof.Proof(), false)
}

// TestLogVectors writes proofs of a log, with cosignatures and without.
func TestLogVectors(t *testing.T) {
	s, other, one, two, stranger := signer(t, signerKey), signer(t, witnessKey), witness(t, 7), witness(t, 8), witness(t, 9)
	asks := func(quorum int, witnesses ...ledger.WitnessSigner) ledger.Policy {
		p := policy(s)
		p.Quorum = quorum
		for _, w := range witnesses {
			p.Witnesses = append(p.Witnesses, w.VerifierKey())
		}
		return p
	}
	v := proofVectors{Format: "proofs v1", Policies: map[string]ledger.Policy{
		"the log":          policy(s),
		"another log":      policy(other),
		"one of two":       asks(1, one, two),
		"two of two":       asks(2, one, two),
		"nobody is asked":  asks(0, one, two),
		"coordinator only": coordinator(2, coordinators...),
	}}
	m := message(t, 7, "body")
	plain := proved(t, m, s)
	cosigned := func(witnesses ...ledger.WitnessSigner) ledger.Proof {
		return ledger.Proof{Kind: ledger.KindTlog, Text: cosign(t, plain.Text, witnesses...)}
	}
	edited := func(old, new string) ledger.Proof {
		text := string(cosigned(one).Text)
		require.Contains(t, text, old)
		return ledger.Proof{Kind: ledger.KindTlog, Text: []byte(strings.Replace(text, old, new, 1))}
	}
	for _, row := range []struct {
		name, policy string
		proof        ledger.Proof
		good         bool
	}{
		{"signed by the log", "the log", plain, true},
		{"cosigned, and nobody is asked", "nobody is asked", cosigned(one), true},
		{"cosigned by one", "one of two", cosigned(two), true},
		{"cosigned by both and a stranger", "two of two", cosigned(stranger, two, one), true},
		{"signed by another log", "another log", plain, false},
		{"policy without a log", "coordinator only", plain, false},
		{"no cosignature", "one of two", plain, false},
		{"cosigned by a stranger", "one of two", cosigned(stranger), false},
		{"cosigned by one of two", "two of two", cosigned(one, stranger), false},
		{"cosigned by one twice", "two of two", cosigned(one, one), false},
		{"cosignature under another witness' name", "one of two", edited("— witness7", "— witness8"), false},
		{"not signed by the log", "one of two", ledger.Proof{Kind: ledger.KindTlog, Text: cosign(t, proved(t, m, other).Text, one)}, false},
		{"another index", "the log", edited("index 2", "index 1"), false},
		{"another time", "the log", edited("extra AAAB", "extra AAAA"), false},
		{"as a Stardust proof", "the log", ledger.Proof{Kind: ledger.KindStardust, Text: plain.Text}, false},
		{"of an unknown kind", "the log", ledger.Proof{Kind: "oracle", Text: plain.Text}, false},
	} {
		v.add(t, row.name, row.policy, m, row.proof, row.good)
	}
	v.add(t, "another message", "the log", message(t, 7, "ydob"), plain, false)
	v.golden(t, "log.json")
}
