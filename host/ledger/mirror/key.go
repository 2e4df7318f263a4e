package mirror

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/productid/productid/pkg/ledger"
)

// A witness's key as text: PRIVATE+KEY+<name>+<id>+<base64 of type and seed>, as
// golang.org/x/mod/sumdb/note writes the keys of logs, with the type of
// tlog-cosignature.
const (
	privateKey     = "PRIVATE+KEY+"
	typeWitnessKey = 4
)

var errWitnessKey = errors.New("not a witness's private key")

// NewWitnessKey makes the key of a witness of this name. The text is a secret.
func NewWitnessKey(name string, random io.Reader) (text string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return "", fmt.Errorf("making a witness's key: %w", err)
	}
	signer, err := ledger.NewWitnessSigner(name, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return "", fmt.Errorf("making a witness's key: %w", err)
	}
	id := strings.Split(signer.VerifierKey(), "+")[1]
	return privateKey + name + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{typeWitnessKey}, seed...)), nil
}

// ParseWitnessKey reads what NewWitnessKey made. Its errors do not show the text.
func ParseWitnessKey(text string) (ledger.WitnessSigner, error) {
	rest, ok := strings.CutPrefix(text, privateKey)
	parts := strings.SplitN(rest, "+", 3)
	if !ok || len(parts) != 3 {
		return ledger.WitnessSigner{}, errWitnessKey
	}
	typed, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(typed) != 1+ed25519.SeedSize || typed[0] != typeWitnessKey {
		return ledger.WitnessSigner{}, errWitnessKey
	}
	signer, err := ledger.NewWitnessSigner(parts[0], ed25519.NewKeyFromSeed(typed[1:]))
	if err != nil || !strings.HasPrefix(signer.VerifierKey(), parts[0]+"+"+parts[1]+"+") {
		return ledger.WitnessSigner{}, errWitnessKey
	}
	return signer, nil
}
