// Package stardusttest makes the blocks and milestones of a Stardust network with
// iota.go, the protocol's own library, so that tests hold package stardust and what
// is built on it against something else than itself.
package stardusttest

import (
	"crypto"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/iotaledger/hive.go/serializer/v2"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/iotaledger/iota.go/v3/merklehasher"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/stardust"
)

// Key returns a key for tests alone.
func Key(n byte) ed25519.PrivateKey {
	seed := [ed25519.SeedSize]byte{n, 'k', 'e', 'y'}
	return ed25519.NewKeyFromSeed(seed[:])
}

// Signer signs what a transaction does; as channel.Author does with SignDigest.
type Signer struct {
	Public ed25519.PublicKey
	Sign   func([32]byte) []byte
}

// SignerOf returns the signer with a private key.
func SignerOf(key ed25519.PrivateKey) Signer {
	return Signer{key.Public().(ed25519.PublicKey), func(digest [32]byte) []byte { return ed25519.Sign(key, digest[:]) }}
}

// Address returns the Ed25519 address of a public key.
func Address(key ed25519.PublicKey) *iotago.Ed25519Address {
	a := iotago.Ed25519AddressFromPubKey(key)
	return &a
}

// Chain is the alias of one channel, which grows by a state with each call of Next.
type Chain struct {
	Network string
	Channel []byte // the immutable metadata
	Author  Signer // state controller
	Issuer  Signer // issuer and governor
	// Edit, if it is set, changes each transaction before it is signed.
	Edit func(*iotago.TransactionEssence)

	alias iotago.AliasID
	index uint32
	last  iotago.OutputID
}

// Next returns the block of the transaction that makes the next state with these
// metadata. With the first one it creates the alias.
func (c *Chain) Next(t testing.TB, metadata []byte) []byte {
	t.Helper()
	payload := Transaction(t, c.essence(metadata), c.signer())
	block := Block(t, payload)
	id, err := payload.ID()
	require.NoError(t, err)
	c.last = iotago.OutputIDFromTransactionIDAndIndex(id, 0)
	if c.index == 0 {
		c.alias = iotago.AliasIDFromOutputID(c.last)
	}
	c.index++
	return block
}

// Alias returns the alias' id, once Next has created it.
func (c *Chain) Alias() stardust.Hash { return stardust.Hash(c.alias) }

func (c *Chain) signer() Signer {
	if c.index == 0 {
		return c.Issuer
	}
	return c.Author
}

func (c *Chain) essence(metadata []byte) *iotago.TransactionEssence {
	input := c.last
	if c.index == 0 {
		input[0] = 1
	}
	e := &iotago.TransactionEssence{
		NetworkID: iotago.NetworkIDFromString(c.Network),
		Inputs:    iotago.Inputs{input.UTXOInput()},
		Outputs: iotago.Outputs{&iotago.AliasOutput{
			Amount: 4_000_000, AliasID: c.alias, StateIndex: c.index, StateMetadata: metadata,
			Conditions: iotago.UnlockConditions{
				&iotago.StateControllerAddressUnlockCondition{Address: Address(c.Author.Public)},
				&iotago.GovernorAddressUnlockCondition{Address: Address(c.Issuer.Public)},
			},
			ImmutableFeatures: iotago.Features{&iotago.IssuerFeature{Address: Address(c.Issuer.Public)}, &iotago.MetadataFeature{Data: c.Channel}},
		}},
	}
	if c.index == 0 {
		e.Outputs = append(e.Outputs, &iotago.BasicOutput{Amount: 1_000_000,
			Conditions: iotago.UnlockConditions{&iotago.AddressUnlockCondition{Address: Address(c.Issuer.Public)}}})
	}
	if c.Edit != nil {
		c.Edit(e)
	}
	return e
}

// Transaction signs an essence: the first input is unlocked by the signer, each
// other one by a reference to it.
func Transaction(t testing.TB, e *iotago.TransactionEssence, s Signer) *iotago.Transaction {
	t.Helper()
	digest, err := e.SigningMessage()
	require.NoError(t, err)
	var signature iotago.Ed25519Signature
	copy(signature.PublicKey[:], s.Public)
	copy(signature.Signature[:], s.Sign([32]byte(digest)))
	tx := &iotago.Transaction{Essence: e, Unlocks: iotago.Unlocks{&iotago.SignatureUnlock{Signature: &signature}}}
	for range len(e.Inputs) - 1 {
		tx.Unlocks = append(tx.Unlocks, &iotago.ReferenceUnlock{Reference: 0})
	}
	return tx
}

// Block returns the bytes of a block with a payload.
func Block(t testing.TB, payload iotago.Payload) []byte {
	t.Helper()
	block := iotago.Block{ProtocolVersion: 2, Parents: iotago.BlockIDs{{1}, {2, 7}}, Payload: payload, Nonce: 7}
	b, err := block.Serialize(serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	return b
}

// Blocks returns n ids, of which that with this index is the block's.
func Blocks(block []byte, index, n int) []stardust.Hash {
	ids := make([]stardust.Hash, n)
	for i := range ids {
		ids[i] = stardust.Hash{byte(i), byte(i >> 8), 'i', 'd'}
	}
	b := iotago.Block{}
	if _, err := b.Deserialize(block, serializer.DeSeriModeNoValidation, nil); err == nil {
		ids[index] = stardust.Hash(b.MustID())
	}
	return ids
}

// Root returns the Merkle root of blocks as iota.go computes it.
func Root(blocks []stardust.Hash) [32]byte {
	ids := make(iotago.BlockIDs, len(blocks))
	for i, b := range blocks {
		ids[i] = iotago.BlockID(b)
	}
	return [32]byte(merklehasher.NewHasher(crypto.BLAKE2b_256).HashBlockIDs(ids))
}

// Milestone returns the bytes of a milestone that applied these blocks, signed with
// all the keys. Edit, if there is one, changes it before it is signed.
func Milestone(t testing.TB, index uint32, at time.Time, applied []stardust.Hash, edit func(*iotago.Milestone), keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	m := iotago.NewMilestone(index, uint32(at.Unix()), 2, iotago.MilestoneID{3}, iotago.BlockIDs{{4}, {5}}, [32]byte{6}, Root(applied))
	if edit != nil {
		edit(m)
	}
	mapping := iotago.MilestonePublicKeyMapping{}
	var public []iotago.MilestonePublicKey
	for _, k := range keys {
		p := iotago.MilestonePublicKey(k.Public().(ed25519.PublicKey))
		mapping[p], public = k, append(public, p)
	}
	require.NoError(t, m.Sign(public, iotago.InMemoryEd25519MilestoneSigner(mapping)))
	b, err := m.Serialize(serializer.DeSeriModeNoValidation, nil)
	require.NoError(t, err)
	return b
}
