package secrets

import "filippo.io/age"

// Cheap makes a passphrase cost nothing to try.
func Cheap(k Key) Key {
	k.recipient.(*age.ScryptRecipient).SetWorkFactor(4)
	return k
}

// ParseBackup reads what stands inside a backup file.
func ParseBackup(text []byte) (Backup, error) { return parseBackup(text) }
