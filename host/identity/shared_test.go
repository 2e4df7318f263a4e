package identity_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store/storetest"
)

// TestSeveralServicesShareADatabase: what one of them gives, takes or uses up, the other knows at once.
func TestSeveralServicesShareADatabase(t *testing.T) {
	for name, place := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "identity.db") },
		"postgres": func() string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(t, "https://id.example.com")
			o.Random = nil
			at := place()
			share(t, [2]*identity.Identity{open(t, at, o), open(t, at, o)})
		})
	}
}

func share(t *testing.T, both [2]*identity.Identity) {
	v, err := both[0].Setup(t.Context(), acme, "Ada", time.Hour)
	require.NoError(t, err)
	n := none(t, atOnce(6, func(k int) error {
		_, _, err := newDevice().enrol(t, both[k%2], v.Token)
		return err
	}), identity.ErrUnknownInvitation)
	assert.Equal(t, 1, n, "of several who redeem it at several services one does")

	bob, d, codes := enrolled(t, both[0], identity.Owner, "Bob")
	in, err := d.login(t, both[1])
	require.NoError(t, err)
	assert.Equal(t, bob.ID, in.ID)
	options, ceremony, err := both[0].BeginLogin(t.Context())
	require.NoError(t, err)
	answer := d.get(t, options)
	n = none(t, atOnce(2, func(k int) error {
		_, err := both[k].FinishLogin(t.Context(), ceremony, answer)
		return err
	}), identity.ErrUsedCeremony)
	assert.Equal(t, 1, n, "a ceremony that one began is finished once, at either")
	n = none(t, atOnce(2, func(k int) error {
		_, err := both[k].Recover(t.Context(), codes[0].Reveal())
		return err
	}), identity.ErrBadCode)
	assert.Equal(t, 1, n)

	here, there := newSite(t, both[0]), newSite(t, both[1])
	b := here.browser(t)
	here.ask(t, b, "/in?id="+bob.ID)
	cookies := here.cookies(t, b)
	_, name, _ := there.ask(t, there.Client(), "/who", cookies...)
	assert.Equal(t, "Bob", name)
	key, token, err := both[0].CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	_, _, err = both[1].Authenticate(t.Context(), token.Reveal())
	require.NoError(t, err)
	require.NoError(t, both[0].RevokeKey(t.Context(), acme, key.ID))
	_, _, err = both[1].Authenticate(t.Context(), token.Reveal())
	assert.ErrorIs(t, err, identity.ErrRevokedKey)
	here.ask(t, b, "/out")
	_, name, _ = there.ask(t, there.Client(), "/who", cookies...)
	assert.Empty(t, name)
}
