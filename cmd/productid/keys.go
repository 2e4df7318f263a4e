package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
)

func (a *app) keys() *cobra.Command {
	c := group("keys", "Back up the installation's secrets, encrypt them, put them back; API keys",
		`  productid keys backup keys.age             a copy under a passphrase
  productid keys encrypt                     the data folder's own
  productid keys api create --name "web shop" --scope taps:record`)
	c.Long = `The secrets make your cards yours: who has them writes on the ledger in your name, and who lost them never does again. A data
folder keeps them in secrets.json, or encrypted in secrets.age.

The key to secrets.age is looked for in PRODUCTID_SECRETS_KEY, in the file that PRODUCTID_SECRETS_KEY_FILE names, and in the systemd
credential productid-secrets-key (LoadCredential=); else it is asked for. It is an age identity (AGE-SECRET-KEY-1…, as age-keygen
makes it) or a passphrase. Both kinds of files open with age.`
	c.AddCommand(a.keysBackup(), a.keysRestore(), a.keysEncrypt(), a.keysDecrypt(), a.keysAPI())
	return c
}

// Where the key to the secrets comes from. They are no flags: a command line can be read by others.
const (
	keyVariable     = "PRODUCTID_SECRETS_KEY"
	keyFileVariable = "PRODUCTID_SECRETS_KEY_FILE"
	credential      = "productid-secrets-key"
)

// safe is where the secrets are, with the key to them as far as it was given.
func (a *app) safe(ctx context.Context) (secrets.Safe, error) {
	s := secrets.Safe{Dir: a.flags.data, Key: a.key}
	if s.Key.IsZero() {
		var err error
		if s.Key, err = a.givenKey(); err != nil {
			return s, err
		}
	}
	s.Ask = func() (secrets.Key, error) {
		text, err := a.console.AskSecret(ctx, "passphrase of "+filepath.Join(s.Dir, secrets.SealedFile)+": ")
		if errors.Is(err, console.ErrNotAsked) {
			err = secrets.ErrNoKey
		}
		if err != nil {
			return secrets.Key{}, err
		}
		a.key, err = secrets.ParseKey(text) // nobody is asked twice
		return a.key, err
	}
	return s, nil
}

// givenKey reads the key from where it may have been put; it is none when it was put nowhere.
func (a *app) givenKey() (secrets.Key, error) {
	const what = "reading the key to the secrets"
	text, file := a.env(keyVariable), a.env(keyFileVariable)
	if text != "" && file != "" {
		return secrets.Key{}, console.Misuse(what, keyVariable+" and "+keyFileVariable+" are both set", "set one of them")
	}
	if dir := a.env("CREDENTIALS_DIRECTORY"); text == "" && file == "" && dir != "" {
		path := filepath.Join(dir, credential)
		if _, err := os.Lstat(path); err == nil {
			file = path
		}
	}
	if file != "" {
		var err error
		if text, err = readShort(file); err != nil {
			return secrets.Key{}, fmt.Errorf("%s: %w", what, err)
		}
	} else if text == "" {
		return secrets.Key{}, nil
	}
	key, err := secrets.ParseKey(text)
	if err != nil {
		return secrets.Key{}, fmt.Errorf("%s: %w", what, err)
	}
	return key, nil
}

// withoutKey is an environment for programs that have no business with the secrets.
func withoutKey(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, keyVariable+"=") })
}

// readShort reads a file that holds one line or a few.
func readShort(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const most = 1 << 16
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s is too long to hold a key", path)
	}
	return string(text), err
}

// warnPlain says, once, that whoever reads the disk has the secrets. Not where they are gone at the end, or nobody's.
func (a *app) warnPlain(s secrets.Safe) {
	if encrypted, err := s.Encrypted(); encrypted || err != nil || a.temporary || a.quiet {
		return
	}
	a.quiet = true
	a.console.Warn(console.Warning{Code: "secrets_plain", What: filepath.Join(s.Dir, secrets.File) + " is not encrypted", Next: "productid keys encrypt does that"})
}

// newPassphrase takes a passphrase that is to close something: from a file, or from a person, twice.
func (a *app) newPassphrase(ctx context.Context, file string) (secrets.Key, error) {
	const what = "choosing a passphrase"
	first, err := a.passphrase(ctx, file, "new passphrase: ")
	if err != nil {
		return secrets.Key{}, err
	}
	key, err := secrets.ParseKey(first)
	switch {
	case errors.Is(err, secrets.ErrNoKey):
		err = fmt.Errorf("%w: it is empty", secrets.ErrWeakKey)
	case err == nil:
		err = key.Check()
	}
	if err != nil {
		return secrets.Key{}, fmt.Errorf("%s: %w", what, err)
	}
	if file != "" {
		return key, nil
	}
	second, err := a.passphrase(ctx, "", "once more: ")
	if err == nil && second != first {
		err = &console.Problem{Code: "not_confirmed", What: what, Why: "the two are not the same", Next: "run it again: nothing was written", Exit: console.Failure}
	}
	return key, err
}

func (a *app) passphrase(ctx context.Context, file, prompt string) (string, error) {
	if file != "" {
		text, err := readShort(file)
		if err != nil {
			return "", fmt.Errorf("reading the passphrase: %w", err)
		}
		return text, nil
	}
	text, err := a.console.AskSecret(ctx, prompt)
	if errors.Is(err, console.ErrNotAsked) {
		return "", console.Misuse("asking for a passphrase", "there is no terminal to ask on", "give --passphrase-file FILE")
	}
	return text, err
}

func passphraseFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "passphrase-file", "", "`file` that holds the passphrase, instead of asking")
}

func (a *app) keysEncrypt() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "encrypt", Short: "Encrypt the secrets in the data folder",
		Long: `Replaces secrets.json by secrets.age, closed with the key that PRODUCTID_SECRETS_KEY, PRODUCTID_SECRETS_KEY_FILE or the systemd
credential gives, else with a passphrase. From then on every command needs that key. The plain file is removed after the new one was
read back; copies of it in backups, snapshots and unused blocks of the disk are not reached.`,
		Example: "  productid keys encrypt",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.openedSafe(c.Context())
			if err == nil && (s.Key.IsZero() || file != "") {
				s.Key, err = a.newPassphrase(c.Context(), file)
			}
			if err == nil {
				err = s.Encrypt()
			}
			if err != nil {
				return keptSo(err)
			}
			return a.answerKept(filepath.Join(s.Dir, secrets.SealedFile), true)
		},
	}
	passphraseFlag(c, &file)
	return c
}

func (a *app) keysDecrypt() *cobra.Command {
	return &cobra.Command{
		Use: "decrypt", Short: "Keep the secrets in the data folder in the clear again",
		Long:    "Replaces secrets.age by secrets.json, which only its file mode protects. The way to another key is to decrypt and to encrypt again.",
		Example: "  productid keys decrypt",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.openedSafe(c.Context())
			if err == nil {
				err = s.Decrypt()
			}
			if err != nil {
				return keptSo(err)
			}
			return a.answerKept(filepath.Join(s.Dir, secrets.File), false)
		},
	}
}

// openedSafe is where the secrets are, and the key to them when they are encrypted.
func (a *app) openedSafe(ctx context.Context) (secrets.Safe, error) {
	a.quiet = true
	if _, err := a.loadSecrets(ctx); err != nil {
		return secrets.Safe{}, err
	}
	return a.safe(ctx)
}

// keptSo puts into words that the secrets are kept that way already.
func keptSo(err error) error {
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return &console.Problem{Code: "kept_so", What: "changing how the secrets are kept", Why: "they are kept that way already", Next: "nothing is to be done; for another key, keys decrypt and then keys encrypt", Exit: console.Failure, Cause: err}
}

func (a *app) answerKept(path string, encrypted bool) error {
	v := struct {
		File      string `json:"file"`
		Encrypted bool   `json:"encrypted"`
	}{path, encrypted}
	return a.console.Answer(v, func(w io.Writer) {
		console.Fields(w, "secrets", path, "encrypted", map[bool]string{true: "yes", false: "no"}[encrypted])
	})
}

func (a *app) keysBackup() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write all secrets to a new file, under a passphrase",
		Long: `Writes the secrets of all issuers, the log's key and the installation's other keys to a new file in the age format, and reads it
back. Passphrase and file together are the installation: keep them apart, and keep both.`,
		Example: "  productid keys backup keys.age",
		Args:    arguments(1, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			own, err := a.loadSecrets(c.Context())
			if err != nil {
				return err
			}
			key, err := a.newPassphrase(c.Context(), file)
			if err != nil {
				return err
			}
			err = secrets.WriteBackup(args[0], own, key, time.Now())
			if errors.Is(err, fs.ErrExist) {
				return console.Misuse("writing backup "+args[0], "the file is there already", "name another; nothing is overwritten")
			}
			if err != nil {
				return err
			}
			return a.answerBackup(args[0], own)
		},
	}
	passphraseFlag(c, &file)
	return c
}

func (a *app) keysRestore() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put the secrets of a backup into an empty data folder",
		Long: `Begins a data folder with the secrets of a backup, encrypted where a key to them is set. Secrets that are there are never
overwritten. With the ledger in its place, productid ledger rebuild makes the rest anew.`,
		Example: "  productid --data restored keys restore keys.age",
		Args:    arguments(1, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.safe(c.Context())
			if err != nil {
				return err
			}
			if _, err := s.Encrypted(); !errors.Is(err, fs.ErrNotExist) {
				return errors.Join(err, &console.Problem{Code: "secrets_there", What: "restoring keys into " + s.Dir, Why: "there are secrets already", Next: "give another --data DIR", Exit: console.Failure})
			}
			text, err := a.passphrase(c.Context(), file, "passphrase of "+args[0]+": ")
			if err != nil {
				return err
			}
			key, err := secrets.ParseKey(text)
			if err != nil {
				return err
			}
			b, err := secrets.ReadBackup(args[0], key)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(s.Dir, 0o700); err != nil {
				return fmt.Errorf("restoring keys: %w", err)
			}
			if err := s.Restore(b); err != nil {
				return err
			}
			a.warnPlain(s)
			a.console.Say("put the ledger in its place, if it is not there, then run productid ledger rebuild")
			return a.answerBackup(args[0], b.Secrets)
		},
	}
	passphraseFlag(c, &file)
	return c
}

func (a *app) answerBackup(path string, all secrets.Secrets) error {
	v := struct {
		File    string   `json:"file"`
		Origin  string   `json:"origin"`
		Issuers []string `json:"issuers"` // channels
	}{File: path, Origin: all.Origin()}
	for _, i := range all.Issuers {
		v.Issuers = append(v.Issuers, i.Author().Channel().String())
	}
	return a.console.Answer(v, func(w io.Writer) {
		console.Fields(w, "backup", path, "ledger", v.Origin, "issuers", fmt.Sprint(len(v.Issuers)))
	})
}
