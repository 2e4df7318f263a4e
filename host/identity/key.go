package identity

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// Why an API key is not made or does not count. Only who knows a key's secret learns that it expired or was revoked.
const (
	// ErrUnknownKey says that this is no key, or one that was never made here.
	ErrUnknownKey = refusal("no such API key")
	// ErrExpiredKey says that its time is over.
	ErrExpiredKey = refusal("the API key has expired")
	// ErrRevokedKey says that somebody took it back.
	ErrRevokedKey = refusal("the API key was revoked")
	// ErrUnknownScope refuses a key that is good for nothing, or for something that does not exist.
	ErrUnknownScope = refusal("a key needs scopes, and only those that there are")
	// ErrExpiry refuses a key that would expire before it is made, or in a year that no JSON can hold.
	ErrExpiry = refusal("a key expires after it is made, and before the year 10000")
	// ErrSandboxOnly keeps test keys and real cards apart.
	ErrSandboxOnly = refusal("test keys belong to the sandbox issuer, and the sandbox issuer has test keys alone")
)

// KeyOrder says what an API key is to be. Who makes it may give it no scope that he has not himself: see Actor.MayGrant.
type KeyOrder struct {
	Issuer  channel.ID
	Name    string
	Scopes  []Scope
	Expires time.Time // zero for never
	Test    bool      // for the sandbox issuer alone
	By      string    // Actor.ID of who makes it
}

// Key is an API key without its secret.
type Key struct {
	ID      string
	Issuer  channel.ID
	Name    string
	Scopes  []Scope
	Test    bool
	By      string
	Created time.Time
	Expires time.Time // zero for never
	Used    time.Time // to the minute; zero when it was not used yet
	Revoked time.Time // zero while it holds
}

// Actor is the key with what it allows.
func (k Key) Actor() Actor {
	return NewActor(Machine, k.ID, k.Name, map[channel.ID][]Scope{k.Issuer: k.Scopes})
}

// What a token begins with: the words say what a leaked one is worth, and let scanners find it.
const (
	liveToken = "pid_live_"
	testToken = "pid_test_"
)

// usedEvery is how exactly a key's last use is known.
const usedEvery = time.Minute

// CreateKey makes an API key. The secret is its whole token, and nobody can be shown it again. Errors: ErrUnknownScope, ErrName,
// ErrExpiry, ErrSandboxOnly.
func (i *Identity) CreateKey(ctx context.Context, o KeyOrder) (Key, Secret, error) {
	k, token, err := i.createKey(ctx, o)
	if err != nil {
		return Key{}, "", fmt.Errorf("making an API key: %w", err)
	}
	return k, Secret(token), nil
}

// CheckKey says whether such a key can be made: to be asked before the act is recorded. Errors: those of CreateKey.
func (i *Identity) CheckKey(ctx context.Context, o KeyOrder) error {
	if _, err := i.keyOf(ctx, o); err != nil {
		return fmt.Errorf("making an API key: %w", err)
	}
	return nil
}

// keyOf is the key that is ordered, without an id.
func (i *Identity) keyOf(ctx context.Context, o KeyOrder) (k Key, err error) {
	now := i.o.Now()
	k = Key{Issuer: o.Issuer, Test: o.Test, By: o.By, Created: fromMillis(now.UnixMilli()), Expires: fromMillis(millis(o.Expires))}
	if k.Name, err = checkName(o.Name); err != nil {
		return k, err
	}
	if k.Scopes, err = checkScopes(o.Scopes); err != nil {
		return k, err
	}
	if !o.Expires.IsZero() && (!k.Expires.After(now) || k.Expires.Year() > 9999) { // RFC 3339 writes years with four digits
		return k, ErrExpiry
	}
	return k, i.checkSandbox(ctx, k)
}

