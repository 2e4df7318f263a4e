package office

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/pkg/channel"
)

// signInPage is the door.
type signInPage struct {
	Next      string
	Passkeys  bool // passkeys can be used at this address
	Providers []providerLine
	Problem   string
	Code      bool // the problem is with the recovery code
	Again     bool // somebody is signed in, and has to show once more that it is he
}

type providerLine struct{ Name, Issuer, Link string }

func (v *visit) signInPage() error {
	again := v.query("again") != ""
	if v.actor.Kind == identity.Human && !again {
		http.Redirect(v.w, v.r, local(v.query("next")), http.StatusSeeOther)
		return nil
	}
	return v.door(http.StatusOK, signInPage{Next: v.query("next"), Again: again})
}

func (v *visit) door(status int, p signInPage) error {
	if p.Next != "" {
		p.Next = local(p.Next)
	}
	_, err := v.People.PasskeyHost()
	p.Passkeys = err == nil
	p.Providers = v.providers(p.Next)
	return v.show(status, "signin", p)
}

// ceremony is what the script needs to ask an authenticator.
type ceremony struct {
	Ceremony string          `json:"ceremony"`
	Options  json.RawMessage `json:"options"`
}

// sendCeremony answers the script.
func (v *visit) sendCeremony(options json.RawMessage, id string, err error) error {
	if err == nil {
		return v.sendJSON(http.StatusOK, ceremony{id, options})
	}
	key, known := v.refusal(err)
	if !known {
		return err
	}
	return v.sendJSON(http.StatusUnprocessableEntity, map[string]string{"problem": v.words.T(key)})
}

func (v *visit) sendJSON(status int, answer any) error {
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(status)
	return json.NewEncoder(v.w).Encode(answer)
}

// refusal names the text of what package identity refuses, and false for an error that is none of these.
func (v *visit) refusal(err error) (string, bool) {
	for known, key := range map[error]string{
		identity.ErrNoPasskeys: "office.refused.no_passkeys", identity.ErrBadPasskey: "office.refused.passkey",
		identity.ErrUnknownPasskey: "office.refused.unknown_passkey", identity.ErrClonedPasskey: "office.refused.cloned",
		identity.ErrKnownPasskey: "office.refused.known_passkey", identity.ErrLastWayIn: "office.refused.last_way",
		identity.ErrBadCeremony: "office.refused.ceremony", identity.ErrExpiredCeremony: "office.refused.ceremony",
		identity.ErrUsedCeremony: "office.refused.ceremony", identity.ErrUnknownInvitation: "office.refused.invitation",
		identity.ErrExpiredInvitation: "office.refused.expired", identity.ErrHasOwner: "office.refused.has_owner",
		identity.ErrHasRole: "office.refused.has_role", identity.ErrBadCode: "office.refused.code",
		identity.ErrName:          "office.people.name.bad",
		identity.ErrUnknownPerson: "office.refused.person", identity.ErrUnknownProvider: "office.refused.provider",
		identity.ErrNotSignedIn: "office.refused.not_signed_in", identity.ErrBadToken: "office.refused.token",
		identity.ErrUnknownSubject: "office.refused.subject", identity.ErrLinkedElsewhere: "office.refused.linked",
		identity.ErrProviderAway: "office.refused.away",
	} {
		if errors.Is(err, known) {
			return key, true
		}
	}
	return "", false
}

func (v *visit) signInBegin() error { return v.sendCeremony(v.People.BeginLogin(v.ctx)) }

// signIn lets somebody in who answered by his passkey.
func (v *visit) signIn() error {
	p, err := v.People.FinishLogin(v.ctx, v.form("ceremony"), []byte(v.r.PostForm.Get("response")))
	if err != nil {
		key, known := v.refusal(err)
		if !known {
			return err
		}
		return v.door(http.StatusUnprocessableEntity, signInPage{Next: v.form("next"), Problem: v.words.T(key)})
	}
	return v.welcome(p, v.form("next"))
}

// welcome begins a session and goes to where somebody wanted to.
func (v *visit) welcome(p identity.Person, next string) error {
	v.enrolled(p)
	if err := v.People.SignIn(v.ctx, p); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, local(next), http.StatusSeeOther)
	return nil
}

// recover takes a recovery code, and leads to a new passkey.
func (v *visit) recover() error {
	made, err := v.People.Recover(v.ctx, v.form("code"))
	if late, ok := errors.AsType[*identity.TryLater](err); ok {
		return v.door(http.StatusTooManyRequests, signInPage{Code: true, Problem: v.words.T("office.refused.tries", v.words.Wait(late.After))})
	}
	if err != nil {
		key, known := v.refusal(err)
		if !known {
			return err
		}
		return v.door(http.StatusUnprocessableEntity, signInPage{Code: true, Next: v.form("next"), Problem: v.words.T(key)})
	}
	return v.setupShown(http.StatusOK, setupPage{Token: made.Token.Reveal(), Name: made.Name, Back: true})
}

