package stardust

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/iotaledger/hive.go/serializer/v2"
	iotago "github.com/iotaledger/iota.go/v3"

	"github.com/productid/productid/pkg/channel"
)

// address returns the address of an Ed25519 key.
func address(key []byte) iotago.Ed25519Address {
	return iotago.Ed25519AddressFromPubKey(ed25519.PublicKey(key))
}

// newAlias returns the alias output that is a channel's state with m.
func newAlias(issuer iotago.Ed25519Address, id iotago.AliasID, m channel.Message, amount uint64) *iotago.AliasOutput {
	of := m.Channel()
	controller := address(of[:])
	return &iotago.AliasOutput{
		Amount:        amount,
		AliasID:       id,
		StateIndex:    uint32(m.Number()),
		StateMetadata: m.Bytes(),
		Conditions: iotago.UnlockConditions{
			&iotago.StateControllerAddressUnlockCondition{Address: &controller},
			&iotago.GovernorAddressUnlockCondition{Address: &issuer},
		},
		ImmutableFeatures: iotago.Features{
			&iotago.IssuerFeature{Address: &issuer},
			&iotago.MetadataFeature{Data: of[:]},
		},
	}
}

// depositOf returns the storage deposit of an alias: what the network asks for one
// with the longest message, so that no later message of a channel needs more.
func depositOf(params *iotago.ProtocolParameters) uint64 {
	var someone iotago.Ed25519Address
	largest := newAlias(someone, iotago.AliasID{}, channel.Message{}, 0)
	largest.StateMetadata = make([]byte, channel.MaxMessage)
	return params.RentStructure.MinRent(largest)
}

// ownAlias reports whether an output is an alias whose issuer we are, and of
// which channel.
func (l *Ledger) ownAlias(o iotago.Output) (*iotago.AliasOutput, channel.ID, bool) {
	alias, ok := o.(*iotago.AliasOutput)
	if !ok {
		return nil, channel.ID{}, false
	}
	features := alias.ImmutableFeatureSet()
	if features.IssuerFeature() == nil || !l.issuer.Equal(features.IssuerFeature().Address) {
		return nil, channel.ID{}, false
	}
	var of channel.ID
	if meta := features.MetadataFeature(); meta != nil && len(meta.Data) == len(of) {
		of = channel.ID(meta.Data)
	}
	return alias, of, true
}

// spendable reports whether an output is money that the issuer can spend at any
// time and that carries nothing else.
func (l *Ledger) spendable(o iotago.Output) bool {
	basic, ok := o.(*iotago.BasicOutput)
	if !ok || len(basic.Conditions) != 1 || len(basic.NativeTokens) > 0 {
		return false
	}
	to := basic.UnlockConditionSet().Address()
	return to != nil && l.issuer.Equal(to.Address)
}

// governed reports whether an alias is laid out as newAlias does it: the channel's
// author moves it and only we govern it.
func (l *Ledger) governed(a *iotago.AliasOutput, of channel.ID) bool {
	controller := address(of[:])
	return controller.Equal(a.StateController()) && l.issuer.Equal(a.GovernorAddress())
}

func parseOutput(raw []byte) (iotago.Output, error) {
	if len(raw) == 0 {
		return nil, errors.New("empty output")
	}
	o, err := iotago.OutputSelector(uint32(raw[0]))
	if err != nil {
		return nil, err
	}
	if _, err := o.Deserialize(raw, serializer.DeSeriModePerformValidation, nil); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return o, nil
}
