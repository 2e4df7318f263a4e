package secrets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
)

const passphrase = "correct horse battery staple"

func phrase(t testing.TB, text string) secrets.Key {
	k, err := secrets.Passphrase(text)
	require.NoError(t, err)
	return secrets.Cheap(k)
}

// identity is a key as age-keygen makes it, and its text.
func identity(t testing.TB) (secrets.Key, string) {
	i, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	k, err := secrets.ParseKey("# created: today\n# public key: " + i.Recipient().String() + "\n" + i.String() + "\n")
	require.NoError(t, err)
	return k, i.String()
}

// names are the files in a folder.
func names(t testing.TB, dir string) []string {
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

// TestSecretsAreClosedAndOpened: with either kind of key, from the first day on or later, and back.
func TestSecretsAreClosedAndOpened(t *testing.T) {
	own, _ := identity(t)
	for name, key := range map[string]secrets.Key{"identity": own, "passphrase": phrase(t, passphrase)} {
		t.Run(name, func(t *testing.T) {
			s, all := secrets.Safe{Dir: t.TempDir()}, fresh(t, 5)
			require.NoError(t, s.Create(all))
			s.Key = key
			loaded, err := s.Load()
			require.NoError(t, err, "a key does not keep plain secrets from being read")
			assert.Equal(t, all, loaded)

			require.NoError(t, s.Encrypt())
			assert.Equal(t, []string{secrets.SealedFile}, names(t, s.Dir))
			encrypted, err := s.Encrypted()
			require.NoError(t, err)
			assert.True(t, encrypted)
			loaded, err = s.Load()
			require.NoError(t, err)
			assert.Equal(t, all, loaded)
			require.ErrorIs(t, s.Encrypt(), fs.ErrExist)
			require.ErrorIs(t, s.Create(fresh(t, 6)), fs.ErrExist)

			require.NoError(t, s.Decrypt())
			assert.Equal(t, []string{secrets.File}, names(t, s.Dir))
			require.ErrorIs(t, s.Decrypt(), fs.ErrExist)

			born := secrets.Safe{Dir: t.TempDir(), Key: key}
			require.NoError(t, born.Create(all))
			assert.Equal(t, []string{secrets.SealedFile}, names(t, born.Dir))
			info, err := os.Stat(filepath.Join(born.Dir, secrets.SealedFile))
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode())
		})
	}
}

func TestWithoutItsKeySecretsStayClosed(t *testing.T) {
	key, text := identity(t)
	other, _ := identity(t)
	s := secrets.Safe{Dir: t.TempDir(), Key: key}
	require.NoError(t, s.Create(fresh(t, 5)))
	file, err := os.ReadFile(filepath.Join(s.Dir, secrets.SealedFile))
	require.NoError(t, err)
	for want, k := range map[error]secrets.Key{secrets.ErrNoKey: {}, secrets.ErrWrongKey: other} {
		s.Key = k
		_, err := s.Load()
		require.ErrorIs(t, err, want)
		_, err = s.Change(func(*secrets.Secrets) error { return nil })
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, s.Decrypt(), want)
	}
	s.Key = phrase(t, passphrase)
	_, err = s.Load()
	require.ErrorIs(t, err, secrets.ErrWrongKey)
	s.Key, s.Ask = secrets.Key{}, func() (secrets.Key, error) { return key, nil }
	_, err = s.Load()
	require.NoError(t, err, "who is asked for the key may give it")
	s.Ask = func() (secrets.Key, error) { return secrets.Key{}, errors.New("nobody there") }
	_, err = s.Load()
	require.ErrorContains(t, err, "nobody there")
	after, err := os.ReadFile(filepath.Join(s.Dir, secrets.SealedFile))
	require.NoError(t, err)
	assert.Equal(t, file, after)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q %x", key, key, key, key, key, key), strings.TrimPrefix(text, "AGE-SECRET-KEY-1"))
}

