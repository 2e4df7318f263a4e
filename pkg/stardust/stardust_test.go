package stardust_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/stardust"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

const network = "test network"

var (
	author = stardusttest.SignerOf(stardusttest.Key(1))
	issuer = stardusttest.SignerOf(stardusttest.Key(2))
	when   = time.Unix(1790000000, 0).UTC()
	// keys of a coordinator, in the order in which a milestone lists them
	coordinator = []ed25519.PrivateKey{stardusttest.Key(3), stardusttest.Key(4), stardusttest.Key(5)}
)

func chain(edit func(*iotago.TransactionEssence)) *stardusttest.Chain {
	return &stardusttest.Chain{Network: network, Channel: []byte("channel"), Author: author, Issuer: issuer, Edit: edit}
}

func public(keys []ed25519.PrivateKey) []ed25519.PublicKey {
	list := make([]ed25519.PublicKey, len(keys))
	for i, k := range keys {
		list[i] = k.Public().(ed25519.PublicKey)
	}
	return list
}

func TestNamesAreThoseOfTheProtocol(t *testing.T) {
	assert.Equal(t, iotago.NetworkIDFromString("private_tangle1"), stardust.NetworkID("private_tangle1"))
	assert.Equal(t, *stardusttest.Address(author.Public), iotago.Ed25519Address(stardust.AddressOf(author.Public)))
	assert.Equal(t, stardusttest.Address(author.Public).String(), stardust.AddressOf(author.Public).String())
}

// TestBlocksAreReadAsIotaReadsThem reads the blocks of a chain of three states.
func TestBlocksAreReadAsIotaReadsThem(t *testing.T) {
	c := chain(nil)
	for n, metadata := range []string{"first", "", "third"} {
		bytes := c.Next(t, []byte(metadata))
		block, err := stardust.ParseBlock(bytes)
		require.NoError(t, err)
		sameBlock(t, bytes, block)

		tx := block.Transaction
		require.Len(t, tx.Aliases, 1)
		assert.Equal(t, stardust.Alias{
			ID: c.Alias(), Created: n == 0, Amount: 4_000_000,
			StateIndex: uint32(n), StateMetadata: []byte(metadata),
			StateController: stardust.AddressOf(author.Public), Governor: stardust.AddressOf(issuer.Public),
			Issuer: stardust.AddressOf(issuer.Public), Metadata: []byte("channel"),
		}, tx.Aliases[0])
		assert.Equal(t, stardust.NetworkID(network), tx.Network)
		assert.Equal(t, n > 0, tx.SignedBy(stardust.AddressOf(author.Public)))
		assert.Equal(t, n == 0, tx.SignedBy(stardust.AddressOf(issuer.Public)))
	}
}

// sameBlock requires that iota.go reads the same bytes, and the same out of them.
func sameBlock(t require.TestingT, b []byte, got stardust.Block) {
	var want iotago.Block
	_, err := want.Deserialize(b, serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	again, err := want.Serialize(serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	require.Equal(t, want.MustID(), iotago.BlockID(got.ID))
	require.Equal(t, want.Nonce, got.Nonce)
	require.Len(t, got.Parents, len(want.Parents))

	tx := want.Payload.(*iotago.Transaction)
	id, err := tx.ID()
	require.NoError(t, err)
	require.Equal(t, id, iotago.TransactionID(got.Transaction.ID))
	essence, err := tx.Essence.SigningMessage()
	require.NoError(t, err)
	require.Equal(t, essence, got.Transaction.Essence[:])
	require.Equal(t, tx.Essence.NetworkID, got.Transaction.Network)
	for i, in := range tx.Essence.Inputs {
		in := in.(*iotago.UTXOInput)
		require.Equal(t, stardust.OutputID{Transaction: stardust.Hash(in.TransactionID), Index: in.TransactionOutputIndex}, got.Transaction.Inputs[i])
	}
	sameAliases(t, id, tx.Essence.Outputs, got.Transaction.Aliases)
}

func sameAliases(t require.TestingT, id iotago.TransactionID, outputs iotago.Outputs, got []stardust.Alias) {
	for i, o := range outputs {
		want, ok := o.(*iotago.AliasOutput)
		if !ok {
			continue
		}
		require.NotEmpty(t, got)
		a := got[0]
		got = got[1:]
		alias := want.AliasID
		if want.AliasEmpty() {
			alias = iotago.AliasIDFromOutputID(iotago.OutputIDFromTransactionIDAndIndex(id, uint16(i)))
		}
		require.Equal(t, alias, iotago.AliasID(a.ID))
		require.Equal(t, uint16(i), a.Output)
		require.Equal(t, want.StateIndex, a.StateIndex)
		require.True(t, bytes.Equal(want.StateMetadata, a.StateMetadata))
		require.True(t, want.StateController().Equal((*iotago.Ed25519Address)(&a.StateController)))
		require.True(t, want.GovernorAddress().Equal((*iotago.Ed25519Address)(&a.Governor)))
	}
	require.Empty(t, got)
}

// TestTransactionsOfAnyShapeAreRead draws transactions of what a channel needs.
func TestTransactionsOfAnyShapeAreRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		metadata := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(r, "metadata")
		c := chain(func(e *iotago.TransactionEssence) {
			for i := range rapid.IntRange(0, 5).Draw(r, "inputs") {
				e.Inputs = append(e.Inputs, &iotago.UTXOInput{TransactionID: iotago.TransactionID{9, byte(i)}, TransactionOutputIndex: uint16(i)})
			}
			first := e.Outputs[0].(*iotago.AliasOutput)
			for range rapid.IntRange(0, 5).Draw(r, "outputs") {
				another := first.Clone().(*iotago.AliasOutput)
				another.ImmutableFeatures = another.ImmutableFeatures[rapid.IntRange(0, 2).Draw(r, "features"):]
				e.Outputs = append(e.Outputs, another, &iotago.BasicOutput{Amount: rapid.Uint64Min(1).Draw(r, "amount"),
					Conditions: iotago.UnlockConditions{&iotago.AddressUnlockCondition{Address: stardusttest.Address(author.Public)}}})
			}
		})
		for range 2 {
			b := c.Next(t, metadata)
			block, err := stardust.ParseBlock(b)
			require.NoError(r, err)
			sameBlock(r, b, block)
		}
	})
}