func (i *Identity) createKey(ctx context.Context, o KeyOrder) (k Key, token string, err error) {
	if k, err = i.keyOf(ctx, o); err != nil {
		return k, "", err
	}
	if k.ID, err = i.random(idBytes); err != nil {
		return k, "", err
	}
	secret, err := i.random(secretBytes)
	if err != nil {
		return k, "", err
	}
	token = liveToken + k.ID + "_" + secret
	if k.Test {
		token = testToken + k.ID + "_" + secret
	}
	return k, token, i.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (id, hash, issuer, name, scopes, test, made_by, created_ms, expires_ms, used_ms, revoked_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)`,
			k.ID, hashed(token), k.Issuer[:], k.Name, joinScopes(k.Scopes), bit(k.Test), k.By, millis(k.Created), millis(k.Expires))
		return err
	})
}

// checkScopes returns the scopes in the order of Scopes, each once.
func checkScopes(asked []Scope) (list []Scope, err error) {
	for _, s := range asked {
		if !slices.Contains(Scopes(), s) {
			return nil, ErrUnknownScope
		}
	}
	for _, s := range Scopes() {
		if slices.Contains(asked, s) {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, ErrUnknownScope
	}
	return list, nil
}

// checkSandbox holds a key against the rule that test keys are the sandbox issuer's, and no other keys are.
func (i *Identity) checkSandbox(ctx context.Context, k Key) error {
	if k.Test != i.o.IsTest(ctx, k.Issuer) {
		return ErrSandboxOnly
	}
	return nil
}

func joinScopes(scopes []Scope) string {
	var words []string
	for _, s := range scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, " ")
}

// parseToken takes a token apart: pid_live_ID_SECRET or pid_test_ID_SECRET.
func parseToken(token string) (id string, test, ok bool) {
	rest, live := strings.CutPrefix(token, liveToken)
	if !live {
		if rest, test = strings.CutPrefix(token, testToken); !test {
			return "", false, false
		}
	}
	id, secret, _ := strings.Cut(rest, "_")
	return id, test, spelled(id, idLetters) && spelled(secret, letters.EncodedLen(secretBytes))
}

// Authenticate returns who shows the token. Whether a well-formed token is known or not, it costs one look into the database and
// one comparison, which takes the same time wherever they differ. Errors: ErrUnknownKey, ErrExpiredKey, ErrRevokedKey, and those
// of the database, which say nothing about the key.
func (i *Identity) Authenticate(ctx context.Context, token string) (Actor, Key, error) {
	k, err := i.authenticate(ctx, token)
	if err != nil {
		return Actor{}, Key{}, fmt.Errorf("checking an API key: %w", err)
	}
	i.noteUse(ctx, k)
	return k.Actor(), k, nil
}

func (i *Identity) authenticate(ctx context.Context, token string) (Key, error) {
	id, test, ok := parseToken(token)
	if !ok {
		return Key{}, ErrUnknownKey
	}
	var hash []byte
	k, err := scanKey(func(into ...any) error {
		return i.db.Read().QueryRowContext(ctx, "SELECT "+keyColumns+", hash FROM keys WHERE id = $1", id).Scan(append(into, &hash)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		hash, err = make([]byte, 32), nil // nothing hashes to it
	}
	if err != nil {
		return Key{}, store.Explain(err)
	}
	if subtle.ConstantTimeCompare(hash, hashed(token)) != 1 || k.Test != test {
		return Key{}, ErrUnknownKey
	}
	if !k.Revoked.IsZero() {
		return Key{}, ErrRevokedKey
	}
	if !k.Expires.IsZero() && !i.o.Now().Before(k.Expires) {
		return Key{}, ErrExpiredKey
	}
	if k.Test { // the sandbox may be another issuer by now
		return k, i.checkSandbox(ctx, k)
	}
	return k, nil
}

// noteUse remembers when a key was last used, for people who wonder whether it still is. Whether that succeeds decides nothing.
func (i *Identity) noteUse(ctx context.Context, k Key) {
	now := i.o.Now().UnixMilli()
	if now-millis(k.Used) < usedEvery.Milliseconds() {
		return
	}
	_ = i.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE keys SET used_ms = $2 WHERE id = $1 AND used_ms < $2", k.ID, now)
		return err
	})
}

const keyColumns = "id, issuer, name, scopes, test, made_by, created_ms, expires_ms, used_ms, revoked_ms"

func scanKey(scan func(...any) error) (Key, error) {
	var k Key
	var issuer []byte
	var scopes string
	var test, created, expires, used, revoked int64
	if err := scan(&k.ID, &issuer, &k.Name, &scopes, &test, &k.By, &created, &expires, &used, &revoked); err != nil {
		return Key{}, err
	}
	k.Test, k.Created, k.Expires, k.Used, k.Revoked = test == 1, fromMillis(created), fromMillis(expires), fromMillis(used), fromMillis(revoked)
	for s := range strings.FieldsSeq(scopes) {
		k.Scopes = append(k.Scopes, Scope(s))
	}
	var err error
	k.Issuer, err = issuerOf(issuer)
	return k, err
}

// Keys returns the issuer's API keys, the newest first, also those that expired or were revoked.
func (i *Identity) Keys(ctx context.Context, issuer channel.ID) ([]Key, error) {
	all, err := query(ctx, i.db.Read(), scanKey, "SELECT "+keyColumns+" FROM keys WHERE issuer = $1 ORDER BY created_ms DESC, id", issuer[:])
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	return all, nil
}

// RevokeKey ends an API key of the issuer at once and for good; one that was revoked stays so. Errors: ErrUnknownKey.
func (i *Identity) RevokeKey(ctx context.Context, issuer channel.ID, id string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE keys SET revoked_ms = CASE WHEN revoked_ms = 0 THEN $3 ELSE revoked_ms END
			WHERE issuer = $1 AND id = $2`, issuer[:], id, i.o.Now().UnixMilli()))
		if err == nil && n == 0 {
			err = ErrUnknownKey
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoking an API key: %w", err)
	}
	return nil
}
