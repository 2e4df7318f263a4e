package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Backup is what a backup file holds, docs/formats/keys.md.
type Backup struct {
	Made    time.Time // UTC, whole milliseconds
	Origin  string    // of the installation's log
	Secrets Secrets
}

const (
	backupKind    = "productid-keys"
	backupVersion = 1
)

type backupText struct {
	Kind    string          `json:"kind"`
	Version int             `json:"version"`
	Made    time.Time       `json:"made"`
	Origin  string          `json:"origin"`
	Secrets json.RawMessage `json:"secrets"`
}

// Origin returns the name of the installation's log.
func (s Secrets) Origin() string {
	rest := strings.TrimPrefix(string(s.Log), "PRIVATE+KEY+")
	name, _, _ := strings.Cut(rest, "+")
	return name
}

// WriteBackup stores all secrets in a new file, closed with key. It returns after the file is on the disk and was read back, and
// never overwrites: a file that is there gives fs.ErrExist. A crash before that may leave a file that does not open.
func WriteBackup(path string, all Secrets, key Key, now time.Time) error {
	if err := writeBackup(path, all, key, now); err != nil {
		return fmt.Errorf("writing backup %s: %w", path, err)
	}
	return nil
}

func writeBackup(path string, all Secrets, key Key, now time.Time) (err error) {
	text, err := Backup{milliseconds(now), all.Origin(), all}.text()
	if err != nil {
		return err
	}
	sealed, err := key.seal(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // no link: a memory stick may have none
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	_, err = f.Write(sealed)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	if _, err := ReadBackup(path, key); err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	return nil
}

// Restore stores the secrets of a backup as Create does. The installation that made the backup may have begun a ledger since.
func (s Safe) Restore(b Backup) error {
	b.Secrets.Unbegun = false
	return s.Create(b.Secrets)
}

// ReadBackup opens a backup file. The errors are ErrNoKey, ErrWrongKey, the file's, and others for what is no backup.
func ReadBackup(path string, key Key) (Backup, error) {
	b, err := readBackup(path, key)
	if err != nil {
		return Backup{}, fmt.Errorf("reading backup %s: %w", path, err)
	}
	return b, nil
}

func readBackup(path string, key Key) (Backup, error) {
	f, err := os.Open(path)
	if err != nil {
		return Backup{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return Backup{}, errors.Join(fs.ErrInvalid, err)
	}
	sealed, err := readAll(f)
	if err != nil {
		return Backup{}, err
	}
	text, err := key.open(sealed)
	if err != nil {
		return Backup{}, err
	}
	return parseBackup(text)
}

func (b Backup) text() ([]byte, error) {
	all, err := b.Secrets.text()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(backupText{backupKind, backupVersion, b.Made, b.Origin, all}, "", "\t")
	return append(text, '\n'), err
}

func parseBackup(text []byte) (Backup, error) {
	var file backupText
	if err := decode(text, &file); err != nil {
		return Backup{}, errors.New("it holds no backup of keys")
	}
	if file.Kind != backupKind || file.Version != backupVersion {
		return Backup{}, fmt.Errorf("it holds %.40q of version %d, this program knows %q of version %d", file.Kind, file.Version, backupKind, backupVersion)
	}
	all, err := parse(file.Secrets)
	if err != nil {
		return Backup{}, err
	}
	if file.Origin != all.Origin() {
		return Backup{}, errors.New("it names another log than its keys are for")
	}
	return Backup{file.Made, file.Origin, all}, nil
}
