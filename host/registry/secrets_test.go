package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

var made = time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)

func create(t *testing.T, dir string) registry.Secrets {
	s, err := registry.CreateSecrets(dir, origin, rand.NewChaCha8([32]byte{5}), made)
	require.NoError(t, err)
	return s
}

func TestSecretsAreReadBack(t *testing.T) {
	dir := t.TempDir()
	created := create(t, dir)
	loaded, err := registry.LoadSecrets(dir)
	require.NoError(t, err)
	assert.True(t, created == loaded)
	assert.NotEqual(t, [32]byte(loaded.Issuer), [32]byte(loaded.Master))
	assert.NotEqual(t, [32]byte(loaded.IssuerNext), [32]byte(loaded.Issuer))
	signer, err := ledger.NewSigner(string(loaded.Log))
	require.NoError(t, err)
	assert.Equal(t, origin, signer.Name())

	info, err := os.Stat(filepath.Join(dir, registry.SecretsFile))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing is left beside it")
}

func TestSecretsAreNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	var first sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		first.Go(func() {
			_, err := registry.CreateSecrets(dir, origin, rand.NewChaCha8([32]byte{6}), made)
			results <- err
		})
	}
	first.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else {
			assert.ErrorIs(t, err, fs.ErrExist)
		}
	}
	assert.Equal(t, 1, won)
}

func TestSecretsThatOthersCanReadAreRefused(t *testing.T) {
	dir := t.TempDir()
	create(t, dir)
	path := filepath.Join(dir, registry.SecretsFile)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644, 0o601} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := registry.LoadSecrets(dir)
		assert.ErrorIs(t, err, registry.ErrExposed)
		assert.ErrorContains(t, err, "chmod 600")
		assert.ErrorContains(t, err, fmt.Sprintf("%04o", mode))
	}
}

func TestDamagedSecretsAreRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := registry.LoadSecrets(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	create(t, dir)
	path := filepath.Join(dir, registry.SecretsFile)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"cut off":          string(good[:len(good)/2]),
		"empty":            "",
		"a bracket behind": string(good) + "}",
		"twice":            string(good) + string(good),
		"another version":  strings.Replace(string(good), `"version": 1`, `"version": 2`, 1),
		"unknown member":   strings.Replace(string(good), `"version"`, `"x": 1, "version"`, 1),
		"no seed":          strings.Replace(string(good), `"tapMaster"`, `"issuer"`, 1),
		"a short seed":     strings.Replace(string(good), `"tapMaster": "`, `"tapMaster": "AA`, 1),
		"no log key":       strings.Replace(string(good), "PRIVATE+KEY", "PUBLIC+KEY", 1),
	} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err := registry.LoadSecrets(dir)
		assert.Error(t, err, name)
		for _, seed := range seedTexts(t, good) {
			assert.NotContains(t, fmt.Sprint(err), seed, name)
		}
	}
}

func seedTexts(t *testing.T, file []byte) []string {
	var members map[string]any
	require.NoError(t, json.Unmarshal(file, &members))
	return []string{members["tapMaster"].(string), members["issuer"].(string), members["issuerNext"].(string), members["log"].(string)}
}

func TestSecretsDoNotPrint(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	file, err := os.ReadFile(filepath.Join(dir, registry.SecretsFile))
	require.NoError(t, err)
	inJSON, err := json.Marshal(s)
	require.NoError(t, err)
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %v %s", s, s, s, s.Log, s.Log, s.Log, s.Log.LogValue(), inJSON)
	for _, seed := range seedTexts(t, file) {
		assert.NotContains(t, printed, seed)
	}
	assert.NotContains(t, printed, fmt.Sprintf("%x", s.Master[:]))
	assert.NotContains(t, printed, "PRIVATE+KEY")
}

func TestNoSecretsWithoutRandomness(t *testing.T) {
	dir := t.TempDir()
	_, err := registry.CreateSecrets(dir, origin, strings.NewReader("short"), made)
	require.Error(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, files)
}

// lossy is a ledger whose Submit answers with an error once, after or before it did its work.
type lossy struct {
	*ledger.Memory
	before, after error
}

var errLost = errors.New("the answer was lost")

func (l *lossy) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if err := l.before; err != nil {
		l.before = nil
		return ledger.Receipt{}, err
	}
	r, err := l.Memory.Submit(ctx, m)
	if l.after != nil {
		err, l.after = l.after, nil
	}
	return r, err
}

func TestAnIssuerIsOpenedOnce(t *testing.T) {
	s, ctx := create(t, t.TempDir()), context.Background()
	for name, l := range map[string]*lossy{
		"at the first try":                    {Memory: newLedger(t)},
		"after the ledger was away":           {Memory: newLedger(t), before: errLost},
		"after the answer to it was lost":     {Memory: newLedger(t), after: errLost},
		"after both, with a crash in between": {Memory: newLedger(t), before: errLost, after: errLost},
	} {
		t.Run(name, func(t *testing.T) {
			receipt, err := registry.OpenIssuer(ctx, l, l, s, "Issuer", "https://issuer.example.com")
			for errors.Is(err, errLost) {
				receipt, err = registry.OpenIssuer(ctx, l, l, s, "Issuer", "https://issuer.example.com")
			}
			require.NoError(t, err)
			again, err := registry.OpenIssuer(ctx, l, l, s, "Another name", "https://another.example.com")
			require.NoError(t, err)
			assert.Equal(t, receipt.Hash, again.Hash)
			assert.Equal(t, ledger.Final, receipt.Phase)

			id := channel.NewAuthor(s.Issuer, channel.Public).Channel()
			entries, err := l.Range(ctx, id, 0, 9)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			assert.Equal(t, made.Truncate(time.Millisecond), entries[0].Message.Time())
			states := record.NewMap()
			require.NoError(t, record.Fold(states, entries[0]))
			issuer, found, err := states.Issuer(id)
			require.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, "Issuer", issuer.Name)
			assert.Equal(t, origin, issuer.Log)
		})
	}
}

func TestManyProcessesOpenOneIssuer(t *testing.T) {
	s, l, ctx := create(t, t.TempDir()), newLedger(t), context.Background()
	var all sync.WaitGroup
	hashes := make(chan channel.Hash, 16)
	for i := range cap(hashes) {
		all.Go(func() {
			receipt, err := registry.OpenIssuer(ctx, l, l, s, fmt.Sprint("name ", i%2), "https://issuer.example.com")
			assert.NoError(t, err)
			hashes <- receipt.Hash
		})
	}
	all.Wait()
	first := <-hashes
	for range cap(hashes) - 1 {
		assert.Equal(t, first, <-hashes)
	}
}
