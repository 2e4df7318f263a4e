package secrets_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
)

func TestABackupHoldsEverything(t *testing.T) {
	all, _, _ := twoIssuers(t)
	all.Keys = map[string]channel.Seed{"funding": {1, 2, 3}}
	path := filepath.Join(t.TempDir(), "keys.backup")
	require.NoError(t, secrets.WriteBackup(path, all, phrase(t, passphrase), made))
	b, err := secrets.ReadBackup(path, phrase(t, passphrase))
	require.NoError(t, err)
	assert.Equal(t, all, b.Secrets)
	assert.Equal(t, origin, b.Origin)
	assert.Equal(t, all.Created, b.Made)

	restored := secrets.Safe{Dir: t.TempDir()}
	require.NoError(t, restored.Restore(b))
	loaded, err := restored.Load()
	require.NoError(t, err)
	assert.False(t, loaded.Unbegun, "its ledger is not to be begun again")
	loaded.Unbegun = true
	assert.Equal(t, all, loaded)
	require.ErrorIs(t, restored.Restore(b), fs.ErrExist)

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorIs(t, secrets.WriteBackup(path, fresh(t, 9), phrase(t, passphrase), made), fs.ErrExist)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after, "a backup is not written over")
	_, err = secrets.ReadBackup(path, phrase(t, passphrase+"!"))
	require.ErrorIs(t, err, secrets.ErrWrongKey)
	_, err = secrets.ReadBackup(filepath.Dir(path), phrase(t, passphrase))
	require.ErrorIs(t, err, fs.ErrInvalid)
}

// TestAStrangerOpensABackup with age and a JSON reader, and nothing of ours.
func TestAStrangerOpensABackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.backup")
	require.NoError(t, secrets.WriteBackup(path, fresh(t, 5), phrase(t, passphrase), made))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(file), "-----BEGIN AGE ENCRYPTED FILE-----\n"))
	who, err := age.NewScryptIdentity(passphrase)
	require.NoError(t, err)
	opened, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), who)
	require.NoError(t, err)
	text, err := io.ReadAll(opened)
	require.NoError(t, err)
	var b struct {
		Kind, Origin string
		Secrets      struct {
			Version int
			Log     string
			Issuers []struct{ Name, Seed string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &b))
	assert.Equal(t, "productid-keys", b.Kind)
	assert.Equal(t, origin, b.Origin)
	assert.Equal(t, 2, b.Secrets.Version)
	assert.Equal(t, "Acme", b.Secrets.Issuers[0].Name)
	assert.Len(t, b.Secrets.Issuers[0].Seed, 43)
}

func TestABackupThatIsNotWrittenLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.backup")
	broken := fresh(t, 5)
	broken.Issuers = nil
	require.ErrorContains(t, secrets.WriteBackup(path, broken, phrase(t, passphrase), made), "reading back")
	assert.NoFileExists(t, path)
}

func FuzzParseBackup(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := secrets.ParseBackup(text)
		if err != nil {
			require.Zero(t, b)
			return
		}
		require.Equal(t, b.Origin, b.Secrets.Origin())
		require.NotEmpty(t, b.Secrets.Issuers)
	})
}
