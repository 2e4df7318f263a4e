package identity_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

// device is a phone with one passkey, and the browser on it.
type device struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newDevice() *device {
	return &device{
		rp:   virtualwebauthn.RelyingParty{ID: "id.example.com", Origin: "https://id.example.com", Name: "ProductID"},
		auth: virtualwebauthn.NewAuthenticator(),
		key:  newCredential(),
	}
}

// newCredential draws a key until both coordinates begin with a byte that is not zero: the library leaves such a byte out.
func newCredential() virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE key on P-256
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

// create answers navigator.credentials.create.
func (d *device) create(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(t, err)
	d.auth.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.key, *o))
}

// get answers navigator.credentials.get, counting.
func (d *device) get(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	require.NoError(t, err)
	d.key.Counter++
	return []byte(virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.key, *o))
}

func (d *device) enrol(t testing.TB, i *identity.Identity, token identity.Secret) (identity.Person, []identity.RecoveryCode, error) {
	t.Helper()
	options, ceremony, err := i.BeginEnrol(t.Context(), token)
	if err != nil {
		return identity.Person{}, nil, err
	}
	return i.FinishEnrol(t.Context(), ceremony, d.create(t, options))
}

func (d *device) login(t testing.TB, i *identity.Identity) (identity.Person, error) {
	t.Helper()
	options, ceremony, err := i.BeginLogin(t.Context())
	require.NoError(t, err)
	return i.FinishLogin(t.Context(), ceremony, d.get(t, options))
}

// enrolled is somebody with a passkey.
func enrolled(t testing.TB, i *identity.Identity, role identity.Role, name string) (identity.Person, *device, []identity.RecoveryCode) {
	t.Helper()
	v, err := i.Invite(t.Context(), acme, role, name, time.Hour)
	require.NoError(t, err)
	d := newDevice()
	p, codes, err := d.enrol(t, i, v.Token)
	require.NoError(t, err)
	return p, d, codes
}

func TestInvitationBecomesAPasskeyThatSignsIn(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		v, err := i.Setup(t.Context(), acme, "Ada", 30*time.Minute)
		require.NoError(t, err)
		d := newDevice()
		options, ceremony, err := i.BeginEnrol(t.Context(), v.Token)
		require.NoError(t, err)
		var asked struct {
			PublicKey struct {
				RP                     struct{ ID string }
				User                   struct{ Name string }
				AuthenticatorSelection struct{ ResidentKey, UserVerification string }
			}
		}
		require.NoError(t, json.Unmarshal(options, &asked))
		assert.Equal(t, "id.example.com", asked.PublicKey.RP.ID)
		assert.Equal(t, "Ada", asked.PublicKey.User.Name)
		assert.Equal(t, "required", asked.PublicKey.AuthenticatorSelection.ResidentKey)
		assert.Equal(t, "required", asked.PublicKey.AuthenticatorSelection.UserVerification)

		answer := d.create(t, options)
		p, codes, err := i.FinishEnrol(t.Context(), ceremony, answer)
		require.NoError(t, err)
		assert.Len(t, codes, 10)
		assert.Equal(t, map[channel.ID]identity.Role{acme: identity.Owner}, p.Roles)
		_, _, err = i.FinishEnrol(t.Context(), ceremony, answer)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation, "used")
		_, _, err = i.BeginEnrol(t.Context(), v.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation)

		in, err := d.login(t, i)
		require.NoError(t, err)
		assert.Equal(t, acme, p.Joined)
		p.Joined = channel.ID{}
		assert.Equal(t, p, in)
		keys, err := i.Passkeys(t.Context(), p.ID)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		assert.Equal(t, c.Now(), keys[0].Used)
	})
}

func TestOfTwoWhoEnrolWithOneInvitationOneDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		v, err := i.Setup(t.Context(), acme, "Ada", time.Hour)
		require.NoError(t, err)
		n := none(t, atOnce(4, func(int) error {
			_, _, err := newDevice().enrol(t, i, v.Token)
			return err
		}), identity.ErrUnknownInvitation)
		assert.Equal(t, 1, n)
		people, err := i.People(t.Context(), acme)
		require.NoError(t, err)
		assert.Len(t, people, 1)
	})
}

