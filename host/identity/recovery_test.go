package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

func TestRecoveryCodeGivesAWayBackOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		p, old, codes := enrolled(t, i, identity.Owner, "Ada")
		s := newSite(t, i)
		b := s.browser(t)
		s.ask(t, b, "/in?id="+p.ID)
		assert.Regexp(t, `^([a-z2-7]{4}-){3}[a-z2-7]{4}$`, codes[0].Reveal())
		typed := " " + strings.ToUpper(strings.ReplaceAll(codes[0].Reveal(), "-", " "))
		v, err := i.Recover(t.Context(), typed)
		require.NoError(t, err)
		assert.Equal(t, p.ID, v.Person)
		assert.Equal(t, c.Now().Add(15*time.Minute), v.Expires)
		_, err = i.Recover(t.Context(), codes[0].Reveal())
		assert.ErrorIs(t, err, identity.ErrBadCode, "used")
		left, err := i.RecoveryCodesLeft(t.Context(), p.ID)
		require.NoError(t, err)
		assert.Equal(t, 9, left)
		all, err := i.Invitations(t.Context(), acme)
		require.NoError(t, err)
		assert.Empty(t, all, "it is nobody else's affair")
		bob, _, _ := enrolled(t, i, identity.Owner, "Bob")
		_, err = i.Accept(t.Context(), bob.ID, v.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation, "it is for a passkey of its owner")

		fresh := newDevice()
		back, renewed, err := fresh.enrol(t, i, v.Token)
		require.NoError(t, err)
		assert.Equal(t, p.ID, back.ID)
		assert.Equal(t, p.Roles, back.Roles)
		assert.Len(t, renewed, 10)
		_, name, _ := s.ask(t, b, "/who")
		assert.Empty(t, name, "his sessions have ended")
		_, err = i.Recover(t.Context(), codes[1].Reveal())
		assert.ErrorIs(t, err, identity.ErrBadCode, "the old codes are void")
		for _, d := range []*device{old, fresh} {
			in, err := d.login(t, i)
			require.NoError(t, err)
			assert.Equal(t, p.ID, in.ID)
		}
		keys, err := i.Passkeys(t.Context(), p.ID)
		require.NoError(t, err)
		assert.Len(t, keys, 2)
	})
}

func TestOfManyWhoUseOneCodeOneDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		_, _, codes := enrolled(t, i, identity.Owner, "Ada")
		n := none(t, atOnce(4, func(int) error {
			_, err := i.Recover(t.Context(), codes[3].Reveal())
			return err
		}), identity.ErrBadCode)
		assert.Equal(t, 1, n)
	})
}

func TestAttemptsAtCodesAreLimited(t *testing.T) {
	i, c := fresh(t)
	_, _, codes := enrolled(t, i, identity.Owner, "Ada")
	for range 5 {
		_, err := i.Recover(t.Context(), "aaaa-aaaa-aaaa-aaaa")
		require.ErrorIs(t, err, identity.ErrBadCode)
	}
	_, err := i.Recover(t.Context(), codes[0].Reveal())
	require.ErrorIs(t, err, identity.ErrTooManyTries, "also with a good one")
	later, ok := errors.AsType[*identity.TryLater](err)
	require.True(t, ok)
	c.pass(later.After)
	_, err = i.Recover(t.Context(), codes[0].Reveal())
	assert.NoError(t, err)
}

func TestNewCodesVoidTheOld(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		p, _, codes := enrolled(t, i, identity.Owner, "Ada")
		renewed, err := i.NewRecoveryCodes(t.Context(), p.ID)
		require.NoError(t, err)
		_, err = i.Recover(t.Context(), codes[0].Reveal())
		assert.ErrorIs(t, err, identity.ErrBadCode)
		_, err = i.Recover(t.Context(), renewed[9].Reveal())
		assert.NoError(t, err)
		_, err = i.NewRecoveryCodes(t.Context(), "nobody")
		assert.ErrorIs(t, err, identity.ErrUnknownPerson)
	})
}
