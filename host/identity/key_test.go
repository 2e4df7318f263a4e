package identity_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

func order(scopes ...identity.Scope) identity.KeyOrder {
	return identity.KeyOrder{Issuer: acme, Name: "web shop", Scopes: scopes, By: "somebody"}
}

func TestKeyLetsInForItsIssuerAndScopesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		made, token, err := i.CreateKey(t.Context(), order(identity.RecordTaps, identity.ReadCards, identity.RecordTaps))
		require.NoError(t, err)
		assert.Regexp(t, `^pid_live_[a-z2-7]{16}_[a-z2-7]{52}$`, token.Reveal())
		actor, key, err := i.Authenticate(t.Context(), token.Reveal())
		require.NoError(t, err)
		assert.Equal(t, made, key)
		assert.Equal(t, identity.Machine, actor.Kind)
		assert.Equal(t, made.ID, actor.ID)
		assert.NoError(t, actor.May(acme, identity.RecordTaps))
		assert.ErrorIs(t, actor.May(acme, identity.WriteCards), identity.ErrForbidden)
		assert.ErrorIs(t, actor.May(bell, identity.RecordTaps), identity.ErrForeignIssuer)

		keys, err := i.Keys(t.Context(), acme)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		assert.Equal(t, c.Now(), keys[0].Used, "the use was noted")
		c.pass(59 * time.Second)
		_, key, err = i.Authenticate(t.Context(), token.Reveal())
		require.NoError(t, err)
		assert.Equal(t, c.Now().Add(-59*time.Second), key.Used, "noted once a minute")
		others, err := i.Keys(t.Context(), bell)
		require.NoError(t, err)
		assert.Empty(t, others)
	})
}

func TestTamperedTokensAreUnknown(t *testing.T) {
	i, _ := fresh(t)
	_, token, err := i.CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	good := token.Reveal()
	other, _, err := i.CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":         "",
		"prefix alone":  "pid_live_",
		"test for live": strings.Replace(good, "live", "test", 1),
		"capitals":      strings.ToUpper(good),
		"cut":           good[:len(good)-1],
		"longer":        good + "a",
		"space":         good + " ",
		"last letter":   good[:len(good)-1] + flip(good[len(good)-1]),
		"other's id":    strings.Replace(good, good[9:25], other.ID, 1),
		"no such id":    strings.Replace(good, good[9:25], "aaaaaaaaaaaaaaaa", 1),
		"zero byte":     good[:30] + "\x00" + good[31:],
	} {
		actor, _, err := i.Authenticate(t.Context(), text)
		assert.ErrorIs(t, err, identity.ErrUnknownKey, name)
		assert.Equal(t, identity.Actor{}, actor, name)
	}
	_, _, err = i.Authenticate(t.Context(), good)
	require.NoError(t, err)
}

func flip(b byte) string {
	if b == 'a' {
		return "b"
	}
	return "a"
}

func TestExpiredAndRevokedKeysSaySoToTheirHolderAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		o := order(identity.ReadCards)
		o.Expires = c.Now().Add(time.Hour)
		key, token, err := i.CreateKey(t.Context(), o)
		require.NoError(t, err)
		guess := token.Reveal()[:len(token)-1] + flip(token.Reveal()[len(token)-1])
		c.pass(time.Hour - time.Millisecond)
		_, _, err = i.Authenticate(t.Context(), token.Reveal())
		require.NoError(t, err)
		c.pass(time.Millisecond)
		_, _, err = i.Authenticate(t.Context(), token.Reveal())
		assert.ErrorIs(t, err, identity.ErrExpiredKey)
		_, _, err = i.Authenticate(t.Context(), guess)
		assert.ErrorIs(t, err, identity.ErrUnknownKey)

		assert.ErrorIs(t, i.RevokeKey(t.Context(), bell, key.ID), identity.ErrUnknownKey, "it is not theirs")
		require.NoError(t, i.RevokeKey(t.Context(), acme, key.ID))
		when := c.Now()
		c.pass(time.Hour)
		require.NoError(t, i.RevokeKey(t.Context(), acme, key.ID))
		_, _, err = i.Authenticate(t.Context(), token.Reveal())
		assert.ErrorIs(t, err, identity.ErrRevokedKey)
		_, _, err = i.Authenticate(t.Context(), guess)
		assert.ErrorIs(t, err, identity.ErrUnknownKey)
		keys, err := i.Keys(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, when, keys[0].Revoked, "the first time counts")
	})
}

