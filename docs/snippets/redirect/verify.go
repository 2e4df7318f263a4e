// Package redirect checks, without asking anybody, that a visit to a product page came through ProductID's validation. It is one file
// without dependencies: copy it. docs/redirect.md explains it.
package redirect

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Refusal says in one word why a token is refused.
type Refusal string

// Error returns the word.
func (r Refusal) Error() string { return string(r) }

// Claims is what a good token says.
type Claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Card     string `json:"sub"`
	Counter  uint32 `json:"ctr"`
	Issued   int64  `json:"iat"` // Unix seconds
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
}

// Checker checks tokens for one site. Several goroutines may use it at once.
type Checker struct {
	Issuer   string // base URL of the service, such as https://tap.example.com
	Audience string // origin of this site, such as https://shop.example
	Keys     map[string]ed25519.PublicKey
	Now      func() time.Time

	mu   sync.Mutex
	seen map[string]int64 // ids of tokens that were accepted, with their expiry: a token is good for one visit
}

// Keys reads /.well-known/jwks.json. Keys of other kinds are passed over.
func Keys(jwks []byte) (map[string]ed25519.PublicKey, error) {
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X string }
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, err
	}
	keys := make(map[string]ed25519.PublicKey)
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.Kty == "OKP" && k.Crv == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
			keys[k.Kid] = x
		}
	}
	return keys, nil
}

const (
	lifetime  = 60 // seconds
	tolerance = 5  // seconds that two clocks may differ
)

// Verify accepts a token once. The error is a Refusal.
func (c *Checker) Verify(token string) (Claims, error) {
	claims, err := c.read(token)
	if err != nil {
		return Claims{}, err
	}
	now := c.Now().Unix()
	switch {
	case claims.Issuer != c.Issuer:
		return Claims{}, Refusal("wrong_issuer")
	case claims.Audience != c.Audience:
		return Claims{}, Refusal("other_audience")
	case claims.Issued > now+tolerance:
		return Claims{}, Refusal("not_yet")
	case claims.Expires < now-tolerance:
		return Claims{}, Refusal("expired")
	case !c.first(claims, now):
		return Claims{}, Refusal("used")
	}
	return claims, nil
}

// read checks form and signature.
func (c *Checker) read(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(token) > 2048 || len(parts) != 3 {
		return Claims{}, Refusal("malformed")
	}
	header, err1 := decode(parts[0])
	payload, err2 := decode(parts[1])
	signature, err3 := decode(parts[2])
	var h struct {
		Alg, Kid, Typ string
		Crit          any
	}
	if errors.Join(err1, err2, err3) != nil || json.Unmarshal(header, &h) != nil {
		return Claims{}, Refusal("malformed")
	}
	// The algorithm is ours to choose, never the token's.
	if h.Alg != "EdDSA" || h.Typ != "productid-redirect+jwt" || h.Kid == "" || h.Crit != nil {
		return Claims{}, Refusal("malformed")
	}
	key, known := c.Keys[h.Kid]
	if !known {
		return Claims{}, Refusal("unknown_key")
	}
	if !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return Claims{}, Refusal("bad_signature")
	}
	var claims Claims
	if json.Unmarshal(payload, &claims) != nil || !claims.complete() {
		return Claims{}, Refusal("malformed")
	}
	return claims, nil
}

var cardID = regexp.MustCompile(`^[A-Za-z0-9_-]{16}$`)

func (c Claims) complete() bool {
	return cardID.MatchString(c.Card) && c.ID != "" && c.Issued > 0 && c.Issued < math.MaxInt64-lifetime && c.Expires == c.Issued+lifetime
}

// first reports whether the token was not accepted before. Several processes need one memory for all: a table, or Redis' SET NX.
func (c *Checker) first(claims Claims, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, expires := range c.seen {
		if expires < now-tolerance {
			delete(c.seen, id)
		}
	}
	if _, before := c.seen[claims.ID]; before {
		return false
	}
	if c.seen == nil {
		c.seen = make(map[string]int64)
	}
	c.seen[claims.ID] = claims.Expires
	return true
}

// decode reads base64url without padding, line breaks and stray bits.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, Refusal("malformed")
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}
