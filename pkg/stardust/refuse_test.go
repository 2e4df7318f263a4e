package stardust_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/iotaledger/hive.go/serializer/v2"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

func alias(e *iotago.TransactionEssence) *iotago.AliasOutput {
	return e.Outputs[0].(*iotago.AliasOutput)
}
func basic(e *iotago.TransactionEssence) *iotago.BasicOutput {
	return e.Outputs[1].(*iotago.BasicOutput)
}

// TestWhatNoChannelNeedsIsRefused: all of it is Stardust, or once was.
func TestWhatNoChannelNeedsIsRefused(t *testing.T) {
	tokens := iotago.NativeTokens{{ID: iotago.NativeTokenID{1}, Amount: big.NewInt(1)}}
	own := stardusttest.Address(author.Public)
	for name, edit := range map[string]func(*iotago.TransactionEssence){
		"payload in the essence": func(e *iotago.TransactionEssence) { e.Payload = &iotago.TaggedData{Tag: []byte("tag")} },
		"no inputs":              func(e *iotago.TransactionEssence) { e.Inputs = nil },
		"input twice":            func(e *iotago.TransactionEssence) { e.Inputs = append(e.Inputs, e.Inputs[0]) },
		"input of output 128":    func(e *iotago.TransactionEssence) { e.Inputs[0].(*iotago.UTXOInput).TransactionOutputIndex = 128 },
		"treasury input":         func(e *iotago.TransactionEssence) { e.Inputs[0] = &iotago.TreasuryInput{1} },
		"no outputs":             func(e *iotago.TransactionEssence) { e.Outputs = nil },
		"NFT output": func(e *iotago.TransactionEssence) {
			e.Outputs[1] = &iotago.NFTOutput{Amount: 1, Conditions: basic(e).Conditions}
		},
		"treasury output":            func(e *iotago.TransactionEssence) { e.Outputs[1] = &iotago.TreasuryOutput{Amount: 1} },
		"native tokens":              func(e *iotago.TransactionEssence) { basic(e).NativeTokens = tokens },
		"native tokens of the alias": func(e *iotago.TransactionEssence) { alias(e).NativeTokens = tokens },
		"no amount":                  func(e *iotago.TransactionEssence) { basic(e).Amount = 0 },
		"no amount of the alias":     func(e *iotago.TransactionEssence) { alias(e).Amount = 0 },
		"timelock": func(e *iotago.TransactionEssence) {
			basic(e).Conditions = append(basic(e).Conditions, &iotago.TimelockUnlockCondition{UnixTime: 1})
		},
		"only a timelock": func(e *iotago.TransactionEssence) {
			basic(e).Conditions = iotago.UnlockConditions{&iotago.TimelockUnlockCondition{UnixTime: 1}}
		},
		"basic output with a feature": func(e *iotago.TransactionEssence) {
			basic(e).Features = iotago.Features{&iotago.SenderFeature{Address: own}}
		},
		"alias address": func(e *iotago.TransactionEssence) {
			basic(e).Conditions[0] = &iotago.AddressUnlockCondition{Address: &iotago.AliasAddress{1}}
		},
	} {
		refuseEdited(t, name, edit)
	}
}

func TestAliasesOfOtherFormsAreRefused(t *testing.T) {
	own := stardusttest.Address(author.Public)
	for name, edit := range map[string]func(*iotago.TransactionEssence){
		"new alias in state 1": func(e *iotago.TransactionEssence) { alias(e).StateIndex = 1 },
		"foundries":            func(e *iotago.TransactionEssence) { alias(e).FoundryCounter = 1 },
		"alias with a feature": func(e *iotago.TransactionEssence) {
			alias(e).Features = iotago.Features{&iotago.MetadataFeature{Data: []byte("x")}}
		},
		"alias without governor":     func(e *iotago.TransactionEssence) { alias(e).Conditions = alias(e).Conditions[:1] },
		"alias with two controllers": func(e *iotago.TransactionEssence) { alias(e).Conditions[1] = alias(e).Conditions[0] },
		"governor first": func(e *iotago.TransactionEssence) {
			c := alias(e).Conditions
			c[0], c[1] = c[1], c[0]
		},
		"immutable features in disorder": func(e *iotago.TransactionEssence) {
			f := alias(e).ImmutableFeatures
			f[0], f[1] = f[1], f[0]
		},
		"immutable feature twice": func(e *iotago.TransactionEssence) { alias(e).ImmutableFeatures[0] = alias(e).ImmutableFeatures[1] },
		"immutable tag": func(e *iotago.TransactionEssence) {
			alias(e).ImmutableFeatures[1] = &iotago.TagFeature{Tag: []byte("tag")}
		},
		"immutable sender": func(e *iotago.TransactionEssence) {
			alias(e).ImmutableFeatures[0] = &iotago.SenderFeature{Address: own}
		},
		"issuer with alias address": func(e *iotago.TransactionEssence) {
			alias(e).ImmutableFeatures[0] = &iotago.IssuerFeature{Address: &iotago.AliasAddress{1}}
		},
	} {
		refuseEdited(t, name, edit)
	}
}

