package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

const network = "private network"

var (
	milestoneTime = time.Unix(1790000060, 0).UTC()
	coordinators  = []ed25519.PrivateKey{stardusttest.Key(3), stardusttest.Key(4)}
	stardustOwner = stardusttest.SignerOf(stardusttest.Key(2))
)

// coordinator returns the policy that trusts the network's keys.
func coordinator(threshold int, keys ...ed25519.PrivateKey) ledger.Policy {
	c := ledger.Coordinator{Network: network, Threshold: threshold}
	for _, k := range keys {
		c.Keys = append(c.Keys, hex.EncodeToString(k.Public().(ed25519.PublicKey)))
	}
	return ledger.Policy{Coordinators: []ledger.Coordinator{c}}
}

// onStardust is a channel on a Stardust network.
type onStardust struct {
	author *channel.Author
	chain  stardusttest.Chain
	prev   channel.Hash
	next   uint64
}

func newOnStardust(seed byte) *onStardust {
	author := channel.NewAuthor(channel.Seed{seed}, channel.Public)
	id := author.Channel()
	signer := stardusttest.Signer{Public: id[:], Sign: author.SignDigest}
	return &onStardust{author: author, chain: stardusttest.Chain{Network: network, Channel: id[:], Author: signer, Issuer: stardustOwner}}
}

// authorKey returns the public key of the channel's author.
func authorKey(c *onStardust) ed25519.PublicKey {
	id := c.author.Channel()
	return id[:]
}

func (c *onStardust) sign(t testing.TB, body string) channel.Message {
	m, err := c.author.Sign(channel.Draft{Number: c.next, Prev: c.prev, Time: recorded, Body: []byte(body)})
	require.NoError(t, err)
	c.next, c.prev = c.next+1, m.Hash()
	return m
}

// record makes the next message and the proof that milestone 50 + its number applied it.
func (c *onStardust) record(t testing.TB, body string) (channel.Message, ledger.StardustProof) {
	return c.recordAt(t, body, 4, 6)
}

// recordAt is record with the block in this place among so many.
func (c *onStardust) recordAt(t testing.TB, body string, index, size int) (channel.Message, ledger.StardustProof) {
	m := c.sign(t, body)
	return m, c.prove(t, c.chain.Next(t, m.Bytes()), index, size)
}

func (c *onStardust) prove(t testing.TB, block []byte, index, size int) ledger.StardustProof {
	blocks := stardusttest.Blocks(block, index, size)
	path, err := stardust.NewPath(blocks, index)
	require.NoError(t, err)
	return ledger.StardustProof{Path: path, Block: block,
		Milestone: stardusttest.Milestone(t, 49+uint32(c.next), milestoneTime, blocks, nil, coordinators...)}
}

func TestPolicyVerifiesStardust(t *testing.T) {
	c := newOnStardust(1)
	for n := range uint64(3) {
		m, proof := c.record(t, "body")
		receipt, err := coordinator(2, coordinators...).Verify(m, proof.Proof())
		require.NoError(t, err)
		assert.Equal(t, ledger.Receipt{Ledger: network, Channel: m.Channel(), Number: n, Hash: m.Hash(),
			Index: (50+n)<<32 | 4, Time: milestoneTime, Phase: ledger.Final, Proof: proof.Proof()}, receipt)

		assert.Equal(t, fmt.Sprintf("block 4 of milestone %d of private network", 50+n), receipt.Place())

		state, err := proof.Open(m)
		require.NoError(t, err)
		assert.Equal(t, c.chain.Alias(), state.Alias.ID)
		assert.Equal(t, stardust.AddressOf(stardustOwner.Public), state.Alias.Issuer)
		assert.Equal(t, receipt.Index, state.Index)

		again, err := ledger.ParseStardustProof(proof.Marshal())
		require.NoError(t, err)
		assert.Equal(t, proof, again)
	}
}

// TestProofHasTheLeastSize: the number of blocks is not what a root commits to.
func TestProofHasTheLeastSize(t *testing.T) {
	m, proof := newOnStardust(1).recordAt(t, "body", 0, 8)
	text := string(proof.Marshal())
	require.Contains(t, text, "size 5\n")
	_, err := coordinator(2, coordinators...).Verify(m, proof.Proof())
	require.NoError(t, err)
	for _, size := range []string{"size 6", "size 7", "size 8", "size 4"} {
		_, err := ledger.ParseStardustProof([]byte(strings.Replace(text, "size 5", size, 1)))
		if size != "size 4" {
			assert.ErrorIs(t, err, ledger.ErrInvalidProof, size)
			continue
		}
		_, err = coordinator(2, coordinators...).Verify(m, ledger.Proof{Kind: ledger.KindStardust, Text: []byte(strings.Replace(text, "size 5", size, 1))})
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, size)
	}
}