func TestOrdersOfKeysAreChecked(t *testing.T) {
	i, c := fresh(t)
	for want, change := range map[error]func(*identity.KeyOrder){
		identity.ErrUnknownScope: func(o *identity.KeyOrder) { o.Scopes = []identity.Scope{"cards:eat"} },
		identity.ErrName:         func(o *identity.KeyOrder) { o.Name = "two\nlines" },
		identity.ErrExpiry:       func(o *identity.KeyOrder) { o.Expires = c.Now() },
	} {
		o := order(identity.ReadCards)
		change(&o)
		_, token, err := i.CreateKey(t.Context(), o)
		assert.ErrorIs(t, err, want)
		assert.Empty(t, token)
	}
	o := order(identity.ReadCards)
	o.Expires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)) // which is the year 10000, and no list could be written any more
	_, _, err := i.CreateKey(t.Context(), o)
	assert.ErrorIs(t, err, identity.ErrExpiry)
	o.Expires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	_, _, err = i.CreateKey(t.Context(), o)
	assert.NoError(t, err)
	_, _, err = i.CreateKey(t.Context(), order())
	assert.ErrorIs(t, err, identity.ErrUnknownScope, "good for nothing")
}

func TestTestKeysBelongToTheSandboxAlone(t *testing.T) {
	o, _ := options(t, "https://id.example.com")
	now := sandbox
	o.IsTest = func(_ context.Context, issuer channel.ID) bool { return issuer == now }
	i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
	test := order(identity.ReadCards, identity.UseSandbox)
	test.Test = true
	_, _, err := i.CreateKey(t.Context(), test)
	assert.ErrorIs(t, err, identity.ErrSandboxOnly, "for real cards")
	test.Issuer = sandbox
	_, token, err := i.CreateKey(t.Context(), test)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(token.Reveal(), "pid_test_"))
	actor, _, err := i.Authenticate(t.Context(), token.Reveal())
	require.NoError(t, err)
	assert.Equal(t, []channel.ID{sandbox}, actor.Issuers())
	test.Test = false
	_, _, err = i.CreateKey(t.Context(), test)
	assert.ErrorIs(t, err, identity.ErrSandboxOnly, "a live key for software cards")

	now = bell
	_, _, err = i.Authenticate(t.Context(), token.Reveal())
	assert.ErrorIs(t, err, identity.ErrSandboxOnly, "the sandbox is another one now")
	test.Test, test.Issuer = true, bell
	o.IsTest = nil
	_, _, err = open(t, filepath.Join(t.TempDir(), "identity.db"), o).CreateKey(t.Context(), test)
	assert.ErrorIs(t, err, identity.ErrSandboxOnly, "there is no sandbox")
}

func TestNoSecretStandsInTheDatabase(t *testing.T) {
	o, _ := options(t, "https://id.example.com")
	dir := t.TempDir()
	i := open(t, filepath.Join(dir, "identity.db"), o)
	_, token, err := i.CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	v, err := i.Invite(t.Context(), acme, identity.Owner, "Ada", time.Hour)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		all.Write(b)
	}
	require.Contains(t, all.String(), token.Reveal()[9:25], "the id does")
	assert.NotContains(t, all.String(), token.Reveal()[26:])
	assert.NotContains(t, all.String(), v.Token.Reveal())
}
