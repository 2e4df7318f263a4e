package ledger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

func TestPolicyText(t *testing.T) {
	p := policy(signer(t, signerKey))
	p.Witnesses, p.Quorum = []string{witness(t, 7).VerifierKey(), witness(t, 8).VerifierKey()}, 1
	p.Coordinators = coordinator(2, coordinators...).Coordinators
	p.Issuers = []channel.ID{{1}, {2}}
	for _, p := range []ledger.Policy{{}, p, policy(signer(t, signerKey))} {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := ledger.ParsePolicy(text)
		require.NoError(t, err)
		assert.Equal(t, p, again)
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	one, two := witness(t, 7), witness(t, 8)
	renamed, err := ledger.NewWitnessSigner("another.example", stardusttest.Key(7))
	require.NoError(t, err)
	log := signer(t, signerKey)
	key := strings.Repeat("0", 64)
	for name, bad := range map[string]string{
		"nothing":                 ``,
		"a list":                  `[]`,
		"unknown member":          `{"logs":[],"mirrors":[]}`,
		"other case":              `{"Logs":[]}`,
		"repeated member":         `{"logs":[],"logs":[]}`,
		"key that is none":        `{"logs":[{"origin":"a","key":"b"}]}`,
		"log without key":         `{"logs":[{"origin":"a"}]}`,
		"witness that is none":    `{"witnesses":["b"]}`,
		"log's key as witness":    fmt.Sprintf(`{"witnesses":[%q]}`, log.VerifierKey()),
		"witness twice":           fmt.Sprintf(`{"witnesses":[%q,%[1]q],"quorum":2}`, one.VerifierKey()),
		"witness with two names":  fmt.Sprintf(`{"witnesses":[%q,%q],"quorum":2}`, one.VerifierKey(), renamed.VerifierKey()),
		"quorum out of reach":     fmt.Sprintf(`{"witnesses":[%q,%q],"quorum":3}`, one.VerifierKey(), two.VerifierKey()),
		"quorum of nobody":        `{"quorum":1}`,
		"quorum below zero":       `{"quorum":-1}`,
		"quorum in text":          `{"quorum":"1"}`,
		"issuer that is none":     `{"issuers":["x"]}`,
		"coordinator of nothing":  fmt.Sprintf(`{"coordinators":[{"network":"","keys":[%q],"threshold":1}]}`, key),
		"coordinator without key": `{"coordinators":[{"network":"n","keys":[],"threshold":1}]}`,
		"key in capitals":         fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q],"threshold":1}]}`, strings.Repeat("A", 64)),
		"short key":               fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q],"threshold":1}]}`, key[2:]),
		"key twice":               fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q,%[1]q],"threshold":2}]}`, key),
		"no threshold":            fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q]}]}`, key),
		"threshold 0":             fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q],"threshold":0}]}`, key),
		"threshold out of reach":  fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q],"threshold":2}]}`, key),
		"coordinator and more":    fmt.Sprintf(`{"coordinators":[{"network":"n","keys":[%q],"threshold":1,"x":1}]}`, key),
	} {
		_, err := ledger.ParsePolicy([]byte(bad))
		assert.Error(t, err, name)
	}
}

// TestLogCannotWitnessForItself: with the log's key under a witness' name, one
// signer would be two.
func TestLogCannotWitnessForItself(t *testing.T) {
	p := policy(signer(t, signerKey))
	require.NoError(t, p.Check())
	p.Witnesses = []string{asWitness(t, signerKey).VerifierKey()}
	assert.ErrorContains(t, p.Check(), "witness for itself")
}
