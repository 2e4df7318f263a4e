package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The names of the file that holds the secrets.
const (
	File       = "secrets.json" // in the clear
	SealedFile = "secrets.age"  // encrypted; where both are, this one counts
)

// ErrTwo says that a plain and an encrypted file are there and hold different secrets.
var ErrTwo = errors.New(File + " and " + SealedFile + " hold different secrets")

// Safe is the folder where an installation keeps its secrets.
type Safe struct {
	Dir string
	// Key closes what is made new and opens what is encrypted. Without one, new secrets stay in the clear.
	Key Key
	// Ask, when set, is asked for the key of secrets that are encrypted when Key is none.
	Ask func() (Key, error)
	// Hook, when set, is called with the points that a change of files passes: for crash tests.
	Hook func(point string)
}

func (s Safe) path(name string) string { return filepath.Join(s.Dir, name) }

func (s Safe) passes(point string) {
	if s.Hook != nil {
		s.Hook(point)
	}
}

// Encrypted reports whether the secrets are there and encrypted. The error is fs.ErrNotExist when there are none.
func (s Safe) Encrypted() (bool, error) {
	_, err := os.Lstat(s.path(SealedFile))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(s.path(File))
		return false, err
	}
	return err == nil, err
}

// Create stores the secrets of a new installation, readable by their owner alone. It never overwrites: what is there gives
// fs.ErrExist, also when another process made it just now.
func (s Safe) Create(all Secrets) error {
	if err := s.locked(func() error { return s.create(all) }); err != nil {
		return fmt.Errorf("storing secrets: %w", err)
	}
	return nil
}

func (s Safe) create(all Secrets) error {
	if _, err := s.Encrypted(); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	text, err := all.text()
	if err != nil {
		return err
	}
	if s.Key.IsZero() {
		return s.writeNew(s.path(File), text)
	}
	sealed, err := s.Key.seal(text)
	if err != nil {
		return err
	}
	return s.writeNew(s.path(SealedFile), sealed)
}

// Load reads the secrets. The error is fs.ErrNotExist when there are none, ErrExposed when others could have read them, ErrNoKey
// or ErrWrongKey when they are encrypted and stay closed.
func (s Safe) Load() (Secrets, error) {
	all, _, err := s.load()
	if err != nil {
		return Secrets{}, fmt.Errorf("loading secrets: %w", err)
	}
	return all, nil
}

// load also returns the key that opened them, which is none when they stand in the clear. Another process may put them into the
// other file just now: they are then looked for once more.
func (s Safe) load() (Secrets, Key, error) {
	all, key, err := s.loadNow()
	if errors.Is(err, fs.ErrNotExist) {
		all, key, err = s.loadNow()
	}
	return all, key, err
}

func (s Safe) loadNow() (Secrets, Key, error) {
	encrypted, err := s.Encrypted()
	if err != nil {
		return Secrets{}, Key{}, err
	}
	if !encrypted {
		all, err := readPlain(s.path(File))
		return all, Key{}, err
	}
	key, err := s.opener()
	if err != nil {
		return Secrets{}, Key{}, err
	}
	all, err := readSealed(s.path(SealedFile), key)
	return all, key, err
}

// opener is the key to what is encrypted.
func (s Safe) opener() (Key, error) {
	if s.Key.IsZero() && s.Ask != nil {
		return s.Ask()
	}
	return s.Key, nil
}

func readPlain(path string) (Secrets, error) {
	text, err := readPrivate(path)
	if err != nil {
		return Secrets{}, err
	}
	all, err := parse(text)
	if err != nil {
		return Secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func readSealed(path string, key Key) (Secrets, error) {
	file, err := readPrivate(path)
	if err != nil {
		return Secrets{}, err
	}
	text, err := key.open(file)
	if err != nil {
		return Secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	all, err := parse(text)
	if err != nil {
		return Secrets{}, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// Change replaces the secrets by what change makes of them, in the form in which they are kept, and returns that. No other change
// happens in between. When change fails, or the new file does not read back, the old one stays.
func (s Safe) Change(change func(*Secrets) error) (Secrets, error) {
	var all Secrets
	err := s.locked(func() error {
		var key Key
		var err error
		if all, key, err = s.load(); err != nil {
			return err
		}
		if err := change(&all); err != nil {
			return err
		}
		return s.replace(all, key)
	})
	if err != nil {
		return Secrets{}, fmt.Errorf("changing secrets: %w", err)
	}
	return all, nil
}

// replace writes the file anew, closed with key unless that is none.
func (s Safe) replace(all Secrets, key Key) error {
	if err := all.check(); err != nil {
		return err
	}
	text, err := all.text()
	if err != nil {
		return err
	}
	if key.IsZero() {
		return s.overwrite(s.path(File), text, readPrivate, text)
	}
	sealed, err := key.seal(text)
	if err != nil {
		return err
	}
	return s.overwrite(s.path(SealedFile), sealed, func(path string) ([]byte, error) { return openFile(path, key) }, text)
}

func openFile(path string, key Key) ([]byte, error) {
	file, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return key.open(file)
}

// Encrypt closes secrets that stand in the clear under the safe's key. The plain file goes after the encrypted one is on the disk
// and was read back; what of it lies in old backups, or in blocks that the disk has not reused, stays there. A call that was cut
// off is finished by another one. Secrets that are encrypted already give fs.ErrExist, and two different files ErrTwo.
func (s Safe) Encrypt() error {
	sealed := func(path string) (Secrets, error) { return readSealed(path, s.Key) }
	err := s.Key.Check()
	if err == nil {
		err = s.locked(func() error { return s.move(File, SealedFile, readPlain, sealed, s.Key.seal) })
	}
	if err != nil {
		return fmt.Errorf("encrypting secrets: %w", err)
	}
	return nil
}

// Decrypt is the way back from Encrypt, with the same promises.
func (s Safe) Decrypt() error {
	key, err := s.opener()
	if err == nil {
		sealed := func(path string) (Secrets, error) { return readSealed(path, key) }
		plain := func(text []byte) ([]byte, error) { return text, nil }
		err = s.locked(func() error { return s.move(SealedFile, File, sealed, readPlain, plain) })
	}
	if err != nil {
		return fmt.Errorf("decrypting secrets: %w", err)
	}
	return nil
}

// move puts the secrets from one file into another of another form.
func (s Safe) move(from, to string, readFrom, readTo func(path string) (Secrets, error), form func([]byte) ([]byte, error)) error {
	all, err := readFrom(s.path(from))
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Lstat(s.path(to)); there == nil {
			return fmt.Errorf("%s: %w", s.path(to), fs.ErrExist)
		}
	}
	if err != nil {
		return err
	}
	text, err := all.text()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(s.path(to)); errors.Is(err, fs.ErrNotExist) {
		file, err := form(text)
		if err != nil {
			return err
		}
		if err := s.writeNew(s.path(to), file); err != nil {
			return err
		}
	}
	moved, err := readTo(s.path(to))
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	if again, err := moved.text(); err != nil || !bytes.Equal(again, text) {
		return ErrTwo
	}
	s.passes("read back")
	if err := os.Remove(s.path(from)); err != nil {
		return err
	}
	s.passes("removed")
	return syncDir(s.Dir)
}

// locked keeps other processes' changes out while do runs, after it took away what one of them left behind when it died.
func (s Safe) locked(do func() error) error {
	unlock, err := lockFolder(s.Dir)
	if err != nil {
		return err
	}
	if err = removeIfThere(s.path(newFile)); err == nil {
		err = do()
	}
	return errors.Join(err, unlock())
}
