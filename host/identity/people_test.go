package identity_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

func TestInvitationIsUsedOnceAndExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada := enter(t, i, acme, identity.Owner, "Ada")
		v, err := i.Invite(t.Context(), bell, identity.Auditor, " Ada ", time.Hour)
		require.NoError(t, err)
		seen, err := i.Invitation(t.Context(), v.Token)
		require.NoError(t, err)
		assert.Equal(t, "Ada", seen.Name)
		assert.Equal(t, v.Expires, seen.Expires)
		assert.Empty(t, seen.Token)

		p, err := i.Accept(t.Context(), ada.ID, v.Token)
		require.NoError(t, err)
		assert.Equal(t, map[channel.ID]identity.Role{acme: identity.Owner, bell: identity.Auditor}, p.Roles)
		_, err = i.Accept(t.Context(), ada.ID, v.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation, "used")

		v, err = i.Invite(t.Context(), bell, identity.Owner, "Ada", time.Hour)
		require.NoError(t, err)
		_, err = i.Accept(t.Context(), ada.ID, v.Token)
		assert.ErrorIs(t, err, identity.ErrHasRole)
		_, err = i.Accept(t.Context(), "nobody", v.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownPerson)
		c.pass(time.Hour)
		_, err = i.Accept(t.Context(), ada.ID, v.Token)
		assert.ErrorIs(t, err, identity.ErrExpiredInvitation)
		_, err = i.Invitation(t.Context(), "guessed")
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation)
	})
}

func TestOfManyWhoAcceptOneInvitationOneDoes(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		const racers = 8
		var people []identity.Person
		for k := range racers {
			people = append(people, enter(t, i, acme, identity.Owner, fmt.Sprint("racer ", k)))
		}
		v, err := i.Invite(t.Context(), bell, identity.Owner, "first", time.Hour)
		require.NoError(t, err)
		n := none(t, atOnce(racers, func(k int) error {
			_, err := i.Accept(t.Context(), people[k].ID, v.Token)
			return err
		}), identity.ErrUnknownInvitation)
		assert.Equal(t, 1, n)
		there, err := i.People(t.Context(), bell)
		require.NoError(t, err)
		assert.Len(t, there, 1)
	})
}

func TestInvitationsAreListedAndWithdrawn(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		v, err := i.Invite(t.Context(), acme, identity.Operator, "Bob", time.Hour)
		require.NoError(t, err)
		all, err := i.Invitations(t.Context(), acme)
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.Equal(t, v.ID, all[0].ID)
		assert.ErrorIs(t, i.Withdraw(t.Context(), bell, v.ID), identity.ErrUnknownInvitation)
		require.NoError(t, i.Withdraw(t.Context(), acme, v.ID))
		_, err = i.Invitation(t.Context(), v.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation)

		_, err = i.Invite(t.Context(), acme, identity.Operator, "Bob", time.Hour)
		require.NoError(t, err)
		c.pass(time.Hour)
		all, err = i.Invitations(t.Context(), acme)
		require.NoError(t, err)
		assert.Empty(t, all, "expired")
	})
}

func TestOrdersOfInvitationsAreChecked(t *testing.T) {
	i, _ := fresh(t)
	_, err := i.Invite(t.Context(), acme, "king", "Bob", time.Hour)
	assert.ErrorIs(t, err, identity.ErrUnknownRole)
	_, err = i.Invite(t.Context(), acme, identity.Owner, "", time.Hour)
	assert.ErrorIs(t, err, identity.ErrName)
	for _, life := range []time.Duration{0, -time.Second, 32 * 24 * time.Hour} {
		_, err = i.Invite(t.Context(), acme, identity.Owner, "Bob", life)
		assert.ErrorIs(t, err, identity.ErrLifetime)
	}
}

// TestSetupLinkCountsOnlyWhileThereIsNoOwner: a link in the log of an earlier start must make nobody an owner later.
func TestSetupLinkCountsOnlyWhileThereIsNoOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		guest := enter(t, i, bell, identity.Owner, "guest")
		first, err := i.Setup(t.Context(), acme, "owner", 30*time.Minute)
		require.NoError(t, err)
		second, err := i.Setup(t.Context(), acme, "owner", 30*time.Minute)
		require.NoError(t, err)
		_, err = i.Accept(t.Context(), guest.ID, first.Token)
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation, "the newer one voids it")
		enter(t, i, acme, identity.Owner, "Ada")
		_, err = i.Accept(t.Context(), guest.ID, second.Token)
		assert.ErrorIs(t, err, identity.ErrHasOwner)
		_, err = i.Setup(t.Context(), acme, "owner", 30*time.Minute)
		assert.ErrorIs(t, err, identity.ErrHasOwner)
	})
}