func TestPasskeyAnswersThatDoNotFitAreRefused(t *testing.T) {
	i, _ := fresh(t)
	_, good, _ := enrolled(t, i, identity.Owner, "Ada")
	for name, change := range map[string]func(*device){
		"wrong origin":      func(d *device) { d.rp.Origin = "https://evil.example.com" },
		"origin by http":    func(d *device) { d.rp.Origin = "http://id.example.com" },
		"other port":        func(d *device) { d.rp.Origin = "https://id.example.com:8443" },
		"wrong RP id":       func(d *device) { d.rp.ID = "evil.example.com" },
		"parent RP id":      func(d *device) { d.rp.ID = "example.com" },
		"no verification":   func(d *device) { d.auth.Options.UserNotVerified = true },
		"nobody there":      func(d *device) { d.auth.Options.UserNotPresent = true },
		"another key":       func(d *device) { d.key.Key = newCredential().Key },
		"no user handle":    func(d *device) { d.auth.Options.UserHandle = nil },
		"backup appeared":   func(d *device) { d.auth.Options.BackupEligible, d.auth.Options.BackupState = true, true },
		"backup impossible": func(d *device) { d.auth.Options.BackupState = true },
	} {
		t.Run(name, func(t *testing.T) {
			d := *good
			change(&d)
			_, err := d.login(t, i)
			assert.ErrorIs(t, err, identity.ErrBadPasskey)
			if name == "another key" || name == "no user handle" || name == "backup appeared" {
				return // wrong only for a sign-in
			}
			fresh := *newDevice()
			change(&fresh)
			v, err := i.Invite(t.Context(), acme, identity.Auditor, "Bob", time.Hour)
			require.NoError(t, err)
			_, _, err = fresh.enrol(t, i, v.Token)
			assert.ErrorIs(t, err, identity.ErrBadPasskey)
			_, err = i.Invitation(t.Context(), v.Token)
			assert.NoError(t, err, "what failed used nothing up")
		})
	}
	_, err := good.login(t, i)
	assert.NoError(t, err)
}

func TestUnknownPasskeysAreUnknown(t *testing.T) {
	i, _ := fresh(t)
	_, d, _ := enrolled(t, i, identity.Owner, "Ada")
	_, bob, _ := enrolled(t, i, identity.Owner, "Bob")
	stranger := newDevice()
	stranger.auth.Options.UserHandle = d.auth.Options.UserHandle
	_, err := stranger.login(t, i)
	assert.ErrorIs(t, err, identity.ErrUnknownPasskey)
	bob.auth.Options.UserHandle = d.auth.Options.UserHandle
	_, err = bob.login(t, i)
	assert.ErrorIs(t, err, identity.ErrUnknownPasskey, "his key under another's handle")
}

func TestCeremoniesAreFinishedOnceInTimeAndForWhatTheyBegan(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		p, d, _ := enrolled(t, i, identity.Owner, "Ada")
		options, ceremony, err := i.BeginLogin(t.Context())
		require.NoError(t, err)
		answer := d.get(t, options)
		n := none(t, atOnce(4, func(int) error {
			_, err := i.FinishLogin(t.Context(), ceremony, answer)
			return err
		}), identity.ErrUsedCeremony)
		_, err = i.FinishLogin(t.Context(), ceremony, answer)
		assert.ErrorIs(t, err, identity.ErrUsedCeremony)
		assert.Equal(t, 1, n, "a challenge answered at the same time by several")

		_, err = i.FinishLogin(t.Context(), ceremony+"\n", answer)
		assert.ErrorIs(t, err, identity.ErrBadCeremony, "the same under another text")
		other, second, err := i.BeginLogin(t.Context())
		require.NoError(t, err)
		_, err = i.FinishLogin(t.Context(), second, answer)
		assert.ErrorIs(t, err, identity.ErrBadPasskey, "an old answer to a new challenge")
		_, err = i.FinishLogin(t.Context(), second[:len(second)-2]+"AA", d.get(t, other))
		assert.ErrorIs(t, err, identity.ErrBadCeremony)
		_, further, err := i.BeginPasskey(t.Context(), p.ID)
		require.NoError(t, err)
		_, err = i.FinishLogin(t.Context(), further, answer)
		assert.ErrorIs(t, err, identity.ErrBadCeremony, "begun for something else")
		c.pass(10 * time.Minute)
		_, err = i.FinishLogin(t.Context(), second, d.get(t, other))
		assert.ErrorIs(t, err, identity.ErrExpiredCeremony)
	})
}

func TestCounterThatWentBackIsACopy(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		_, d, _ := enrolled(t, i, identity.Owner, "Ada")
		copied := *d
		for range 3 {
			_, err := d.login(t, i)
			require.NoError(t, err)
		}
		for range 3 { // counts 1, 2 and 3
			_, err := copied.login(t, i)
			assert.ErrorIs(t, err, identity.ErrClonedPasskey)
		}
		_, err := d.login(t, i)
		assert.NoError(t, err, "what was refused changed nothing")
	})
}

func TestAuthenticatorsThatDoNotCountSignInToo(t *testing.T) {
	i, _ := fresh(t)
	_, d, _ := enrolled(t, i, identity.Owner, "Ada")
	for range 3 {
		options, ceremony, err := i.BeginLogin(t.Context())
		require.NoError(t, err)
		d.key.Counter = ^uint32(0) // which get makes 0
		_, err = i.FinishLogin(t.Context(), ceremony, d.get(t, options))
		assert.NoError(t, err)
	}
}