func TestWeakPassphrasesCloseNothing(t *testing.T) {
	for _, text := range []string{"short", "elevenchars", "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabc", "日本日本日本日本日本日本"} {
		s := secrets.Safe{Dir: t.TempDir()}
		require.NoError(t, s.Create(fresh(t, 5)))
		s.Key = phrase(t, text)
		require.ErrorIs(t, s.Encrypt(), secrets.ErrWeakKey, text)
		assert.Equal(t, []string{secrets.File}, names(t, s.Dir))
		path := filepath.Join(s.Dir, "backup")
		require.ErrorIs(t, secrets.WriteBackup(path, fresh(t, 5), s.Key, made), secrets.ErrWeakKey)
		assert.NoFileExists(t, path)
		require.ErrorIs(t, secrets.Safe{Dir: t.TempDir(), Key: s.Key}.Create(fresh(t, 5)), secrets.ErrWeakKey)
	}
	for _, text := range []string{"", " \n\t"} {
		_, err := secrets.ParseKey(text)
		require.ErrorIs(t, err, secrets.ErrNoKey)
	}
}

func TestAPassphraseIsOneLine(t *testing.T) {
	_, err := secrets.ParseKey("correct horse\nbattery staple")
	require.ErrorIs(t, err, secrets.ErrBadKey, "age would not let anybody type it")
	_, err = secrets.ParseKey("correct horse battery\r\n")
	require.NoError(t, err)
}

// A text is a key or is refused, by an error that does not quote it.
func FuzzParseKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		k, err := secrets.ParseKey(text)
		assert.Equal(t, err != nil, k.IsZero())
		if err != nil && len(text) > 20 {
			assert.NotContains(t, err.Error(), text)
		}
	})
}

// TestAMistypedIdentityIsNoPassphrase: it would close the secrets under a text that somebody takes for something else.
func TestAMistypedIdentityIsNoPassphrase(t *testing.T) {
	_, text := identity(t)
	for _, bad := range []string{text[:len(text)-1], strings.ToLower(text[:20]) + text[20:], text + "X", "AGE-SECRET-KEY-PQ-1ABC"} {
		_, err := secrets.ParseKey(bad)
		require.ErrorIs(t, err, secrets.ErrBadKey)
		assert.NotContains(t, err.Error(), bad)
	}
}

func TestFilesThatAreNoneAreRefused(t *testing.T) {
	key, _ := identity(t)
	s := secrets.Safe{Dir: t.TempDir(), Key: key}
	require.NoError(t, s.Create(fresh(t, 5)))
	path := filepath.Join(s.Dir, secrets.SealedFile)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	bad := map[string][]byte{"empty": nil, "text": []byte("hello"), "long": bytes.Repeat(good, 4000)}
	for n := range 40 {
		bad[fmt.Sprint("cut ", n)] = good[:len(good)*n/40]
		changed := bytes.Clone(good)
		changed[len(good)*n/40] ^= 1
		bad[fmt.Sprint("changed ", n)] = changed
	}
	for name, file := range bad {
		require.NoError(t, os.WriteFile(path, file, 0o600))
		if _, err := s.Load(); name != "changed 39" {
			assert.Error(t, err, name)
		}
	}
	require.NoError(t, os.WriteFile(path, good, 0o600))
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = s.Load()
	assert.ErrorIs(t, err, secrets.ErrExposed)
}

// TestWhatAnotherProgramClosedIsOpened: armored or not.
func TestWhatAnotherProgramClosedIsOpened(t *testing.T) {
	s := secrets.Safe{Dir: t.TempDir()}
	require.NoError(t, s.Create(fresh(t, 5)))
	plain, err := os.ReadFile(filepath.Join(s.Dir, secrets.File))
	require.NoError(t, err)
	recipient, err := age.NewScryptRecipient("tiny")
	require.NoError(t, err)
	recipient.SetWorkFactor(4)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.Remove(filepath.Join(s.Dir, secrets.File)))
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, secrets.SealedFile), sealed.Bytes(), 0o600))
	s.Key = phrase(t, "tiny")
	loaded, err := s.Load()
	require.NoError(t, err)
	assert.Equal(t, fresh(t, 5), loaded)
}