func (v *visit) signOut() error {
	if err := v.People.SignOut(v.ctx); err != nil {
		return err
	}
	return v.done("/office/signin", "office.signout.done")
}

// setupPage is where an invitation is redeemed.
type setupPage struct {
	Token     string
	Name      string // whom it is for; "" while the token is not known here
	Issuer    string
	Role      string
	Back      bool // a recovery code led here
	Passkeys  bool
	Providers []providerLine
	Member    bool // somebody is signed in, and can take the invitation himself
	Problem   string
}

// setupPage shows the form of an invitation. The token usually stands behind # in the link, where no server sees it: then the script
// puts it into the form.
func (v *visit) setupPage() error {
	return v.setupShown(http.StatusOK, setupPage{Token: v.r.PathValue("token")})
}

func (v *visit) setupShown(status int, p setupPage) error {
	_, err := v.People.PasskeyHost()
	p.Passkeys, p.Member = err == nil, v.actor.Kind == identity.Human
	p.Providers = v.providers("")
	if p.Token != "" && !p.Back {
		made, err := v.People.Invitation(v.ctx, identity.Secret(p.Token))
		key, known := v.refusal(err)
		switch {
		case known:
			p.Problem, p.Token, status = v.words.T(key), "", http.StatusUnprocessableEntity
		case err != nil:
			return err
		default:
			p.Name, p.Back = made.Name, made.Person != ""
		}
		if err == nil && made.Issuer != (channel.ID{}) {
			p.Issuer, p.Role = v.issuerName(made.Issuer), v.words.T("office.role."+string(made.Role))
		}
	}
	return v.show(status, "setup", p)
}

func (v *visit) setupBegin() error {
	return v.sendCeremony(v.People.BeginEnrol(v.ctx, identity.Secret(v.form("token"))))
}

// setup ends the enrolment of a passkey: whoever did it is in, and sees his recovery codes this once.
func (v *visit) setup() error {
	response := v.r.PostForm.Get("response")
	if response == "" { // without the script: what the invitation is for, and what is needed
		return v.setupShown(http.StatusOK, setupPage{Token: v.form("token")})
	}
	if err := v.aboutInvitation(identity.Secret(v.form("token"))); err != nil {
		return err
	}
	p, codes, err := v.People.FinishEnrol(v.ctx, v.form("ceremony"), []byte(response))
	if err != nil {
		key, known := v.refusal(err)
		if !known {
			return err
		}
		return v.setupShown(http.StatusUnprocessableEntity, setupPage{Token: v.form("token"), Problem: v.words.T(key)})
	}
	v.enrolled(p)
	if err := v.People.SignIn(v.ctx, p); err != nil {
		return err
	}
	return v.codesShown(p.Name, codes)
}

// aboutInvitation records that somebody uses an invitation, or came back by a recovery code, where that is whose affair it is. A token
// that is none is refused by what comes next.
func (v *visit) aboutInvitation(token identity.Secret) error {
	made, err := v.People.Invitation(v.ctx, token)
	if _, known := v.refusal(err); known {
		return nil
	}
	if err != nil {
		return err
	}
	if made.Person == "" {
		return v.Audit.Act(v.ctx, made.Issuer, audit.Act{By: made.ID, Act: "invitation.accepted", Detail: string(made.Role)})
	}
	p, err := v.People.Person(v.ctx, made.Person)
	if err != nil {
		return err
	}
	for issuer := range p.Roles {
		if err := v.Audit.Act(v.ctx, issuer, audit.Act{By: p.ID, Act: "person.recovered"}); err != nil {
			return err
		}
	}
	return nil
}

// enrolled records whom an invitation made one of an issuer's people: who he is was not known when aboutInvitation recorded that it is
// used. He is one by now, so it is told to the log, and to nobody else, where this cannot be recorded.
func (v *visit) enrolled(p identity.Person) {
	if p.Joined == (channel.ID{}) {
		return
	}
	err := v.Audit.Act(v.ctx, p.Joined, audit.Act{By: p.ID, Act: "person.enrolled", Subject: p.ID, Detail: string(p.Roles[p.Joined])})
	if err != nil {
		v.Log.ErrorContext(v.ctx, "office: who was enrolled is not on the audit channel", "person", p.ID, "issuer", p.Joined.String(), "error", err)
	}
}

// codesPage shows recovery codes, this once.
type codesPage struct {
	Name  string
	Codes []string
}

func (v *visit) codesShown(name string, codes []identity.RecoveryCode) error {
	p := codesPage{Name: name}
	for _, code := range codes {
		p.Codes = append(p.Codes, code.Reveal())
	}
	v.w.Header().Set("Cache-Control", "no-store")
	return v.show(http.StatusOK, "codes", p)
}

// refusedBecause leaves what package identity says, or returns the error.
func (v *visit) refusedBecause(to string, err error) error {
	key, known := v.refusal(err)
	if !known {
		return err
	}
	v.pages.LeaveFlash(v.w, page.Bad, key)
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}
