package office_test

import (
	"encoding/json"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"
)

// device is a phone with one passkey.
type device struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newDevice() *device { return newDeviceAt(base) }

// newDeviceAt is one whose browser is at this address.
func newDeviceAt(address string) *device {
	d := &device{rp: virtualwebauthn.RelyingParty{ID: "localhost", Origin: address, Name: "ProductID"}, auth: virtualwebauthn.NewAuthenticator()}
	const whole = 77 // bytes of a COSE key on P-256: the library leaves out a first byte of a coordinate that is zero
	for len(d.key.ID) == 0 || len(d.key.Key.AttestationData()) != whole {
		d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return d
}

// create answers navigator.credentials.create.
func (d *device) create(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(t, err)
	d.auth.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.key, *o))
}

// get answers navigator.credentials.get.
func (d *device) get(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	require.NoError(t, err)
	d.key.Counter++
	return []byte(virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.key, *o))
}
