package identity

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Why nobody is signed in by a provider.
const (
	// ErrUnknownProvider says that this service has no such provider.
	ErrUnknownProvider = refusal("this service does not know that provider")
	// ErrNotSignedIn says that the provider did not sign the person in, or that he changed his mind.
	ErrNotSignedIn = refusal("the provider did not sign you in")
	// ErrBadToken says that what the provider sent does not hold: it is for somebody else, from somebody else, or of another sign-in.
	ErrBadToken = refusal("what the provider sent does not hold")
	// ErrUnknownSubject says that the provider knows the person and nobody here invited him.
	ErrUnknownSubject = refusal("your provider knows you, and nobody here does: ask for an invitation")
	// ErrLinkedElsewhere refuses to link a provider's account to a second person.
	ErrLinkedElsewhere = refusal("that account at the provider belongs to another person here")
)

// ErrProviderAway says that the provider does not answer as it should: nobody knows whether the person is who he says.
var ErrProviderAway = errors.New("the sign-in provider does not answer as it should")

// Provider is an OpenID provider that people may sign in through.
type Provider struct {
	Issuer   string // its URL, letter for letter as its tokens say it
	ClientID string
	Secret   Secret // "" for a public client
	Name     string // what people call it
}

// check wants a provider that nobody on the way can pose as.
func (p Provider) check() error {
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return fmt.Errorf("%w: provider %q is neither https:// nor on this machine", ErrOrigin, p.Issuer)
	}
	if p.ClientID == "" {
		return fmt.Errorf("provider %q: no client id", p.Issuer)
	}
	return nil
}

// CallbackPath is where providers send people back to, below the base URL: it has to be registered with each of them.
const CallbackPath = "office/signin/callback"

// Providers returns what people may sign in through, without the clients' secrets.
func (i *Identity) Providers() []Provider {
	var all []Provider
	for _, p := range i.o.Providers {
		p.Secret = ""
		all = append(all, p)
	}
	return all
}

func (i *Identity) provider(issuer string) (Provider, bool) {
	for _, p := range i.o.Providers {
		if p.Issuer == issuer {
			return p, true
		}
	}
	return Provider{}, false
}

// discovered returns what the provider says of itself. It is asked once, and again only after it did not answer.
func (i *Identity) discovered(ctx context.Context, issuer string) (*oidc.Provider, error) {
	i.asking.Lock()
	known := i.providers[issuer]
	i.asking.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, i.o.HTTP), issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProviderAway, err)
	}
	i.asking.Lock()
	defer i.asking.Unlock()
	i.providers[issuer] = found
	return found, nil
}

func (i *Identity) client(p Provider, found *oidc.Provider) *oauth2.Config {
	endpoint := found.Endpoint()
	endpoint.AuthStyle = authStyle(p, found)
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.Secret.Reveal(), Endpoint: endpoint,
		RedirectURL: i.o.Origin.JoinPath(CallbackPath).String(), Scopes: []string{oidc.ScopeOpenID},
	}
}