// TestCostlyPassphrasesAreNotTried: a hostile file must not take all memory.
func TestCostlyPassphrasesAreNotTried(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, secrets.WriteBackup(path, fresh(t, 5), phrase(t, passphrase), made))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	var plain bytes.Buffer
	_, err = plain.ReadFrom(armor.NewReader(bytes.NewReader(file)))
	require.NoError(t, err)
	header, _, _ := strings.Cut(plain.String(), "\n---")
	costly := strings.Replace(plain.String(), header, strings.Replace(header, " 4\n", " 30\n", 1), 1)
	require.NotEqual(t, plain.String(), costly)
	require.NoError(t, os.WriteFile(path, []byte(costly), 0o600))
	_, err = secrets.ReadBackup(path, phrase(t, passphrase))
	require.ErrorContains(t, err, "work factor")
}

func TestTwoFilesThatDifferAreBothKept(t *testing.T) {
	key, _ := identity(t)
	s := secrets.Safe{Dir: t.TempDir()}
	require.NoError(t, s.Create(fresh(t, 5)))
	s.Key = key
	other := secrets.Safe{Dir: t.TempDir(), Key: key}
	require.NoError(t, other.Create(fresh(t, 6)))
	require.NoError(t, os.Rename(filepath.Join(other.Dir, secrets.SealedFile), filepath.Join(s.Dir, secrets.SealedFile)))
	require.ErrorIs(t, s.Encrypt(), secrets.ErrTwo)
	require.ErrorIs(t, s.Decrypt(), secrets.ErrTwo)
	assert.Len(t, names(t, s.Dir), 2)
	loaded, err := s.Load()
	require.NoError(t, err)
	assert.Equal(t, fresh(t, 6), loaded, "the encrypted file counts")
}

// TestChangesDoNotOvertakeEachOther: none of many at once is lost.
func TestChangesDoNotOvertakeEachOther(t *testing.T) {
	key, _ := identity(t)
	for name, s := range map[string]secrets.Safe{"plain": {}, "encrypted": {Key: key}} {
		t.Run(name, func(t *testing.T) {
			s.Dir = t.TempDir()
			require.NoError(t, s.Create(fresh(t, 5)))
			var all sync.WaitGroup
			for n := range byte(8) {
				all.Go(func() {
					_, err := s.Change(func(all *secrets.Secrets) error {
						i, err := secrets.NewIssuer(fmt.Sprint("issuer ", n), "", rand.NewChaCha8([32]byte{100 + n}), made)
						all.Issuers = append(all.Issuers, i)
						return err
					})
					assert.NoError(t, err)
				})
			}
			all.Wait()
			loaded, err := s.Load()
			require.NoError(t, err)
			assert.Len(t, loaded.Issuers, 9)
			assert.Len(t, names(t, s.Dir), 1)
		})
	}
}

func TestAChangeThatCannotBeReadBackIsNone(t *testing.T) {
	s, before := secrets.Safe{Dir: t.TempDir()}, fresh(t, 5)
	require.NoError(t, s.Create(before))
	refuse := errors.New("no")
	for name, change := range map[string]func(*secrets.Secrets) error{
		"refused":        func(*secrets.Secrets) error { return refuse },
		"no issuer left": func(all *secrets.Secrets) error { all.Issuers = nil; return nil },
		"twice":          func(all *secrets.Secrets) error { all.Issuers = append(all.Issuers, all.Issuers[0]); return nil },
		"no log":         func(all *secrets.Secrets) error { all.Log = ""; return nil },
	} {
		_, err := s.Change(change)
		require.Error(t, err, name)
		loaded, err := s.Load()
		require.NoError(t, err)
		assert.Equal(t, before, loaded, name)
	}
}
