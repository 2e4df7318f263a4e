package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
)

// SecretsFile is the name of the file in the data directory that holds the secrets.
const SecretsFile = "secrets.json"

// Secrets is all that an installation has which the ledger has not: with these and the ledger everything else can be made again.
// Who has them writes in the installation's name.
type Secrets struct {
	Created    time.Time    // UTC, whole milliseconds
	Master     channel.Seed // of the cards' channels and of the keys that protect the caches
	Issuer     channel.Seed // of the issuer's own channel; it does not follow from Master
	IssuerNext channel.Seed // of the channel that may succeed it; the issuer's opening commits to it
	Log        LogKey       // of the embedded log
}

// LogKey is the key that signs a log's checkpoints, as golang.org/x/mod/sumdb/note writes it. It prints as "[redacted]";
// conversion to a string is the one way to use it.
type LogKey string

const redacted = "[redacted]"

// String returns "[redacted]".
func (LogKey) String() string { return redacted }

// GoString returns "[redacted]".
func (LogKey) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (LogKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (LogKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (LogKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// secretsJSON is the file. Its fields have types that print, so it stays in this file.
type secretsJSON struct {
	Version    int       `json:"version"`
	Created    time.Time `json:"created"`
	Master     seedJSON  `json:"tapMaster"`
	Issuer     seedJSON  `json:"issuer"`
	IssuerNext seedJSON  `json:"issuerNext"`
	Log        string    `json:"log"`
}

const secretsVersion = 1

// seedJSON is a seed in base64url.
type seedJSON [32]byte

func (s seedJSON) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, s[:]), nil
}

func (s *seedJSON) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(s) {
		return errors.New("a seed is not 32 bytes of base64url")
	}
	*s = seedJSON(b)
	return nil
}

// CreateSecrets makes the secrets of a new installation from random and stores them in dir, readable by their owner alone. When
// it returns they are on the disk, file and directory synced. The log's key is for a log of this origin. It never overwrites: a
// file that is there gives fs.ErrExist, also when another process made it just now.
func CreateSecrets(dir, origin string, random io.Reader, now time.Time) (Secrets, error) {
	s, err := newSecrets(origin, random, now)
	if err != nil {
		return Secrets{}, fmt.Errorf("making secrets: %w", err)
	}
	text, err := s.text()
	if err != nil {
		return Secrets{}, fmt.Errorf("making secrets: %w", err)
	}
	if err := writeNew(filepath.Join(dir, SecretsFile), text); err != nil {
		return Secrets{}, fmt.Errorf("storing secrets: %w", err)
	}
	return s, nil
}

func newSecrets(origin string, random io.Reader, now time.Time) (Secrets, error) {
	s := Secrets{Created: now.UTC().Truncate(time.Millisecond)}
	for _, seed := range []*channel.Seed{&s.Master, &s.Issuer, &s.IssuerNext} {
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			return Secrets{}, err
		}
	}
	key, _, err := note.GenerateKey(random, origin)
	s.Log = LogKey(key)
	return s, err
}

// writeNew stores a new file as a whole or not at all. The finished file gets its name by a link, because a rename would
// overwrite what is there.
func writeNew(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// LoadSecrets reads the secrets in dir. The error is fs.ErrNotExist when there are none, and ErrExposed when others could have
// read them.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, SecretsFile)
	text, err := readPrivate(path)
	if err != nil {
		return Secrets{}, fmt.Errorf("loading secrets: %w", err)
	}
	s, err := parseSecrets(text)
	if err != nil {
		return Secrets{}, fmt.Errorf("loading secrets from %s: %w", path, err)
	}
	return s, nil
}

// parseSecrets refuses what CreateSecrets does not write, such as a file that was cut off or filled in by hand.
func parseSecrets(text []byte) (Secrets, error) {
	var file secretsJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return Secrets{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Secrets{}, errors.New("something stands behind them")
	}
	if file.Version != secretsVersion {
		return Secrets{}, fmt.Errorf("version %d, this program knows %d", file.Version, secretsVersion)
	}
	for _, seed := range []seedJSON{file.Master, file.Issuer, file.IssuerNext} {
		if seed == (seedJSON{}) {
			return Secrets{}, errors.New("a seed is missing")
		}
	}
	if _, err := note.NewSigner(file.Log); err != nil {
		return Secrets{}, errors.New("the log's key is none")
	}
	return Secrets{file.Created, channel.Seed(file.Master), channel.Seed(file.Issuer), channel.Seed(file.IssuerNext), LogKey(file.Log)}, nil
}

// text is the file that holds the secrets.
func (s Secrets) text() ([]byte, error) {
	text, err := json.MarshalIndent(secretsJSON{
		secretsVersion, s.Created, seedJSON(s.Master), seedJSON(s.Issuer), seedJSON(s.IssuerNext), string(s.Log),
	}, "", "\t")
	return append(text, '\n'), err
}

// ErrExposed says that a file of secrets can be read by others than its owner.
var ErrExposed = errors.New("file can be read by others than its owner")

// readPrivate looks at the mode of the file that it has open, not of the one that has its name.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const others fs.FileMode = 0o077
	if mode := info.Mode().Perm(); mode&others != 0 {
		return nil, fmt.Errorf("%s: %w (mode %04o): make it private with chmod 600, and if others may have read it, make new secrets",
			path, ErrExposed, mode)
	}
	return io.ReadAll(f)
}
