// Package redirect makes and checks the one-time tokens with which a product page knows that its visitor came through validation,
// and not with a link that somebody sent him.
//
// A token is a JWS in compact form, signed with EdDSA (RFC 8037), for one origin and one tap, good for a minute and for one use.
// docs/redirect.md tells whoever builds a product page how to check it, by asking here or by himself.
//
// # Durability
//
// When [Service.Verify] accepts a token, that it is used up is on the disk: after a crash at any moment it is accepted no second time.
//
// # Concurrency
//
// A [Service] may be used by many goroutines, and several processes may share a database: of any number that check one token at
// once, one accepts it.
package redirect

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the name of the tables' schema in a PostgreSQL database.
const schema = "redirect"

const (
	// Parameter is the name of the query parameter that carries the token.
	Parameter = "productid"
	// Lifetime is how long a token is good.
	Lifetime = 60 * time.Second
	// Tolerance is by how much the clock of who checks may differ from that of who signs.
	Tolerance = 5 * time.Second

	// kept is how long after a token's expiry its use is remembered: the clocks of processes that share a database may differ by that.
	kept = 10 * time.Minute
	// maxToken bounds what is looked at. Ours have about 420 bytes.
	maxToken = 2048
	// tokenType tells these tokens from any other that the key may sign (RFC 8725 section 3.11).
	tokenType = "productid-redirect+jwt"
	// algorithm is the only one that is made and taken.
	algorithm = jose.EdDSA
)

// Why a token is refused.
var (
	// ErrBadToken says that the text is no token that this service signed.
	ErrBadToken = errors.New("no redirect token of this service")
	// ErrOtherAudience says that the token was made for another site.
	ErrOtherAudience = errors.New("redirect token is for another site")
	// ErrExpiredToken says that the token's minute is over.
	ErrExpiredToken = errors.New("redirect token has expired")
	// ErrUsedToken says that the token was accepted before.
	ErrUsedToken = errors.New("redirect token was used before")
)

// Options is what a Service works with. Key, Issuer, Now and Random are needed.
type Options struct {
	Key    channel.Seed // of the Ed25519 key that signs
	Issuer string       // base URL of this service: the claim iss
	Now    func() time.Time
	Random io.Reader
	// AllowLocal also sends visitors to http addresses of this machine: for demonstrations, where the service itself has no TLS.
	AllowLocal bool
	// Hook, when set, is called with the points that a write passes, see store.Options: for crash tests.
	Hook func(point string)
}

// Service makes and checks tokens.
type Service struct {
	Options
	public ed25519.PublicKey
	keyID  string
	signer jose.Signer
	jwks   []byte
	db     *store.DB
	writer *store.Writer[use, struct{}]
}

// Open opens or creates the database of used tokens, which is named as for store.Open, and whose errors are those.
func Open(ctx context.Context, name string, o Options) (*Service, error) {
	s, err := newService(o)
	if err != nil {
		return nil, fmt.Errorf("opening redirects: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening redirects: %w", err)
	}
	if s.db, err = store.Open(ctx, name, store.Options{Migrations: files, Schema: schema, Hook: o.Hook}); err != nil {
		return nil, fmt.Errorf("opening redirects: %w", err)
	}
	s.writer = store.NewWriter(s.db, s.useUp)
	return s, nil
}

// newService returns a Service that has no database yet.
func newService(o Options) (*Service, error) {
	private := ed25519.NewKeyFromSeed(o.Key[:])
	s := &Service{Options: o, public: private.Public().(ed25519.PublicKey)}
	key := jose.JSONWebKey{Key: s.public, Algorithm: string(algorithm), Use: "sig"}
	print, err := key.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, err
	}
	s.keyID = base64.RawURLEncoding.EncodeToString(print)
	key.KeyID = s.keyID
	if s.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}); err != nil {
		return nil, err
	}
	s.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: private, KeyID: s.keyID}},
		(&jose.SignerOptions{}).WithType(tokenType))
	return s, err
}

// Close ends the writing and closes the database.
func (s *Service) Close() error {
	s.writer.Close()
	return s.db.Close()
}

// JWKS returns the public key as a JSON Web Key Set (RFC 7517, RFC 8037), for /.well-known/jwks.json.
func (s *Service) JWKS() []byte { return s.jwks }

// Issue returns target with a fresh token for it in the query parameter [Parameter]; whatever else stands in target stays. target is
// where a card's holder is sent, so it has to come from the registry and never from a request. The error is ErrBadTarget.
func (s *Service) Issue(_ context.Context, target *url.URL, card tap.CardID, counter uint32) (*url.URL, error) {
	audience, err := checkTarget(target, s.AllowLocal)
	if err != nil {
		return nil, fmt.Errorf("sending on from tap %d of card %v: %w", counter, card, err)
	}
	now := s.Now().Unix()
	token, err := s.sign(claims{
		Issuer: s.Issuer, Audience: audience, Card: card, Counter: counter,
		Issued: now, Expires: now + int64(Lifetime/time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("sending on from tap %d of card %v: %w", counter, card, err)
	}
	return withToken(target, token), nil
}