func TestMilestonesAreReadAsIotaReadsThem(t *testing.T) {
	b := stardusttest.Milestone(t, 77, when, []stardust.Hash{{1}, {2}}, func(m *iotago.Milestone) {
		m.Metadata = []byte("says nothing")
		m.Opts = iotago.MilestoneOpts{&iotago.ProtocolParamsMilestoneOpt{TargetMilestoneIndex: 90, ProtocolVersion: 3, Params: []byte("parameters")}}
	}, coordinator...)
	m, err := stardust.ParseMilestone(b)
	require.NoError(t, err)
	sameMilestone(t, b, m)
	assert.Equal(t, uint32(77), m.Index)
	assert.Equal(t, when, m.Time)
	assert.Equal(t, stardust.MerkleRoot([]stardust.Hash{{1}, {2}}), m.AppliedRoot)
	assert.NoError(t, m.Verify(3, public(coordinator)...))
}

func sameMilestone(t require.TestingT, b []byte, got stardust.Milestone) {
	var want iotago.Milestone
	n, err := want.Deserialize(b, serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, want.MustID(), iotago.MilestoneID(got.ID))
	require.Equal(t, want.Index, got.Index)
	require.Equal(t, int64(want.Timestamp), got.Time.Unix())
	require.Equal(t, want.AppliedMerkleRoot, [32]byte(got.AppliedRoot))
	require.Equal(t, want.InclusionMerkleRoot, [32]byte(got.InclusionRoot))
	require.Equal(t, want.PreviousMilestoneID, iotago.MilestoneID(got.Previous))
	require.Len(t, got.Signatures, len(want.Signatures))
}

func TestMilestoneNeedsEnoughTrustedKeys(t *testing.T) {
	applied := []stardust.Hash{{1}}
	m, err := stardust.ParseMilestone(stardusttest.Milestone(t, 1, when, applied, nil, coordinator[:2]...))
	require.NoError(t, err)
	trusted := public(coordinator)
	assert.NoError(t, m.Verify(2, trusted...))
	assert.NoError(t, m.Verify(1, trusted[0]))
	for name, row := range map[string]struct {
		threshold int
		keys      []ed25519.PublicKey
	}{
		"too few":           {3, trusted},
		"one of them":       {2, trusted[1:]},
		"one, given twice":  {2, []ed25519.PublicKey{trusted[0], trusted[0]}},
		"of nobody":         {1, trusted[2:]},
		"no key":            {1, nil},
		"no threshold":      {0, trusted},
		"threshold below 0": {-1, trusted},
	} {
		assert.ErrorIs(t, m.Verify(row.threshold, row.keys...), stardust.ErrNotSigned, name)
	}
	m.Signatures[0].Text = bytes.Clone(m.Signatures[0].Text)
	m.Signatures[0].Text[0] ^= 1
	assert.ErrorIs(t, m.Verify(1, trusted...), stardust.ErrNotSigned, "a wrong signature by a trusted key")
	assert.NoError(t, m.Verify(1, m.Signatures[1].Key), "a wrong signature by a key that nobody trusts")
}

// TestEveryCutAndEveryTrailingByteIsRefused also changes each bit: what still
// parses has another id and the meaning that iota.go gives it.
func TestEveryCutAndEveryTrailingByteIsRefused(t *testing.T) {
	c := chain(nil)
	blocks := [][]byte{c.Next(t, []byte("message")), c.Next(t, []byte("next"))}
	for _, b := range blocks {
		good, err := stardust.ParseBlock(b)
		require.NoError(t, err)
		damage(b, func(bad []byte, whole bool) {
			block, err := stardust.ParseBlock(bad)
			if err != nil {
				require.ErrorIs(t, err, stardust.ErrMalformed)
				return
			}
			require.True(t, whole, "%x", bad)
			require.NotEqual(t, good.ID, block.ID)
			sameBlock(t, bad, block)
		})
	}
	m := stardusttest.Milestone(t, 1, when, []stardust.Hash{{1}}, nil, coordinator...)
	damage(m, func(bad []byte, whole bool) {
		milestone, err := stardust.ParseMilestone(bad)
		if err != nil {
			require.ErrorIs(t, err, stardust.ErrMalformed)
			return
		}
		require.True(t, whole, "%x", bad)
		require.ErrorIs(t, milestone.Verify(3, public(coordinator)...), stardust.ErrNotSigned)
		sameMilestone(t, bad, milestone)
	})
}

// damage gives each way to cut b short, to lengthen it by a byte, and, whole but
// for that, each with one bit turned.
func damage(b []byte, use func(bad []byte, whole bool)) {
	for i := range b {
		use(b[:i], false)
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			use(bad, true)
		}
	}
	use(append(bytes.Clone(b), 0), false)
}
