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
	for _, p := range []ledger.Policy{p, policy(signer(t, signerKey)), coordinator(2, coordinators...)} {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := ledger.ParsePolicy(text)
		require.NoError(t, err)
		assert.Equal(t, p, again)
	}
}

// TestParsePolicyRefuses names a word of the reason for each.
func TestParsePolicyRefuses(t *testing.T) {
	one, two := witness(t, 7).VerifierKey(), witness(t, 8).VerifierKey()
	renamed, err := ledger.NewWitnessSigner("another.example", stardusttest.Key(7))
	require.NoError(t, err)
	log := signer(t, signerKey).VerifierKey()
	with := func(members string, keys ...any) string {
		return fmt.Sprintf(`{"logs":[{"origin":"o","key":%q}],`, log) + fmt.Sprintf(members, keys...) + "}"
	}
	coordinator := func(network, keys string, rest string) string {
		return fmt.Sprintf(`{"coordinators":[{"network":%q,"keys":[%s]%s}]}`, network, keys, rest)
	}
	key := `"` + strings.Repeat("0", 64) + `"`
	for name, row := range map[string]struct{ text, why string }{
		"nothing":                 {``, "JSON"},
		"a list":                  {`[]`, "object"},
		"trust in nobody":         {`{}`, "trusts no log"},
		"trust in no log":         {`{"logs":[]}`, "trusts no log"},
		"unknown member":          {with(`"mirrors":[]`), "mirrors"},
		"other case":              {with(`"Quorum":0`), "Quorum"},
		"repeated member":         {with(`"logs":[]`), "repeated"},
		"key that is none":        {`{"logs":[{"origin":"a","key":"b"}]}`, "key of log"},
		"log without key":         {`{"logs":[{"origin":"a"}]}`, "missing"},
		"witness that is none":    {with(`"witnesses":["b"]`), "witness key"},
		"log's key as witness":    {with(`"witnesses":[%q]`, log), "tlog-cosignature"},
		"witness with other id":   {with(`"witnesses":[%q]`, strings.Replace(one, "witness7", "witness8", 1)), "another id"},
		"witness twice":           {with(`"witnesses":[%q,%[1]q],"quorum":2`, one), "one key"},
		"witness with two names":  {with(`"witnesses":[%q,%q],"quorum":2`, one, renamed.VerifierKey()), "one key"},
		"quorum out of reach":     {with(`"witnesses":[%q,%q],"quorum":3`, one, two), "quorum"},
		"quorum of nobody":        {with(`"quorum":1`), "quorum"},
		"quorum below zero":       {with(`"quorum":-1`), "quorum"},
		"quorum in text":          {with(`"quorum":"1"`), "quorum"},
		"issuer that is none":     {with(`"issuers":["x"]`), "issuers"},
		"coordinator of nothing":  {coordinator("", key, `,"threshold":1`), "no name"},
		"coordinator without key": {coordinator("n", "", `,"threshold":1`), "0 keys"},
		"key in capitals":         {coordinator("n", `"`+strings.Repeat("A", 64)+`"`, `,"threshold":1`), "lower case"},
		"short key":               {coordinator("n", `"00"`, `,"threshold":1`), "64 hexadecimal"},
		"key twice":               {coordinator("n", key+","+key, `,"threshold":2`), "twice"},
		"no threshold":            {coordinator("n", key, ""), "missing"},
		"threshold 0":             {coordinator("n", key, `,"threshold":0`), "threshold of 0"},
		"threshold out of reach":  {coordinator("n", key, `,"threshold":2`), "threshold of 2"},
		"coordinator and more":    {coordinator("n", key, `,"threshold":1,"x":1`), "unknown"},
	} {
		_, err := ledger.ParsePolicy([]byte(row.text))
		assert.ErrorContains(t, err, row.why, name)
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
