package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

// forger is a provider that hands out whatever token a test wants.
type forger struct {
	*httptest.Server
	key   *ecdsa.PrivateKey
	token func(nonce string) string
	nonce string
	away  string // the path that does not answer
}

func newForger(t *testing.T) *forger {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	f := &forger{key: key}
	mux := http.NewServeMux()
	answer := func(path string, what func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if f.away == path {
				http.Error(w, "later", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			assert.NoError(t, json.NewEncoder(w).Encode(what()))
		})
	}
	answer("/.well-known/openid-configuration", func() any {
		return map[string]any{"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token",
			"jwks_uri": f.URL + "/jwks", "id_token_signing_alg_values_supported": []string{"ES256"}}
	})
	answer("/jwks", func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}}}
	})
	answer("/token", func() any {
		return map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.token(f.nonce)}
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// sign makes a token of these claims under a key.
func (f *forger) sign(t *testing.T, key any, alg jose.SignatureAlgorithm, claims map[string]any) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	require.NoError(t, err)
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	require.NoError(t, err)
	return text
}

func TestTokensThatDoNotHoldAreRefused(t *testing.T) {
	f := newForger(t)
	i := withProvider(t, filepath.Join(t.TempDir(), "identity.db"), identity.Provider{Issuer: f.URL, ClientID: "productid", Secret: "s"})
	good := func(nonce string) map[string]any {
		return map[string]any{"iss": f.URL, "sub": "ada", "aud": "productid", "nonce": nonce,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	}
	come := func() error {
		redirect, state, err := i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: f.URL})
		require.NoError(t, err)
		u, err := url.Parse(redirect)
		require.NoError(t, err)
		f.nonce = u.Query().Get("nonce")
		_, err = i.FinishOIDC(t.Context(), state, url.Values{"state": {u.Query().Get("state")}, "code": {"x"}})
		return err
	}
	f.token = func(nonce string) string { return f.sign(t, f.key, jose.ES256, good(nonce)) }
	require.ErrorIs(t, come(), identity.ErrUnknownSubject, "a good token")
	for _, f.away = range []string{"/token", "/jwks"} {
		assert.ErrorIs(t, come(), identity.ErrProviderAway, f.away)
	}
	f.away = ""

	for name, change := range map[string]map[string]any{
		"another audience":         {"aud": "another"},
		"several audiences":        {"aud": []string{"productid", "another"}},
		"another authorized party": {"aud": []string{"productid", "another"}, "azp": "another"},
		"another issuer":           {"iss": "https://evil.example.com"},
		"expired":                  {"exp": time.Now().Add(-time.Minute).Unix()},
		"of another sign-in":       {"nonce": "x"},
		"without a nonce":          {"nonce": nil},
		"of nobody":                {"sub": ""},
	} {
		f.token = func(nonce string) string {
			claims := good(nonce)
			for k, v := range change {
				claims[k] = v
			}
			return f.sign(t, f.key, jose.ES256, claims)
		}
		assert.ErrorIs(t, come(), identity.ErrBadToken, name)
	}
	for name, token := range f.unsigned(t, good) {
		f.token = token
		assert.ErrorIs(t, come(), identity.ErrBadToken, name)
	}
}

// unsigned are tokens with good claims that the provider did not sign.
func (f *forger) unsigned(t *testing.T, good func(nonce string) map[string]any) map[string]func(nonce string) string {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: f.key.Public()})
	require.NoError(t, err)
	plain := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return map[string]func(string) string{
		"another key":          func(n string) string { return f.sign(t, stranger, jose.ES256, good(n)) },
		"public key as secret": func(n string) string { return f.sign(t, public, jose.HS256, good(n)) },
		"no signature": func(n string) string {
			b, _ := json.Marshal(good(n))
			return plain(`{"alg":"none"}`) + "." + plain(string(b)) + "."
		},
		"nothing":               func(string) string { return "" },
		"something else":        func(string) string { return "a.b.c" },
		"changed after signing": func(n string) string { s := f.sign(t, f.key, jose.ES256, good(n)); return s[:len(s)-4] + "AAAA" },
	}
}