func TestCoordinatorWithNewKeysHasTwoEntries(t *testing.T) {
	m, proof := newOnStardust(1).record(t, "body")
	both := coordinator(1, stardusttest.Key(9))
	both.Coordinators = append(both.Coordinators, coordinator(2, coordinators...).Coordinators...)
	_, err := both.Verify(m, proof.Proof())
	assert.NoError(t, err)
}

func TestPolicyRefusesStardust(t *testing.T) {
	c := newOnStardust(1)
	m, proof := c.record(t, "body")
	good, other := coordinator(2, coordinators...), newOnStardust(2)
	otherMessage, otherProof := other.record(t, "body")
	otherNetwork := coordinator(2, coordinators...)
	otherNetwork.Coordinators[0].Network += "2"
	bad := coordinator(1, coordinators...)
	bad.Coordinators[0].Keys[0] = "no key"
	otherBlock, otherMilestone, otherPath := proof, proof, proof
	otherBlock.Block, otherMilestone.Milestone = otherProof.Block, otherProof.Milestone
	otherPath.Path.Index--
	for name, row := range map[string]struct {
		policy  ledger.Policy
		message channel.Message
		proof   ledger.Proof
	}{
		"without coordinators":   {ledger.Policy{}, m, proof.Proof()},
		"trusting a log":         {policy(signer(t, signerKey)), m, proof.Proof()},
		"other network":          {otherNetwork, m, proof.Proof()},
		"other keys":             {coordinator(1, stardusttest.Key(9)), m, proof.Proof()},
		"too few keys":           {coordinator(3, append(coordinators[:2:2], stardusttest.Key(9))...), m, proof.Proof()},
		"no threshold":           {coordinator(0, coordinators...), m, proof.Proof()},
		"policy without a key":   {bad, m, proof.Proof()},
		"other channel":          {good, otherMessage, proof.Proof()},
		"other message":          {good, message(t, 0, "ydob"), proof.Proof()},
		"no message":             {good, channel.Message{}, proof.Proof()},
		"other block":            {good, m, otherBlock.Proof()},
		"other block, message":   {good, otherMessage, otherBlock.Proof()},
		"other milestone":        {good, m, otherMilestone.Proof()},
		"other place":            {good, m, otherPath.Proof()},
		"as a log's proof":       {good, m, ledger.Proof{Kind: ledger.KindTlog, Text: proof.Marshal()}},
		"a log's proof":          {good, m, ledger.Proof{Kind: ledger.KindStardust, Text: proved(t, m, signer(t, signerKey)).Text}},
		"nothing":                {good, m, ledger.Proof{Kind: ledger.KindStardust}},
		"milestone and no block": {good, m, ledger.StardustProof{Path: proof.Path, Milestone: proof.Milestone}.Proof()},
		"block and no milestone": {good, m, ledger.StardustProof{Path: proof.Path, Block: proof.Block}.Proof()},
	} {
		_, err := row.policy.Verify(row.message, row.proof)
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
	}
	_, err := good.Verify(m, proof.Proof())
	require.NoError(t, err)
	_, err = proof.Open(channel.Message{})
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
}

// stateThatProvesNothing is a transaction that a milestone applied, with the message
// in it, and that makes no state of the channel.
type stateThatProvesNothing struct {
	name   string
	number uint64 // of the message whose transaction is edited
	edit   func(*iotago.TransactionEssence)
}

func statesThatProveNothing() []stateThatProvesNothing {
	output := func(e *iotago.TransactionEssence) *iotago.AliasOutput { return e.Outputs[0].(*iotago.AliasOutput) }
	stranger := stardusttest.Address(stardusttest.Key(9).Public().(ed25519.PublicKey))
	controlledBy := func(e *iotago.TransactionEssence, a iotago.Address) {
		output(e).Conditions[0] = &iotago.StateControllerAddressUnlockCondition{Address: a}
	}
	issuedBy := func(e *iotago.TransactionEssence, a iotago.Address) {
		output(e).ImmutableFeatures[0] = &iotago.IssuerFeature{Address: a}
	}
	return []stateThatProvesNothing{
		{"state index ahead of the number", 1, func(e *iotago.TransactionEssence) { output(e).StateIndex++ }},
		{"state index behind the number", 1, func(e *iotago.TransactionEssence) { output(e).StateIndex-- }},
		{"state controller is not the author", 1, func(e *iotago.TransactionEssence) { controlledBy(e, stranger) }},
		{"alias of another channel", 1, func(e *iotago.TransactionEssence) {
			output(e).ImmutableFeatures[1] = &iotago.MetadataFeature{Data: make([]byte, 32)}
		}},
		{"alias of no channel", 1, func(e *iotago.TransactionEssence) { output(e).ImmutableFeatures = output(e).ImmutableFeatures[:1] }},
		{"alias without issuer", 1, func(e *iotago.TransactionEssence) { output(e).ImmutableFeatures = output(e).ImmutableFeatures[1:] }},
		{"alias whose issuer is zeros", 1, func(e *iotago.TransactionEssence) { issuedBy(e, &iotago.Ed25519Address{}) }},
		{"state metadata are the message and a byte", 1, func(e *iotago.TransactionEssence) { output(e).StateMetadata = append(output(e).StateMetadata, 0) }},
		{"two outputs have the message", 1, func(e *iotago.TransactionEssence) { e.Outputs = append(e.Outputs, output(e)) }},
		{"transaction for another network", 1, func(e *iotago.TransactionEssence) { e.NetworkID++ }},
		{"number 0 on an alias that was there", 0, func(e *iotago.TransactionEssence) { output(e).AliasID = iotago.AliasID{1} }},
		{"creation that the issuer did not sign", 0, func(e *iotago.TransactionEssence) { issuedBy(e, stranger) }},
		{"payload in the essence", 0, func(e *iotago.TransactionEssence) { e.Payload = &iotago.TaggedData{Tag: []byte("tag")} }},
		{"alias with a foundry", 1, func(e *iotago.TransactionEssence) { output(e).FoundryCounter = 1 }},
		{"input twice", 1, func(e *iotago.TransactionEssence) { e.Inputs = append(e.Inputs, e.Inputs[0]) }},
	}
}

