package secrets_test

import (
	"encoding/json"
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

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

var made = time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)

const origin = "log.example.com"

// fresh is the secrets of a new installation; equal numbers give equal ones.
func fresh(t *testing.T, n byte) secrets.Secrets {
	s, err := secrets.New(origin, "Acme", "https://acme.example.com", rand.NewChaCha8([32]byte{n}), made)
	require.NoError(t, err)
	return s
}

func create(t *testing.T, dir string) secrets.Secrets {
	s := fresh(t, 5)
	require.NoError(t, secrets.Safe{Dir: dir}.Create(s))
	return s
}

func TestSecretsAreReadBack(t *testing.T) {
	dir := t.TempDir()
	created := create(t, dir)
	loaded, err := secrets.Safe{Dir: dir}.Load()
	require.NoError(t, err)
	assert.Equal(t, created, loaded)
	first := loaded.Issuers[0]
	assert.Equal(t, "Acme", first.Name)
	different := map[channel.Seed]bool{loaded.Master: true, first.Seed: true, first.Next: true, first.Taps: true}
	assert.Len(t, different, 4)
	signer, err := ledger.NewSigner(string(loaded.Log))
	require.NoError(t, err)
	assert.Equal(t, origin, signer.Name())

	info, err := os.Stat(filepath.Join(dir, secrets.File))
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
			results <- secrets.Safe{Dir: dir}.Create(fresh(t, 6))
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
	path := filepath.Join(dir, secrets.File)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644, 0o601} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := secrets.Safe{Dir: dir}.Load()
		assert.ErrorIs(t, err, secrets.ErrExposed)
		assert.ErrorContains(t, err, fmt.Sprintf("%04o", mode))
	}
}

func TestDamagedSecretsAreRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := secrets.Safe{Dir: dir}.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	create(t, dir)
	path := filepath.Join(dir, secrets.File)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"cut off":          string(good[:len(good)/2]),
		"empty":            "",
		"a bracket behind": string(good) + "}",
		"twice":            string(good) + string(good),
		"another version":  strings.Replace(string(good), `"version": 2`, `"version": 3`, 1),
		"unknown member":   strings.Replace(string(good), `"version"`, `"x": 1, "version"`, 1),
		"no seed":          strings.Replace(string(good), `"tapMaster"`, `"seed"`, 1),
		"a short seed":     strings.Replace(string(good), `"tapMaster": "`, `"tapMaster": "AA`, 1),
		"no log key":       strings.Replace(string(good), "PRIVATE+KEY", "PUBLIC+KEY", 1),
	} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err := secrets.Safe{Dir: dir}.Load()
		assert.Error(t, err, name)
		for _, seed := range seedTexts(t, good) {
			assert.NotContains(t, fmt.Sprint(err), seed, name)
		}
	}
}

func seedTexts(t *testing.T, file []byte) []string {
	var members map[string]any
	require.NoError(t, json.Unmarshal(file, &members))
	issuer := members["issuers"].([]any)[0].(map[string]any)
	return []string{members["master"].(string), members["log"].(string), issuer["seed"].(string), issuer["next"].(string), issuer["tapMaster"].(string)}
}

func TestSecretsDoNotPrint(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	file, err := os.ReadFile(filepath.Join(dir, secrets.File))
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
	for n := range 128 {
		_, err := secrets.New(origin, "Acme", "", strings.NewReader(strings.Repeat("s", n)), made)
		require.Error(t, err, n)
	}
}

// firstVersion is a file as it was written before an installation could serve several issuers.
const firstVersion = `{
	"version": 1,
	"created": "2026-09-21T14:13:20Z",
	"tapMaster": "G8ZRhmNzBC0g6EmDh-Kl5uOIvKIBtAk11_OXm5-qxyQ",
	"issuer": "eG08xZiqrOzSIO5P9cCCCTeQEeQCmUL6FLgT59T1jS0",
	"issuerNext": "b479Jfau_dvTA4DWWp3j4bXx1jfcdhNo9l4ZLjNYeLI",
	"log": "PRIVATE+KEY+log.example.com+db20f223+AclgcBDJpicy9iwyNZtNejV4z1JJLRoUqUK2hDpzoOSO"
}
`

// TestSecretsOfTheFirstVersionAreOneIssuers: its cards keep their channels, and to read the file does not change it.
func TestSecretsOfTheFirstVersionAreOneIssuers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, secrets.File)
	require.NoError(t, os.WriteFile(path, []byte(firstVersion), 0o600))
	s, err := secrets.Safe{Dir: dir}.Load()
	require.NoError(t, err)
	require.Len(t, s.Issuers, 1)
	i := s.Issuers[0]
	assert.Empty(t, i.Name)
	assert.Equal(t, s.Master, i.Taps)
	assert.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), i.Created)
	card, err := tap.ParseCardID("QfT9ctjONUYl-oL8")
	require.NoError(t, err)
	taps, err := secrets.NewAuthors(s).Taps(i.Author().Channel(), card)
	require.NoError(t, err)
	assert.Equal(t, firstVersionTaps, taps.Channel().String())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, firstVersion, string(after))
}

// firstVersionTaps is the tap channel that the program of that time derived for the card below.
const firstVersionTaps = "BAb8Q-O4zMaBhSOMcJDwqBPLgrUGBOMm-OrnOhaDiAA"
