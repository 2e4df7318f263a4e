package office

import (
	"errors"
	"net/http"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/identity"
)

const accountPath = "/office/account"

// home leads to the overview of the actor's first issuer, or of the one that he looked at last.
func (v *visit) home() error {
	issuers := v.actor.Issuers()
	if len(issuers) == 0 {
		http.Redirect(v.w, v.r, accountPath, http.StatusSeeOther)
		return nil
	}
	http.Redirect(v.w, v.r, "/office/i/"+issuers[0].String()+"/", http.StatusSeeOther)
	return nil
}

// accountPage is a person's own page.
type accountPage struct {
	Person   identity.Person
	Roles    []heldRole
	Passkeys []identity.Passkey
	Sessions []identity.Session
	Current  string // the session that he looks from
	Codes    int    // recovery codes that are left
	Host     bool   // passkeys can be made at this address

	Links     []linkLine     // accounts at providers that sign him in
	Providers []providerLine // where an account can be linked
}

// linkLine is an account at a provider, with what people call the provider.
type linkLine struct {
	identity.Link
	Name string
}

type heldRole struct{ Issuer, Role, Link string }

func (v *visit) account() error {
	p := accountPage{}
	var err error
	if p.Person, err = v.People.Person(v.ctx, v.actor.ID); err != nil {
		return err
	}
	for _, id := range v.actor.Issuers() {
		p.Roles = append(p.Roles, heldRole{v.issuerName(id), v.words.T("office.role." + string(p.Person.Roles[id])), "/office/i/" + id.String() + "/"})
	}
	if p.Passkeys, err = v.People.Passkeys(v.ctx, v.actor.ID); err != nil {
		return err
	}
	if p.Sessions, err = v.People.SessionsOf(v.ctx, v.actor.ID); err != nil {
		return err
	}
	if p.Codes, err = v.People.RecoveryCodesLeft(v.ctx, v.actor.ID); err != nil {
		return err
	}
	if p.Links, err = v.links(); err != nil {
		return err
	}
	p.Current, _ = v.People.CurrentSession(v.ctx)
	_, err = v.People.PasskeyHost()
	p.Host, p.Providers = err == nil, v.providers("")
	return v.show(http.StatusOK, "account", p)
}

func (v *visit) links() (lines []linkLine, err error) {
	all, err := v.People.Links(v.ctx, v.actor.ID)
	for _, l := range all {
		lines = append(lines, linkLine{l, v.providerName(l.Provider)})
	}
	return lines, err
}

// rename calls somebody what he wants to be called.
func (v *visit) rename() error {
	if err := v.aboutSelf("person.renamed", v.actor.ID); err != nil {
		return err
	}
	if err := v.People.Rename(v.ctx, v.actor.ID, v.form("name")); err != nil {
		return v.refusedBecause(accountPath, err)
	}
	return v.done(accountPath, "office.account.name.done")
}

// aboutSelf records what somebody does to his own ways in for each issuer that he has to do with: it is their affair too.
func (v *visit) aboutSelf(act, subject string) error {
	for _, issuer := range v.actor.Issuers() {
		if err := v.Audit.Act(v.ctx, issuer, audit.Act{By: v.actor.ID, Act: act, Subject: subject}); err != nil {
			return err
		}
	}
	return nil
}

// accept takes an invitation for who is signed in.
func (v *visit) accept() error {
	made, err := v.People.Invitation(v.ctx, identity.Secret(v.form("token")))
	if err != nil {
		return v.refusedBecause(accountPath, err)
	}
	if made.Person == "" {
		if err := v.Audit.Act(v.ctx, made.Issuer, audit.Act{By: v.actor.ID, Act: "invitation.accepted", Detail: string(made.Role)}); err != nil {
			return err
		}
	}
	p, err := v.People.Accept(v.ctx, v.actor.ID, identity.Secret(v.form("token")))
	if err != nil {
		return v.refusedBecause(accountPath, err)
	}
	v.enrolled(p)
	return v.done("/office/i/"+made.Issuer.String()+"/", "office.setup.accepted")
}

func (v *visit) passkeyBegin() error {
	return v.sendCeremony(v.People.BeginPasskey(v.ctx, v.actor.ID))
}

func (v *visit) passkeyAdd() error {
	if err := v.aboutSelf("person.passkey_added", v.actor.ID); err != nil {
		return err
	}
	_, err := v.People.FinishPasskey(v.ctx, v.actor.ID, v.form("ceremony"), v.form("name"), []byte(v.r.PostForm.Get("response")))
	if err != nil {
		return v.refusedBecause(accountPath, err)
	}
	return v.done(accountPath, "office.account.passkey.done")
}

func (v *visit) passkeyRemove() error {
	if err := v.aboutSelf("person.passkey_removed", v.actor.ID); err != nil {
		return err
	}
	if err := v.People.RemovePasskey(v.ctx, v.actor.ID, v.form("id")); err != nil {
		return v.refusedBecause(accountPath, err)
	}
	return v.done(accountPath, "office.account.passkey.removed")
}

// sessionEnd ends one session of the person's, or all of them, this one too.
func (v *visit) sessionEnd() error {
	if v.form("id") == "all" {
		if err := v.People.EndSessions(v.ctx, v.actor.ID); err != nil {
			return err
		}
		return v.done("/office/signin", "office.account.sessions.ended")
	}
	err := v.People.EndSession(v.ctx, v.actor.ID, v.form("id"))
	if err != nil && !errors.Is(err, identity.ErrUnknownSession) {
		return err
	}
	return v.done(accountPath, "office.account.session.ended")
}

func (v *visit) recoveryAnew() error {
	if err := v.aboutSelf("person.recovery_codes", v.actor.ID); err != nil {
		return err
	}
	codes, err := v.People.NewRecoveryCodes(v.ctx, v.actor.ID)
	if err != nil {
		return v.refusedBecause(accountPath, err)
	}
	return v.codesShown(v.actor.Name, codes)
}
