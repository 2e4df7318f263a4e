package office

import (
	"errors"
	"net/http"
	"time"

	"github.com/productid/productid/host/identity"
)

// invitationLife is how long an invitation may lie in a mailbox.
const invitationLife = 3 * 24 * time.Hour

var roles = []identity.Role{identity.Owner, identity.Operator, identity.Auditor}

// peoplePage lists who has to do with an issuer, and shows the link of an invitation that was made just now.
type peoplePage struct {
	People      []personLine
	Invitations []identity.Invitation
	Roles       []identity.Role
	Form        form
	Link        string // of an invitation that was made just now: shown once
	Invited     string // whom it is for
}

type personLine struct {
	identity.Person
	Role identity.Role
	Self bool
}

// person returns the name of whoever has an id, or the id.
func (v *visit) person(id string) string {
	if id == "" {
		return ""
	}
	if id == v.actor.ID {
		return v.actor.Name
	}
	if p, err := v.People.Person(v.ctx, id); err == nil {
		return p.Name
	}
	return id
}

func (v *visit) people() error {
	return v.peopleShown(http.StatusOK, peoplePage{Form: form{Values: map[string]string{"role": string(identity.Operator)}}})
}

func (v *visit) peopleShown(status int, p peoplePage) error {
	list, err := v.People.People(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	for _, one := range list {
		p.People = append(p.People, personLine{one, one.Roles[v.issuer], one.ID == v.actor.ID})
	}
	if p.Invitations, err = v.People.Invitations(v.ctx, v.issuer); err != nil {
		return err
	}
	p.Roles = roles
	return v.show(status, "people", p)
}

// invite makes a link that lets one person in.
func (v *visit) invite() error {
	p := peoplePage{Form: v.typed("name", "role")}
	role, name := identity.Role(v.form("role")), v.form("name")
	if role.Scopes() == nil {
		p.Form.Problems["role"] = v.words.T("office.people.role.bad")
	}
	if name == "" || len([]rune(name)) > 100 {
		p.Form.Problems["name"] = v.words.T("office.people.name.bad")
	}
	if p.Form.Bad() {
		return v.peopleShown(http.StatusUnprocessableEntity, p)
	}
	if err := v.actor.MayGrant(v.issuer, role.Scopes()...); err != nil {
		return err
	}
	if err := v.about("person.invited", "", string(role)); err != nil { // whom is nobody's affair for ever
		return err
	}
	made, err := v.People.Invite(v.ctx, v.issuer, role, name, invitationLife)
	if errors.Is(err, identity.ErrName) {
		p.Form.Problems["name"] = v.words.T("office.people.name.bad")
		return v.peopleShown(http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return v.peopleShown(http.StatusOK, peoplePage{Link: v.Origin.JoinPath("/office/setup").String() + "#" + made.Token.Reveal(), Invited: made.Name,
		Form: form{Values: map[string]string{"role": string(identity.Operator)}}})
}

// personRole gives somebody another role.
func (v *visit) personRole() error {
	role := identity.Role(v.form("role"))
	if role.Scopes() == nil {
		return v.refused(v.at("people"), "office.people.role.bad")
	}
	if err := v.actor.MayGrant(v.issuer, role.Scopes()...); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if err := v.about("person.role", id, string(role)); err != nil {
		return err
	}
	if err := v.People.SetRole(v.ctx, v.issuer, id, role); err != nil {
		return v.personRefused(err)
	}
	return v.done(v.at("people"), "office.people.role.done")
}

// personRemove takes somebody's role away, and with it whatever he could do.
func (v *visit) personRemove() error {
	id := v.r.PathValue("id")
	if v.form("confirm") == "" {
		return v.refused(v.at("people"), "office.people.remove.unconfirmed")
	}
	if err := v.about("person.removed", id, ""); err != nil {
		return err
	}
	if err := v.People.RemoveRole(v.ctx, v.issuer, id); err != nil {
		return v.personRefused(err)
	}
	if id == v.actor.ID {
		return v.done("/office/account", "office.people.remove.done")
	}
	return v.done(v.at("people"), "office.people.remove.done")
}

func (v *visit) personRefused(err error) error {
	switch {
	case errors.Is(err, identity.ErrLastOwner):
		return v.refused(v.at("people"), "office.people.last_owner")
	case errors.Is(err, identity.ErrUnknownPerson):
		return v.refused(v.at("people"), "office.people.unknown")
	}
	return err
}

func (v *visit) withdraw() error {
	id := v.r.PathValue("id")
	if err := v.about("invitation.withdrawn", id, ""); err != nil {
		return err
	}
	if err := v.People.Withdraw(v.ctx, v.issuer, id); err != nil {
		if errors.Is(err, identity.ErrUnknownInvitation) {
			return v.refused(v.at("people"), "office.people.invitation.unknown")
		}
		return err
	}
	return v.done(v.at("people"), "office.people.withdraw.done")
}
