package office

import (
	"errors"
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
	return v.show(http.StatusOK, "onward", onwardPage{v.providerName(start.Provider), to})
}

// providerName is what people call a provider; one that the service was not told of any more is called by its address.
func (v *visit) providerName(issuer string) string {
	for _, p := range v.People.Providers() {
		if p.Issuer == issuer {
			return p.Name
		}
	}
	return issuer
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

// accountUnlink takes an account at a provider away from who is signed in.
func (v *visit) accountUnlink() error {
	if err := v.aboutSelf("person.account_unlinked", v.actor.ID); err != nil {
		return err
	}
	if err := v.People.Unlink(v.ctx, v.actor.ID, v.form("provider"), v.form("subject")); err != nil {
		if errors.Is(err, identity.ErrUnknownSubject) {
			return v.refused(accountPath, "office.account.unlinked.unknown")
		}
		return v.refusedBecause(accountPath, err)
	}
	return v.done(accountPath, "office.account.unlinked")
}