func TestSeveralPasskeysOfWhichTheLastStays(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		p, d, _ := enrolled(t, i, identity.Owner, "Ada")
		bob, _, _ := enrolled(t, i, identity.Owner, "Bob")
		c.pass(time.Second)
		options, ceremony, err := i.BeginPasskey(t.Context(), p.ID)
		require.NoError(t, err)
		asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
		require.NoError(t, err)
		assert.True(t, d.key.IsExcludedForAttestation(*asked))
		second := newDevice()
		answer := second.create(t, options)
		_, err = i.FinishPasskey(t.Context(), bob.ID, ceremony, "", answer)
		assert.ErrorIs(t, err, identity.ErrBadCeremony, "somebody else began it")
		k, err := i.FinishPasskey(t.Context(), p.ID, ceremony, " my phone ", answer)
		require.NoError(t, err)
		assert.Equal(t, "my phone", k.Name)
		_, err = i.FinishPasskey(t.Context(), p.ID, ceremony, "again", answer)
		assert.ErrorIs(t, err, identity.ErrKnownPasskey)
		in, err := second.login(t, i)
		require.NoError(t, err)
		assert.Equal(t, p.ID, in.ID)

		keys, err := i.Passkeys(t.Context(), p.ID)
		require.NoError(t, err)
		require.Len(t, keys, 2)
		assert.Equal(t, k.ID, keys[1].ID)
		assert.ErrorIs(t, i.RemovePasskey(t.Context(), bob.ID, k.ID), identity.ErrUnknownPasskey, "it is not his")
		n := none(t, atOnce(2, func(at int) error { return i.RemovePasskey(t.Context(), p.ID, keys[at].ID) }), identity.ErrLastWayIn)
		assert.Equal(t, 1, n)
		left, err := i.Passkeys(t.Context(), p.ID)
		require.NoError(t, err)
		assert.Len(t, left, 1)
	})
}

func TestWhoIsRemovedHasNoPasskey(t *testing.T) {
	i, _ := fresh(t)
	_, _, _ = enrolled(t, i, identity.Owner, "Ada")
	bob, d, codes := enrolled(t, i, identity.Operator, "Bob")
	options, ceremony, err := i.BeginPasskey(t.Context(), bob.ID)
	require.NoError(t, err)
	require.NoError(t, i.RemoveRole(t.Context(), acme, bob.ID))
	_, err = d.login(t, i)
	assert.ErrorIs(t, err, identity.ErrUnknownPasskey)
	_, err = i.Recover(t.Context(), codes[0].Reveal())
	assert.ErrorIs(t, err, identity.ErrBadCode)
	_, err = i.FinishPasskey(t.Context(), bob.ID, ceremony, "", newDevice().create(t, options))
	assert.ErrorIs(t, err, identity.ErrUnknownPerson)
}

func TestPasskeysNeedAHostWithAName(t *testing.T) {
	for _, text := range []string{"http://127.0.0.1:8080", "http://[::1]:8080", "https://192.0.2.1"} {
		o, _ := options(t, text)
		i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
		_, err := i.PasskeyHost()
		assert.ErrorIs(t, err, identity.ErrNoPasskeys)
		assert.ErrorContains(t, err, "http://localhost")
		_, _, err = i.BeginLogin(t.Context())
		assert.ErrorIs(t, err, identity.ErrNoPasskeys)
		v, err := i.Setup(t.Context(), acme, "Ada", time.Hour)
		require.NoError(t, err)
		_, _, err = i.BeginEnrol(t.Context(), v.Token)
		assert.ErrorIs(t, err, identity.ErrNoPasskeys)
		_, err = i.FinishLogin(t.Context(), "", nil)
		assert.ErrorIs(t, err, identity.ErrNoPasskeys)
	}
}

// TestPasskeysWorkHoweverTheAddressIsWritten: browsers say https://id.example.com for all of these.
func TestPasskeysWorkHoweverTheAddressIsWritten(t *testing.T) {
	for _, text := range []string{"https://id.example.com", "https://id.example.com:443", "HTTPS://ID.Example.com/", "https://id.example.com/base"} {
		o, _ := options(t, text)
		i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
		_, d, _ := enrolled(t, i, identity.Owner, "Ada")
		_, err := d.login(t, i)
		assert.NoError(t, err, text)
	}
}

func TestPasskeysWorkOnLocalhost(t *testing.T) {
	o, _ := options(t, "http://localhost:8080")
	i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
	host, err := i.PasskeyHost()
	require.NoError(t, err)
	assert.Equal(t, "localhost", host)
	v, err := i.Setup(t.Context(), acme, "Ada", time.Hour)
	require.NoError(t, err)
	d := newDevice()
	d.rp.ID, d.rp.Origin = "localhost", "http://localhost:8080"
	_, _, err = d.enrol(t, i, v.Token)
	require.NoError(t, err)
	_, err = d.login(t, i)
	assert.NoError(t, err)
}
