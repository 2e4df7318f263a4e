package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/productid/productid/host/store"
)

// What is wrong with a ceremony that a browser brings back.
const (
	// ErrBadCeremony says that it is none of ours, or was begun for something else.
	ErrBadCeremony = refusal("what was begun here does not fit what is to be finished; begin again")
	// ErrExpiredCeremony says that it took too long.
	ErrExpiredCeremony = refusal("it took too long; begin again")
	// ErrUsedCeremony says that it came to its end once already.
	ErrUsedCeremony = refusal("it was finished already; begin again")
)

// ceremonyLife is how long a ceremony may take: time to find a security key, and to sign in at a provider.
const ceremonyLife = 10 * time.Minute

// maxCeremony bounds what is opened at all.
const maxCeremony = 8 << 10

// sealer keeps what is under way in the browser's hands: nothing is written for a sign-in that nobody finishes. A browser can
// neither read it nor change it, and a database row sees to it that none is finished twice.
type sealer struct{ aead cipher.AEAD }

func newSealer(key [32]byte) (sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// sealed is a ceremony before it is encrypted.
type sealed struct {
	Expires int64           `json:"e"` // Unix milliseconds
	State   json.RawMessage `json:"s"`
}

// put seals the state of a ceremony of one kind.
func (i *Identity) put(kind string, state any) (string, error) {
	raw, err := json.Marshal(state)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(sealed{i.o.Now().Add(ceremonyLife).UnixMilli(), raw})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(i.seal.aead.Seal(nil, nil, plain, []byte(kind))), nil
}

// take opens a ceremony of that kind into state, and returns when it expires. Errors: ErrBadCeremony, ErrExpiredCeremony.
func (i *Identity) take(kind, text string, state any) (expires int64, err error) {
	if len(text) > maxCeremony {
		return 0, ErrBadCeremony
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != text { // Go passes over line breaks, and each ceremony has one text
		return 0, ErrBadCeremony
	}
	plain, err := i.seal.aead.Open(nil, nil, b, []byte(kind))
	if err != nil {
		return 0, ErrBadCeremony
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return 0, fmt.Errorf("%w: %v", ErrBadCeremony, err)
	}
	if i.o.Now().UnixMilli() >= s.Expires {
		return 0, ErrExpiredCeremony
	}
	if err := json.Unmarshal(s.State, state); err != nil {
		return 0, fmt.Errorf("%w: %v", ErrBadCeremony, err)
	}
	return s.Expires, nil
}

// use notes, in the transaction of what it was begun for, that a ceremony came to its end. Errors: ErrUsedCeremony.
func (i *Identity) use(ctx context.Context, tx *sql.Tx, text string, expires int64) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM used WHERE expires_ms <= $1", i.o.Now().UnixMilli()); err != nil {
		return err
	}
	n, err := changed(tx.ExecContext(ctx, "INSERT INTO used (hash, expires_ms) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING", hashed(text), expires))
	if err == nil && n == 0 {
		err = ErrUsedCeremony
	}
	return err
}

// unlessUsed returns ErrUsedCeremony for a ceremony that came to its end, else err.
func (i *Identity) unlessUsed(ctx context.Context, text string, err error) error {
	var n int
	failed := i.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM used WHERE hash = $1", hashed(text)).Scan(&n)
	switch {
	case failed != nil:
		return store.Explain(failed)
	case n > 0:
		return ErrUsedCeremony
	}
	return err
}
