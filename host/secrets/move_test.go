package secrets_test

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func TestSecretsMoveToAnotherLedger(t *testing.T) {
	before := fresh(t, 1)
	before.Unbegun = false
	further, err := secrets.NewIssuer("further", "", rand.Reader, before.Created)
	require.NoError(t, err)
	before.Issuers = append(before.Issuers, further)
	old, err := before.Trusts()
	require.NoError(t, err)
	require.Len(t, old.Logs, 1)
	moves := []channel.ID{before.Issuers[0].Author().Channel()}

	after, err := before.Move("new.example.com", moves, old, rand.Reader)
	require.NoError(t, err)
	assert.True(t, after.Unbegun, "its ledger is to be begun")
	assert.Equal(t, "new.example.com", after.Origin())
	assert.Equal(t, before.Master, after.Master)
	assert.Equal(t, []bool{true, false}, []bool{after.Issuers[0].Moved, after.Issuers[1].Moved})
	assert.False(t, before.Issuers[0].Moved, "the old ones stay")
	assert.True(t, after.CameFrom(old.Logs[0].Origin))
	assert.False(t, after.CameFrom("new.example.com"))

	network := ledger.Coordinator{Network: "private network", Keys: []string{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"}, Threshold: 1}
	again, err := after.Move("third.example.com", moves, ledger.Policy{Coordinators: []ledger.Coordinator{network}}, rand.Reader)
	require.NoError(t, err)
	trusts, err := again.Trusts()
	require.NoError(t, err)
	require.NoError(t, trusts.Check())
	assert.Equal(t, []string{"third.example.com", old.Logs[0].Origin}, []string{trusts.Logs[0].Origin, trusts.Logs[1].Origin})
	assert.True(t, again.CameFrom("private network"))

	safe := secrets.Safe{Dir: t.TempDir()}
	require.NoError(t, safe.Create(again))
	read, err := safe.Load()
	require.NoError(t, err)
	assert.Equal(t, again, read)
	_, err = before.Move("no name", nil, ledger.Policy{}, rand.Reader)
	require.Error(t, err)
}
