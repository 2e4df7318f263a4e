package stardust

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/iotaledger/hive.go/serializer/v2"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/iotaledger/iota.go/v3/builder"

	"github.com/productid/productid/pkg/channel"
)

const (
	// maxInputs bounds how many small outputs one creation gathers.
	maxInputs = 32
	// poolSize is into how many outputs the issuer's money is split over time:
	// creations that are decided at once each spend one of their own.
	poolSize = 64
	// maxParts is into how many outputs one creation splits what is left.
	maxParts = 8
	// poolPart is how many deposits an output is worth at least that was split off.
	poolPart = 4
)

// A transaction is signed and has a name.
type transaction struct {
	id      iotago.TransactionID
	payload []byte
}

// money is an unspent output of the issuer.
type money struct {
	id  iotago.OutputID
	raw *iotago.BasicOutput
}

// authorSigner puts an author's signature under the essence hash of a transaction.
type authorSigner struct{ *channel.Author }

// Sign signs for the author's own address.
func (s authorSigner) Sign(addr iotago.Address, essence []byte) (iotago.Signature, error) {
	id := s.Channel()
	own := address(id[:])
	if !own.Equal(addr) || len(essence) != 32 {
		return nil, errors.New("not the author's to sign")
	}
	signature := [64]byte(s.SignDigest([32]byte(essence)))
	return &iotago.Ed25519Signature{PublicKey: id, Signature: signature}, nil
}

// move makes the transaction that brings a channel from its current output to m.
// The same output and message always make the same transaction.
func (l *Ledger) move(c *chain, m channel.Message, a *channel.Author) (transaction, error) {
	current, err := parseOutput(c.raw)
	if err != nil {
		return transaction{}, err
	}
	alias, of, ok := l.ownAlias(current)
	if !ok || of != m.Channel() {
		return transaction{}, fmt.Errorf("output of channel %s is another's", m.Channel())
	}
	next := newAlias(l.issuer, c.alias, m, alias.Amount)
	if need := l.params.RentStructure.MinRent(next); alias.Amount < need {
		return transaction{}, fmt.Errorf("alias of channel %s holds %d, and its message needs %d", of, alias.Amount, need)
	}
	b := builder.NewTransactionBuilder(l.params.NetworkID()).
		AddInput(&builder.TxInput{UnlockTarget: alias.StateController(), InputID: c.output, Input: alias}).
		AddOutput(next)
	return l.finish(b, authorSigner{a})
}

// create makes the transaction that lays out a channel with its first message, and
// splits what is left of the money.
func (l *Ledger) create(m channel.Message, with []money, split bool) (transaction, error) {
	var sum uint64
	b := builder.NewTransactionBuilder(l.params.NetworkID())
	for _, in := range with {
		sum += in.raw.Amount
		b.AddInput(&builder.TxInput{UnlockTarget: &l.issuer, InputID: in.id, Input: in.raw})
	}
	parts := l.change(sum-l.deposit, split)
	alias := newAlias(l.issuer, iotago.AliasID{}, m, sum)
	for _, amount := range parts {
		alias.Amount -= amount
	}
	b.AddOutput(alias)
	for _, amount := range parts {
		b.AddOutput(l.basic(amount))
	}
	return l.finish(b, iotago.NewInMemoryAddressSigner(iotago.NewAddressKeysForEd25519Address(&l.issuer, l.o.Funding)))
}

// change returns the amounts into which what is left of a creation is put: none
// when it is less than an output has to hold.
func (l *Ledger) change(left uint64, split bool) []uint64 {
	if left < l.dust() {
		return nil
	}
	n := uint64(1)
	if split {
		n = min(maxParts, max(1, left/(poolPart*l.deposit)))
	}
	amounts := make([]uint64, n)
	for i := range amounts {
		amounts[i] = left / n
	}
	amounts[0] += left % n
	return amounts
}

// basic returns an output of the issuer's money.
func (l *Ledger) basic(amount uint64) *iotago.BasicOutput {
	return &iotago.BasicOutput{Amount: amount, Conditions: iotago.UnlockConditions{&iotago.AddressUnlockCondition{Address: &l.issuer}}}
}

// dust is the least that an output of money holds.
func (l *Ledger) dust() uint64 { return l.params.RentStructure.MinRent(l.basic(0)) }

func (l *Ledger) finish(b *builder.TransactionBuilder, s iotago.AddressSigner) (transaction, error) {
	tx, err := b.Build(l.params, s)
	if err != nil {
		return transaction{}, err
	}
	id, err := tx.ID()
	if err != nil {
		return transaction{}, err
	}
	payload, err := tx.Serialize(serializer.DeSeriModeNoValidation, nil)
	return transaction{id, payload}, err
}

// choose picks the money for one deposit: one output that is enough, which one the
// message decides, so that processes that do not know of each other seldom pick
// the same; or several small ones. It returns nothing when all together is too little.
func (l *Ledger) choose(free []money, m channel.Message) []money {
	var enough []money
	for _, f := range free {
		if f.raw.Amount >= l.deposit {
			enough = append(enough, f)
		}
	}
	if len(enough) > 0 {
		hash := m.Hash()
		at := binary.BigEndian.Uint64(hash[:]) % uint64(len(enough))
		return enough[at : at+1]
	}
	var sum uint64
	for i, f := range free[:min(maxInputs, len(free))] {
		if sum += f.raw.Amount; sum >= l.deposit {
			return free[:i+1]
		}
	}
	return nil
}

// block wraps a transaction for a node: with parents of its choice, and with proof
// of work where the network asks for it.
func (l *Ledger) block(ctx context.Context, payload []byte, parents iotago.BlockIDs) ([]byte, error) {
	tx := &iotago.Transaction{}
	if _, err := tx.Deserialize(payload, serializer.DeSeriModeNoValidation, nil); err != nil {
		return nil, err
	}
	b := builder.NewBlockBuilder().ProtocolVersion(l.params.Version).Payload(tx).Parents(parents)
	if l.params.MinPoWScore > 0 {
		b = b.ProofOfWork(ctx, l.params, float64(l.params.MinPoWScore))
	}
	block, err := b.Build()
	if err != nil {
		return nil, err
	}
	return block.Serialize(serializer.DeSeriModeNoValidation, nil)
}
