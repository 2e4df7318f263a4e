package redirect

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/productid/productid/pkg/tap"
)

// Claims is what a token says: that this tap was found good and recorded, and its holder sent on to Audience, at Issued.
type Claims struct {
	Issuer   string // base URL of the service
	Audience string // origin of the product page
	Card     tap.CardID
	Counter  uint32
	Issued   time.Time // UTC, whole seconds, as is Expires
	Expires  time.Time
	ID       string // of the token
}

// claims is the payload.
type claims struct {
	Issuer   string     `json:"iss"`
	Audience string     `json:"aud"`
	Card     tap.CardID `json:"sub"`
	Counter  uint32     `json:"ctr"`
	Issued   int64      `json:"iat"`
	Expires  int64      `json:"exp"`
	ID       tokenID    `json:"jti"`
}

// tokenID is 16 random bytes, in JSON as base64url.
type tokenID [16]byte

// String returns the base64url.
func (id tokenID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText returns the base64url.
func (id tokenID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 16 bytes of base64url.
func (id *tokenID) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(id) {
		return fmt.Errorf("jti is not %d bytes of base64url", len(id))
	}
	*id = tokenID(b)
	return nil
}

func (c claims) show() Claims {
	return Claims{
		Issuer: c.Issuer, Audience: c.Audience, Card: c.Card, Counter: c.Counter,
		Issued: time.Unix(c.Issued, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(), ID: c.ID.String(),
	}
}

// sign returns the token with an id of its own.
func (s *Service) sign(c claims) (string, error) {
	if _, err := io.ReadFull(s.Random, c.ID[:]); err != nil {
		return "", fmt.Errorf("reading random token id: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := s.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Verify accepts a token once, for the site with the origin audience, such as "https://shop.example". Errors: ErrBadToken,
// ErrOtherAudience, ErrExpiredToken and ErrUsedToken, in this order; beside these of the store, store.ErrNotWritten when the token
// is as good as before, and store.ErrUncertain when it may be used up though nobody was told that it was good.
func (s *Service) Verify(ctx context.Context, token, audience string) (Claims, error) {
	c, err := s.read(token)
	if err != nil {
		return Claims{}, fmt.Errorf("checking redirect token: %w", err)
	}
	if origin, err := parseOrigin(audience, s.AllowLocal); err != nil || origin != c.Audience {
		return Claims{}, fmt.Errorf("checking redirect token: %w", ErrOtherAudience)
	}
	now := s.Now()
	if now.After(c.Expires.Add(Tolerance)) {
		return Claims{}, fmt.Errorf("checking redirect token: %w at %s", ErrExpiredToken, c.Expires.Format(time.RFC3339))
	}
	if _, err := s.writer.Do(ctx, use{c.ID, c.Expires}); err != nil {
		return Claims{}, fmt.Errorf("checking redirect token: %w", err)
	}
	return c, nil
}

// read returns what a token says that this service signed. The error is ErrBadToken.
func (s *Service) read(token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, fmt.Errorf("%w: longer than %d bytes", ErrBadToken, maxToken)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	header := signed.Signatures[0].Protected
	if header.KeyID != s.keyID || header.ExtraHeaders[jose.HeaderType] != tokenType {
		return Claims{}, fmt.Errorf("%w: another key or another type", ErrBadToken)
	}
	payload, err := signed.Verify(s.public)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	// One token has one text: go-jose reads base64url with stray bits too.
	if again, err := signed.CompactSerialize(); err != nil || again != token {
		return Claims{}, fmt.Errorf("%w: not as it was signed", ErrBadToken)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	early := time.Unix(c.Issued, 0).Sub(s.Now()) > Tolerance
	if c.Issuer != s.Issuer || c.Card == (tap.CardID{}) || c.ID == (tokenID{}) || c.Expires-c.Issued != int64(Lifetime/time.Second) || early {
		return Claims{}, fmt.Errorf("%w: it says what this service does not", ErrBadToken)
	}
	return c.show(), nil
}