// refuseEdited edits the first transaction of a chain, which is good without.
func refuseEdited(t *testing.T, name string, edit func(*iotago.TransactionEssence)) {
	_, err := stardust.ParseBlock(chain(edit).Next(t, []byte("message")))
	assert.ErrorIs(t, err, stardust.ErrMalformed, name)
}

// TestMetadataOutOfBoundsAreRefused writes by hand what iota.go does not.
func TestMetadataOutOfBoundsAreRefused(t *testing.T) {
	longest := bytes.Repeat([]byte("m"), 8192)
	good := chain(nil).Next(t, longest)
	_, err := stardust.ParseBlock(good)
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"state metadata of 8193 bytes": resize(good, longest, append(longest, 'm')),
		"no immutable metadata":        resize(good, []byte("channel"), nil),
	} {
		_, err = stardust.ParseBlock(b)
		assert.ErrorIs(t, err, stardust.ErrMalformed, name)
		assert.ErrorContains(t, err, "metadata of", name)
	}
}

// resize puts another byte string, with its length, in the place of one in a block.
func resize(block, old, with []byte) []byte {
	sized := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint16(nil, uint16(len(b))), b...) }
	resized := bytes.Replace(block, sized(old), sized(with), 1)
	const payload = 1 + 1 + 2*32 // behind version and two parents
	size := binary.LittleEndian.Uint32(resized[payload:])
	binary.LittleEndian.PutUint32(resized[payload:], size+uint32(len(with))-uint32(len(old)))
	return resized
}

func TestOtherUnlocksAreRefused(t *testing.T) {
	essence := func() *iotago.TransactionEssence {
		var kept *iotago.TransactionEssence
		chain(func(e *iotago.TransactionEssence) {
			e.Inputs = append(e.Inputs, &iotago.UTXOInput{TransactionID: iotago.TransactionID{9}})
			kept = e
		}).Next(t, nil)
		return kept
	}
	for name, edit := range map[string]func(*iotago.Transaction){
		"reference to itself":        func(tx *iotago.Transaction) { tx.Unlocks[1] = &iotago.ReferenceUnlock{Reference: 1} },
		"reference beyond":           func(tx *iotago.Transaction) { tx.Unlocks[1] = &iotago.ReferenceUnlock{Reference: 2} },
		"reference before":           func(tx *iotago.Transaction) { tx.Unlocks[0], tx.Unlocks[1] = tx.Unlocks[1], tx.Unlocks[0] },
		"alias unlock":               func(tx *iotago.Transaction) { tx.Unlocks[1] = &iotago.AliasUnlock{} },
		"NFT unlock":                 func(tx *iotago.Transaction) { tx.Unlocks[1] = &iotago.NFTUnlock{} },
		"the same signature twice":   func(tx *iotago.Transaction) { tx.Unlocks[1] = tx.Unlocks[0] },
		"an unlock for each but one": func(tx *iotago.Transaction) { tx.Unlocks = tx.Unlocks[:1] },
		"an unlock too many":         func(tx *iotago.Transaction) { tx.Unlocks = append(tx.Unlocks, tx.Unlocks[1]) },
	} {
		tx := stardusttest.Transaction(t, essence(), issuer)
		edit(tx)
		_, err := stardust.ParseBlock(stardusttest.Block(t, tx))
		assert.ErrorIs(t, err, stardust.ErrMalformed, name)
	}
	_, err := stardust.ParseBlock(stardusttest.Block(t, stardusttest.Transaction(t, essence(), issuer)))
	require.NoError(t, err)
}

