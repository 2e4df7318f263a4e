package office

import (
	"net/http"
	"net/url"

	"github.com/productid/productid/host/identity"
)

// providers lists through whom people may sign in.
func (v *visit) providers(next string) (all []providerLine) {
	for _, p := range v.People.Providers() {
		query := url.Values{"provider": {p.Issuer}}
		if next != "" {
			query.Set("next", next)
		}
		all = append(all, providerLine{p.Name, p.Issuer, "/office/signin/organisation?" + query.Encode()})
	}
	return all
}

// nextCookie keeps where somebody wants to while he is at his provider.
const nextCookie = "office-next"

func (v *visit) keepNext(next string, age int) {
	http.SetCookie(v.w, &http.Cookie{Name: nextCookie, Value: url.QueryEscape(next), Path: "/office/signin", MaxAge: age,
		HttpOnly: true, Secure: v.Origin.Scheme == "https", SameSite: http.SameSiteLaxMode})
}

// organisationBegin sends somebody to his organisation's provider to sign in.
func (v *visit) organisationBegin() error {
	to, state, err := v.People.BeginOIDC(v.ctx, identity.OIDCStart{Provider: v.query("provider")})
	if err != nil {
		return v.refusedBecause("/office/signin", err)
	}
	const minutes = 60
	v.keepNext(local(v.query("next")), 10*minutes)
	http.SetCookie(v.w, v.People.StateCookie(state))
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// organisationReturn takes what the provider sent somebody back with.
func (v *visit) organisationReturn() error {
	cookie, err := v.r.Cookie(v.People.StateCookie("").Name)
	if err != nil {
		return v.refused("/office/signin", "office.refused.ceremony")
	}
	http.SetCookie(v.w, v.People.StateCookie(""))
	p, err := v.People.FinishOIDC(v.ctx, cookie.Value, v.r.URL.Query())
	if err != nil {
		return v.refusedBecause("/office/signin", err)
	}
	next := ""
	if kept, err := v.r.Cookie(nextCookie); err == nil {
		next, _ = url.QueryUnescape(kept.Value)
		v.keepNext("", -1)
	}
	return v.welcome(p, next)
}

// onwardPage leads to a provider by a link: the site's policy lets no form lead elsewhere.
type onwardPage struct{ Provider, Link string }

func (v *visit) onward(start identity.OIDCStart, back string) error {
	to, state, err := v.People.BeginOIDC(v.ctx, start)
	if err != nil {
		return v.refusedBecause(back, err)
	}
	http.SetCookie(v.w, v.People.StateCookie(state))
	name := start.Provider
	for _, p := range v.People.Providers() {
		if p.Issuer == start.Provider {
			name = p.Name
		}
	}
	return v.show(http.StatusOK, "onward", onwardPage{name, to})
}

// setupOrganisation redeems an invitation at a provider.
func (v *visit) setupOrganisation() error {
	if err := v.aboutInvitation(identity.Secret(v.form("token"))); err != nil {
		return err
	}
	return v.onward(identity.OIDCStart{Provider: v.form("provider"), Invitation: identity.Secret(v.form("token"))}, "/office/setup")
}

// accountOrganisation links somebody's account at a provider.
func (v *visit) accountOrganisation() error {
	if err := v.aboutSelf("person.account_linked", v.actor.ID); err != nil {
		return err
	}
	return v.onward(identity.OIDCStart{Provider: v.form("provider"), Person: v.actor.ID}, accountPath)
}