func TestOnlyTheChannelsStateProves(t *testing.T) {
	for _, row := range statesThatProveNothing() {
		c := newOnStardust(1)
		for range row.number {
			c.record(t, "before")
		}
		c.chain.Edit = row.edit
		m, proof := c.record(t, "body")
		_, err := coordinator(2, coordinators...).Verify(m, proof.Proof())
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, row.name)
	}
}

// TestStepNeedsTheAuthorsSignature: a governor's step, and one that the author did
// not sign, prove nothing even if a coordinator applied them.
func TestStepNeedsTheAuthorsSignature(t *testing.T) {
	c := newOnStardust(1)
	c.record(t, "first")
	c.chain.Author.Sign = func(digest [32]byte) []byte { return ed25519.Sign(stardusttest.Key(9), digest[:]) }
	m, proof := c.record(t, "second")
	_, err := coordinator(2, coordinators...).Verify(m, proof.Proof())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	assert.ErrorContains(t, err, "has not signed")
}

// TestNumbersBeyondAnAliasAreRefused: a message's number has 64 bits, a state's 32.
func TestNumbersBeyondAnAliasAreRefused(t *testing.T) {
	c := newOnStardust(1)
	c.record(t, "first")
	m, err := c.author.Sign(channel.Draft{Number: 1<<32 + 1, Prev: c.prev, Time: recorded})
	require.NoError(t, err)
	_, err = coordinator(2, coordinators...).Verify(m, c.prove(t, c.chain.Next(t, m.Bytes()), 4, 6).Proof())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
}

// TestPolicyRefusesEveryTamperedBitOfStardust flips each bit, drops each byte and doubles it.
func TestPolicyRefusesEveryTamperedBitOfStardust(t *testing.T) {
	m, proof := newOnStardust(1).record(t, "body")
	text, p := proof.Marshal(), coordinator(2, coordinators...)
	refuse := func(text []byte, what string, at int) {
		_, err := p.Verify(m, ledger.Proof{Kind: ledger.KindStardust, Text: text})
		require.ErrorIs(t, err, ledger.ErrInvalidProof, "%s %d", what, at)
	}
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			refuse(bad, "bit of byte", i)
		}
		refuse(append(bytes.Clone(text[:i]), text[i+1:]...), "dropped byte", i)
		refuse(append(bytes.Clone(text[:i+1]), text[i:]...), "doubled byte", i)
	}
}

func TestParseStardustProofRefuses(t *testing.T) {
	_, proof := newOnStardust(1).record(t, "body")
	good := string(proof.Marshal())
	large := ledger.StardustProof{Path: proof.Path, Milestone: proof.Milestone, Block: make([]byte, 70<<10)}
	hash := strings.Split(good, "\n")[3] + "\n"
	for name, text := range map[string]string{
		"empty":              "",
		"other header":       strings.Replace(good, "@v1", "@v2", 1),
		"carriage returns":   strings.ReplaceAll(good, "\n", "\r\n"),
		"no empty line":      strings.Replace(good, "\n\n", "\n", 1),
		"another empty line": strings.Replace(good, "\n\n", "\n\n\n", 1),
		"no last line break": strings.TrimSuffix(good, "\n"),
		"line after":         good + "x\n",
		"leading zero":       strings.Replace(good, "index 4", "index 04", 1),
		"plus sign":          strings.Replace(good, "index 4", "index +4", 1),
		"index too great":    strings.Replace(good, "index 4", "index 4294967296", 1),
		"size first":         strings.Replace(good, "index 4\nsize 6", "size 6\nindex 4", 1),
		"short hash":         strings.Replace(good, hash, hash[4:], 1),
		"too many hashes":    strings.Replace(good, hash, strings.Repeat(hash, 32), 1),
		"too long":           string(large.Marshal()),
	} {
		_, err := ledger.ParseStardustProof([]byte(text))
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
	}
}