func TestOtherBlocksAreRefused(t *testing.T) {
	var milestone iotago.Milestone
	m := stardusttest.Milestone(t, 1, when, []stardust.Hash{{1}}, nil, coordinator...)
	_, err := milestone.Deserialize(m, serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	tx := stardusttest.Transaction(t, &iotago.TransactionEssence{}, issuer)
	parents := iotago.BlockIDs{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}}
	for name, block := range map[string]iotago.Block{
		"without payload":     {ProtocolVersion: 2, Parents: parents},
		"tagged data":         {ProtocolVersion: 2, Parents: parents, Payload: &iotago.TaggedData{Tag: []byte("tag")}},
		"milestone":           {ProtocolVersion: 2, Parents: parents, Payload: &milestone},
		"without parents":     {ProtocolVersion: 2, Payload: tx},
		"nine parents":        {ProtocolVersion: 2, Parents: append(parents[:8:8], iotago.BlockID{9}), Payload: tx},
		"parents in disorder": {ProtocolVersion: 2, Parents: iotago.BlockIDs{{2}, {1}}, Payload: tx},
		"parent twice":        {ProtocolVersion: 2, Parents: iotago.BlockIDs{{1}, {1}}, Payload: tx},
		"other version":       {ProtocolVersion: 3, Parents: parents, Payload: tx},
	} {
		b, err := block.Serialize(serializer.DeSeriModeNoValidation, nil)
		require.NoError(t, err)
		_, err = stardust.ParseBlock(b)
		assert.ErrorIs(t, err, stardust.ErrMalformed, name)
	}
}

// TestBlocksAndMilestonesHaveALimit: a block and a milestone that are good but for
// their sizes, and that iota.go would not write.
func TestBlocksAndMilestonesHaveALimit(t *testing.T) {
	var tx *iotago.TransactionEssence
	chain(func(e *iotago.TransactionEssence) { tx = e }).Next(t, nil)
	for range 3 {
		large := alias(tx).Clone().(*iotago.AliasOutput)
		large.StateMetadata = make([]byte, 8192)
		tx.Outputs = append(tx.Outputs, large)
	}
	block := func(metadata int) []byte {
		alias(tx).StateMetadata = make([]byte, metadata)
		payload, err := stardusttest.Transaction(t, tx, issuer).Serialize(serializer.DeSeriModeNoValidation, nil)
		require.NoError(t, err)
		b := binary.LittleEndian.AppendUint32(append([]byte{2, 1}, make([]byte, 32)...), uint32(len(payload)))
		return append(append(b, payload...), make([]byte, 8)...)
	}
	room := stardust.MaxBlock - len(block(0))
	_, err := stardust.ParseBlock(block(room))
	require.NoError(t, err)
	_, err = stardust.ParseBlock(block(room + 1))
	assert.ErrorIs(t, err, stardust.ErrMalformed)

	var keys []ed25519.PrivateKey
	for n := range byte(255) {
		keys = append(keys, stardusttest.Key(n))
	}
	for metadata, want := range map[int]error{0: nil, 8192: stardust.ErrMalformed} {
		_, err = stardust.ParseMilestone(stardusttest.Milestone(t, 1, when, nil, func(m *iotago.Milestone) { m.Metadata = make([]byte, metadata) }, keys...))
		assert.ErrorIs(t, err, want)
	}
}

func TestOtherMilestonesAreRefused(t *testing.T) {
	parameters := func(version byte) *iotago.ProtocolParamsMilestoneOpt {
		return &iotago.ProtocolParamsMilestoneOpt{TargetMilestoneIndex: 9, ProtocolVersion: version}
	}
	for name, edit := range map[string]func(*iotago.Milestone){
		"other version": func(m *iotago.Milestone) { m.ProtocolVersion = 1 },
		"two options":   func(m *iotago.Milestone) { m.Opts = iotago.MilestoneOpts{parameters(3), parameters(4)} },
		"receipt": func(m *iotago.Milestone) {
			m.Opts = iotago.MilestoneOpts{&iotago.ReceiptMilestoneOpt{Transaction: &iotago.TreasuryTransaction{Input: &iotago.TreasuryInput{}, Output: &iotago.TreasuryOutput{Amount: 1}}}}
		},
		"without signatures":  func(m *iotago.Milestone) { m.Signatures = nil },
		"signature twice":     func(m *iotago.Milestone) { m.Signatures = append(m.Signatures, m.Signatures[0]) },
		"keys in disorder":    func(m *iotago.Milestone) { m.Signatures[0], m.Signatures[1] = m.Signatures[1], m.Signatures[0] },
		"parents in disorder": func(m *iotago.Milestone) { m.Parents[0], m.Parents[1] = m.Parents[1], m.Parents[0] },
		"without parents":     func(m *iotago.Milestone) { m.Parents = nil },
	} {
		var m iotago.Milestone
		_, err := m.Deserialize(stardusttest.Milestone(t, 1, when, []stardust.Hash{{1}}, nil, coordinator...), serializer.DeSeriModeNoValidation, nil)
		require.NoError(t, err)
		edit(&m)
		b, err := m.Serialize(serializer.DeSeriModeNoValidation, nil)
		require.NoError(t, err)
		_, err = stardust.ParseMilestone(b)
		assert.ErrorIs(t, err, stardust.ErrMalformed, name)
	}
}