func TestTheLastOwnerStays(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada, bob := enter(t, i, acme, identity.Owner, "Ada"), enter(t, i, acme, identity.Operator, "Bob")
		assert.ErrorIs(t, i.SetRole(t.Context(), acme, ada.ID, identity.Auditor), identity.ErrLastOwner)
		assert.ErrorIs(t, i.RemoveRole(t.Context(), acme, ada.ID), identity.ErrLastOwner)
		assert.ErrorIs(t, i.SetRole(t.Context(), acme, bob.ID, "king"), identity.ErrUnknownRole)
		assert.ErrorIs(t, i.SetRole(t.Context(), bell, bob.ID, identity.Owner), identity.ErrUnknownPerson)
		assert.ErrorIs(t, i.RemoveRole(t.Context(), bell, bob.ID), identity.ErrUnknownPerson)
		require.NoError(t, i.SetRole(t.Context(), acme, bob.ID, identity.Owner))

		both := []identity.Person{ada, bob}
		n := none(t, atOnce(2, func(k int) error { return i.RemoveRole(t.Context(), acme, both[k].ID) }), identity.ErrLastOwner)
		assert.Equal(t, 1, n, "of two owners who remove each other, one stays")
		left, err := i.People(t.Context(), acme)
		require.NoError(t, err)
		require.Len(t, left, 1)
		assert.Equal(t, identity.Owner, left[0].Roles[acme])
	})
}

func TestPersonsMayDoWhatTheirRolesAllow(t *testing.T) {
	i, _ := fresh(t)
	ada := enter(t, i, acme, identity.Operator, "Ada")
	actor := ada.Actor()
	assert.Equal(t, ada.ID, actor.ID)
	assert.NoError(t, actor.MayGrant(acme, identity.ReadCards, identity.RecordTaps))
	assert.ErrorIs(t, actor.MayGrant(acme, identity.ReadCards, identity.ManageKeys), identity.ErrForbidden)
	assert.ErrorIs(t, actor.May(bell, identity.ReadCards), identity.ErrForeignIssuer)
}

func TestPeopleAreRenamed(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada := enter(t, i, acme, identity.Owner, "Owner")
		require.NoError(t, i.Rename(t.Context(), ada.ID, " Ada Rossi "))
		p, err := i.Person(t.Context(), ada.ID)
		require.NoError(t, err)
		assert.Equal(t, "Ada Rossi", p.Name)
		assert.ErrorIs(t, i.Rename(t.Context(), ada.ID, "\u202eAda"), identity.ErrName, "it would turn what is beside it")
		assert.ErrorIs(t, i.Rename(t.Context(), "nobody", "Ada"), identity.ErrUnknownPerson)
	})
}

func TestLinkKeepsItsTokenFromServers(t *testing.T) {
	i, _ := fresh(t)
	v, err := i.Setup(t.Context(), acme, "Ada", time.Hour)
	require.NoError(t, err)
	u, err := url.Parse(v.Link(&url.URL{Scheme: "https", Host: "id.example.com"}).Reveal())
	require.NoError(t, err)
	assert.Equal(t, "/office/setup", u.RequestURI(), "what is sent")
	assert.Equal(t, v.Token.Reveal(), u.Fragment)
}

// TestWithoutAnAddressNobodySignsIn, and people and keys are administered all the same.
func TestWithoutAnAddressNobodySignsIn(t *testing.T) {
	o, _ := options(t, "https://id.example.com")
	o.Origin, o.Providers = nil, []identity.Provider{{Issuer: "https://login.example.com", ClientID: "x"}}
	i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
	v, err := i.Setup(t.Context(), acme, "Ada", time.Hour)
	require.NoError(t, err)
	_, _, err = i.BeginEnrol(t.Context(), v.Token)
	assert.ErrorIs(t, err, identity.ErrNoPasskeys)
	_, _, err = i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: "https://login.example.com"})
	assert.ErrorIs(t, err, identity.ErrUnknownProvider)
	_, _, err = i.CreateKey(t.Context(), order(identity.ReadCards))
	assert.NoError(t, err)
}

func TestSecretsPrintRedacted(t *testing.T) {
	i, _ := fresh(t)
	v, err := i.Invite(t.Context(), acme, identity.Owner, "Ada", time.Hour)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v", v, v), fmt.Sprintf("%s %q %x", v.Token, v.Token, v.Token)} {
		assert.NotContains(t, text, v.Token.Reveal())
		assert.Contains(t, text, "[redacted]")
	}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	assert.NotContains(t, string(b), v.Token.Reveal())
}