// authStyle is how the provider wants the client's secret (OpenID Connect Discovery section 3): left to itself the library would
// try both, and a provider may take a code that is shown twice for stolen.
func authStyle(p Provider, found *oidc.Provider) oauth2.AuthStyle {
	var says struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	known := found.Claims(&says) == nil && len(says.Methods) > 0
	if p.Secret == "" || known && !slices.Contains(says.Methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// OIDCStart says what somebody goes to a provider for: to sign in, or, with an Invitation, to redeem it there, or, with his own
// Person while he is signed in, to link his account.
type OIDCStart struct {
	Provider   string // its Issuer
	Invitation Secret
	Person     string
}

// oidcCeremony is a sign-in under way at a provider.
type oidcCeremony struct {
	Provider, State, Nonce, Verifier string
	Invitation                       []byte // the token's hash
	Person                           string
}

const kindOIDC = "sign-in at a provider"

// BeginOIDC returns where to send the browser, and the value of the cookie (see StateCookie) that has to come back with it within
// 10 minutes. Nothing is written. Errors: ErrUnknownProvider, ErrUnknownInvitation, ErrExpiredInvitation, ErrProviderAway.
func (i *Identity) BeginOIDC(ctx context.Context, s OIDCStart) (redirect, state string, err error) {
	redirect, state, err = i.beginOIDC(ctx, s)
	if err != nil {
		return "", "", fmt.Errorf("going to a provider: %w", err)
	}
	return redirect, state, nil
}

func (i *Identity) beginOIDC(ctx context.Context, s OIDCStart) (redirect, cookie string, err error) {
	p, ok := i.provider(s.Provider)
	if !ok || i.o.Origin == nil {
		return "", "", ErrUnknownProvider
	}
	c := oidcCeremony{Provider: p.Issuer, Person: s.Person}
	if s.Invitation != "" {
		c.Invitation = hashed(s.Invitation.Reveal())
		v, err := i.invitation(ctx, i.db.Read(), c.Invitation)
		if err == nil && v.Person != "" {
			err = ErrUnknownInvitation // a way back is for a passkey
		}
		if err != nil {
			return "", "", err
		}
	}
	found, err := i.discovered(ctx, p.Issuer)
	if err != nil {
		return "", "", err
	}
	for _, text := range []*string{&c.State, &c.Nonce, &c.Verifier} {
		if *text, err = i.random(secretBytes); err != nil {
			return "", "", err
		}
	}
	redirect = i.client(p, found).AuthCodeURL(c.State, oidc.Nonce(c.Nonce), oauth2.S256ChallengeOption(c.Verifier))
	cookie, err = i.put(kindOIDC, c)
	return redirect, cookie, err
}

// StateCookie is the cookie that keeps a sign-in at a provider in the browser that began it: set it with BeginOIDC's value, read
// its Value in the callback for FinishOIDC, and clear it with "".
func (i *Identity) StateCookie(state string) *http.Cookie {
	name, secure := CookieName(i.scheme())
	c := &http.Cookie{Name: name + "-oidc", Value: state, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(ceremonyLife.Seconds())}
	if state == "" {
		c.MaxAge = -1
	}
	return c
}

// FinishOIDC takes what the provider sent the browser back with and returns the person; SignIn then begins his session. Errors:
// ErrBadCeremony, ErrExpiredCeremony, ErrUsedCeremony, ErrNotSignedIn, ErrBadToken, ErrUnknownSubject, ErrLinkedElsewhere,
// ErrUnknownPerson, those of Accept for the invitation, ErrProviderAway.
func (i *Identity) FinishOIDC(ctx context.Context, state string, query url.Values) (Person, error) {
	p, err := i.finishOIDC(ctx, state, query)
	if err != nil {
		return Person{}, fmt.Errorf("coming back from a provider: %w", err)
	}
	return p, nil
}

func (i *Identity) finishOIDC(ctx context.Context, state string, query url.Values) (Person, error) {
	var c oidcCeremony
	expires, err := i.take(kindOIDC, state, &c)
	if err != nil {
		return Person{}, err
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.State)) != 1 {
		return Person{}, ErrBadCeremony
	}
	if iss := query.Get("iss"); iss != "" && iss != c.Provider { // RFC 9207: another provider answers
		return Person{}, ErrBadToken
	}
	if query.Get("code") == "" {
		return Person{}, fmt.Errorf("%w: %q", ErrNotSignedIn, query.Get("error"))
	}
	token, err := i.exchange(ctx, c, query.Get("code"))
	if err != nil {
		return Person{}, err
	}
	return i.enterBySubject(ctx, state, expires, c, token.Subject)
}

// exchange gets the ID token for the code and checks who made it, for whom, when, and for which sign-in.
func (i *Identity) exchange(ctx context.Context, c oidcCeremony, code string) (*oidc.IDToken, error) {
	p, ok := i.provider(c.Provider)
	if !ok {
		return nil, ErrUnknownProvider
	}
	found, err := i.discovered(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, i.o.HTTP)
	answer, err := i.client(p, found).Exchange(ctx, code, oauth2.VerifierOption(c.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: %q", ErrNotSignedIn, refused.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProviderAway, err)
	}
	raw, _ := answer.Extra("id_token").(string)
	return i.verifyToken(ctx, p, found, raw, c.Nonce)
}

// watching is a transport that remembers whether the other side failed: the library reports that as a bad signature.
type watching struct {
	next   http.RoundTripper
	failed atomic.Bool
}

// RoundTrip passes the request on.
func (w *watching) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := w.next.RoundTrip(r)
	if err != nil || a.StatusCode != http.StatusOK {
		w.failed.Store(true)
	}
	return a, err
}

// verifyToken fetches the provider's keys anew, so that one it gave up counts no longer.
func (i *Identity) verifyToken(ctx context.Context, p Provider, found *oidc.Provider, raw, nonce string) (*oidc.IDToken, error) {
	client := *i.o.HTTP
	w := &watching{next: cmp.Or(client.Transport, http.DefaultTransport)}
	client.Transport = w
	token, err := found.VerifierContext(oidc.ClientContext(ctx, &client), &oidc.Config{ClientID: p.ClientID, Now: i.o.Now}).Verify(ctx, raw)
	if err != nil && w.failed.Load() {
		return nil, fmt.Errorf("%w: %v", ErrProviderAway, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBadToken, err)
	}
	return token, checkClaims(token, p, nonce)
}

// checkClaims does what the library leaves to its users.
func checkClaims(token *oidc.IDToken, p Provider, nonce string) error {
	var party struct {
		AZP string `json:"azp"`
	}
	if err := token.Claims(&party); err != nil {
		return fmt.Errorf("%w: %v", ErrBadToken, err)
	}
	switch { // OpenID Connect Core 3.1.3.7, 4 and 5: more audiences need an authorized party, and it has to be us
	case party.AZP != "" && party.AZP != p.ClientID, party.AZP == "" && len(token.Audience) > 1:
		return fmt.Errorf("%w: it is for another client", ErrBadToken)
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return fmt.Errorf("%w: it is of another sign-in", ErrBadToken)
	case token.Subject == "":
		return fmt.Errorf("%w: it names nobody", ErrBadToken)
	}
	return nil
}
