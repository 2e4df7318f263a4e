package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

func (a *app) operator() *cobra.Command {
	c := group("operator", "Invite people to the service's pages, list them, take their roles away",
		`  productid operator invite --role owner --name "Ada Rossi" --base-url https://tap.example.com
  productid operator list`)
	c.Long = `People sign in to the service's pages with a passkey, or through a provider that productid serve is told of. Each has a role
for each issuer: an owner does everything, an operator the daily work, an auditor looks and changes nothing. An invitation makes
somebody one of them, once.
What is done here stands on the issuer's audit channel, by "` + byCommand + `", before it is done.`
	c.AddCommand(a.operatorInvite(), a.operatorList(), a.operatorRemove())
	return c
}

// personView is somebody with a role, or an invitation to one.
type personView struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Issuer   channel.ID    `json:"issuer"`
	Role     identity.Role `json:"role"`
	Invited  bool          `json:"invited,omitempty"` // and not here yet
	Link     string        `json:"link,omitempty"`    // to who is invited, this once
	Expires  *time.Time    `json:"expires,omitempty"` // the invitation
	Created  time.Time     `json:"created"`
	LastSeen *time.Time    `json:"lastSeen,omitempty"`
}

func (a *app) operatorInvite() *cobra.Command {
	var role, name, base, life string
	c := &cobra.Command{
		Use: "invite", Short: "Print a link that gives one person a role, once",
		Long: `Makes an invitation and prints its link this once. Whoever opens it first has the role: give it to the person in a way that
others do not read. It works where productid serve runs at --base-url with this data folder or database.`,
		Example: `  productid operator invite --role operator --name "Ada Rossi" --base-url https://tap.example.com`,
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := a.inviteBase(base)
			if err != nil {
				return err
			}
			lasts, err := parseLife("--expires", life, false)
			if err != nil {
				return err
			}
			if identity.Role(role).Scopes() == nil {
				return console.Misuse("inviting", fmt.Sprintf("%.40q is no role", role), "give --role owner, operator or auditor")
			}
			o, err := a.openOffice(c.Context(), false)
			if err != nil {
				return err
			}
			defer o.Close()
			return a.invite(c.Context(), o, u, identity.Role(role), name, lasts)
		},
	}
	c.Flags().StringVar(&role, "role", "", "owner, operator or auditor")
	c.Flags().StringVar(&name, "name", "", "what the person is called")
	c.Flags().StringVar(&base, "base-url", "", "the service's public `URL`")
	c.Flags().StringVar(&life, "expires", "1d", "how long the link is good: days (7d) or hours (12h)")
	return c
}

// inviteBase reads the address of the service, and says where passkeys cannot work at it.
func (a *app) inviteBase(text string) (*url.URL, error) {
	const what = "reading --base-url"
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return nil, console.Misuse(what, "it says nowhere where the service is", "give --base-url https://tap.example.com, as productid serve has it")
	}
	if err := identity.CheckOrigin(u); err != nil {
		return nil, console.Misuse(what, err.Error(), "give --base-url https://tap.example.com, or http://localhost:8080 on this machine")
	}
	if net.ParseIP(u.Hostname()) != nil {
		a.console.Warn(console.Warning{Code: "no_passkeys", What: "passkeys are bound to a name, and " + u.Host + " is an address: none can be made at this link",
			Next: "serve and invite under a name; on this machine that is http://localhost:" + cmp.Or(u.Port(), "8080")})
	}
	return u, nil
}

func (a *app) invite(ctx context.Context, o *office, base *url.URL, role identity.Role, name string, life time.Duration) error {
	if err := identity.CheckInvitation(name, life); err != nil {
		return err
	}
	if err := o.act(ctx, "person.invited", "", string(role)); err != nil { // whom is nobody's affair for ever
		return err
	}
	v, err := o.identity.Invite(ctx, o.issuer, role, name, life)
	if err != nil {
		return err
	}
	view := viewInvitation(v)
	view.Link = v.Link(base).Reveal()
	return a.console.Answer(view, func(w io.Writer) {
		console.Fields(w, "link", view.Link, "", "shown this once, opens once, until "+moment(v.Expires, ""), "invited", v.Name, "role", string(v.Role))
	})
}

func viewInvitation(v identity.Invitation) personView {
	return personView{ID: v.ID, Name: v.Name, Issuer: v.Issuer, Role: v.Role, Invited: true, Expires: optional(v.Expires), Created: v.Created}
}

func (a *app) operatorList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List who has a role, and who is invited to one",
		Example: "  productid operator list --json",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := a.openOffice(c.Context(), false)
			if err != nil {
				return err
			}
			defer o.Close()
			all, err := o.everybody(c.Context())
			if err != nil {
				return err
			}
			return console.List(a.console, all, func(w io.Writer) { peopleTable(w, all) })
		},
	}
}

// everybody is who has a role at the issuer, and then who is invited to one.
func (o *office) everybody(ctx context.Context) (all []personView, err error) {
	people, err := o.identity.People(ctx, o.issuer)
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		all = append(all, personView{ID: p.ID, Name: p.Name, Issuer: o.issuer, Role: p.Roles[o.issuer], Created: p.Created, LastSeen: optional(p.LastSeen)})
	}
	invited, err := o.identity.Invitations(ctx, o.issuer)
	for _, v := range invited {
		all = append(all, viewInvitation(v))
	}
	return all, err
}

func peopleTable(w io.Writer, all []personView) {
	var rows [][]string
	for _, p := range all {
		state := "not yet signed in"
		switch {
		case p.Invited:
			state = "invited until " + moment(*p.Expires, "")
		case p.LastSeen != nil:
			state = "last seen " + moment(*p.LastSeen, "")
		}
		rows = append(rows, []string{p.ID, p.Name, string(p.Role), state})
	}
	console.Table(w, []string{"ID", "NAME", "ROLE", "STATE"}, rows)
}

func (a *app) operatorRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Take somebody's role away, or his invitation",
		Long: `Ends a role at once, also where the person is signed in; with his last role he can sign in no more. The last owner of an issuer
stays: invite another first. For who is invited it voids the link.`,
		Example: "  productid operator remove abcdefghijklmnop",
		Args:    arguments(1, 1, "the id that productid operator list shows"),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := a.openOffice(c.Context(), false)
			if err != nil {
				return err
			}
			defer o.Close()
			all, err := o.everybody(c.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(p personView) bool { return p.ID == args[0] })
			if i < 0 {
				return fmt.Errorf("removing %.40q: %w", args[0], identity.ErrUnknownPerson)
			}
			if err := o.remove(c.Context(), all, all[i]); err != nil {
				return err
			}
			return a.console.Answer(all[i], func(w io.Writer) {
				console.Fields(w, "removed", all[i].Name, "role", string(all[i].Role))
			})
		},
	}
}

// remove is recorded before it is done, and a last owner is not: that is found out before.
func (o *office) remove(ctx context.Context, all []personView, p personView) error {
	if p.Invited {
		err := o.act(ctx, "invitation.withdrawn", p.ID, "")
		if err == nil {
			err = o.identity.Withdraw(ctx, o.issuer, p.ID)
		}
		return err
	}
	others := slices.ContainsFunc(all, func(q personView) bool { return q.ID != p.ID && q.Role == identity.Owner && !q.Invited })
	if p.Role == identity.Owner && !others {
		return fmt.Errorf("removing %.40q: %w", p.Name, identity.ErrLastOwner)
	}
	if err := o.act(ctx, "person.removed", p.ID, ""); err != nil {
		return err
	}
	return o.identity.RemoveRole(ctx, o.issuer, p.ID)
}
