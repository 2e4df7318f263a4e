package office

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/productid/productid/host/identity"
)

// keysPage lists an issuer's API keys, and shows the secret of one that was made just now.
type keysPage struct {
	Keys   []keyLine
	Scopes []scopeChoice
	Lives  []string
	Form   form
	Secret string // of a key that was made just now: shown once
	Made   string // its name
	Test   bool   // the sandbox's issuer, who has test keys alone
}

type keyLine struct {
	identity.Key
	State, Tone string
	By          string
	Usable      bool
}

type scopeChoice struct {
	Scope   string
	Checked bool
}

// lives are how long a key may be asked for, by the names of their texts.
var lives = map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1y": 365 * 24 * time.Hour, "5y": 5 * 365 * 24 * time.Hour}

func (v *visit) keys() error {
	return v.keysShown(http.StatusOK, keysPage{Form: form{Values: map[string]string{"life": "1y"}}})
}

func (v *visit) keysShown(status int, p keysPage) error {
	list, err := v.People.Keys(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	now := v.Now()
	for _, k := range list {
		line := keyLine{Key: k, State: "good", Tone: "good", By: v.person(k.By), Usable: true}
		switch {
		case !k.Revoked.IsZero():
			line.State, line.Tone, line.Usable = "revoked", "bad", false
		case !k.Expires.IsZero() && !k.Expires.After(now):
			line.State, line.Tone, line.Usable = "expired", "open", false
		}
		p.Keys = append(p.Keys, line)
	}
	chosen := v.r.PostForm["scope"]
	for _, s := range identity.Scopes() {
		if v.actor.MayGrant(v.issuer, s) == nil {
			p.Scopes = append(p.Scopes, scopeChoice{string(s), slices.Contains(chosen, string(s)) && p.Secret == ""})
		}
	}
	p.Lives = []string{"90d", "1y", "5y", "never"}
	p.Test = v.Sandbox != nil && v.Sandbox(v.issuer)
	return v.show(status, "keys", p)
}

// keyCreate makes a key and shows its secret. Nobody gives a key more than he has.
func (v *visit) keyCreate() error {
	p := keysPage{Form: v.typed("name", "life")}
	order := identity.KeyOrder{Issuer: v.issuer, Name: v.form("name"), By: v.actor.ID, Test: v.Sandbox != nil && v.Sandbox(v.issuer)}
	for _, s := range v.r.PostForm["scope"] {
		order.Scopes = append(order.Scopes, identity.Scope(s))
	}
	if life, known := lives[v.form("life")]; known {
		order.Expires = v.Now().Add(life)
	} else if v.form("life") != "never" {
		p.Form.Problems["life"] = v.words.T("office.keys.life.bad")
	}
	if len(order.Scopes) == 0 {
		p.Form.Problems["scope"] = v.words.T("office.keys.scope.bad")
	}
	if order.Name == "" || len([]rune(order.Name)) > 100 {
		p.Form.Problems["name"] = v.words.T("office.people.name.bad")
	}
	if p.Form.Bad() {
		return v.keysShown(http.StatusUnprocessableEntity, p)
	}
	if err := v.actor.MayGrant(v.issuer, order.Scopes...); err != nil {
		return err
	}
	if err := v.about("key.created", "", order.Name); err != nil {
		return err
	}
	made, secret, err := v.People.CreateKey(v.ctx, order)
	for known, at := range map[error][2]string{
		identity.ErrName: {"name", "office.people.name.bad"}, identity.ErrUnknownScope: {"scope", "office.keys.scope.bad"},
		identity.ErrSandboxOnly: {"", "office.keys.sandbox"},
	} {
		if errors.Is(err, known) {
			p.Form.Problems[at[0]] = v.words.T(at[1])
			return v.keysShown(http.StatusUnprocessableEntity, p)
		}
	}
	if err != nil {
		return err
	}
	return v.keysShown(http.StatusOK, keysPage{Secret: secret.Reveal(), Made: made.Name, Form: form{Values: map[string]string{"life": "1y"}}})
}

func (v *visit) keyRevoke() error {
	id := v.r.PathValue("id")
	if err := v.about("key.revoked", id, ""); err != nil {
		return err
	}
	if err := v.People.RevokeKey(v.ctx, v.issuer, id); err != nil {
		if errors.Is(err, identity.ErrUnknownKey) {
			return v.refused(v.at("keys"), "office.keys.unknown")
		}
		return err
	}
	return v.done(v.at("keys"), "office.keys.revoked")
}
