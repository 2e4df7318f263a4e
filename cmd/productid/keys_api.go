package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

func (a *app) keysAPI() *cobra.Command {
	c := group("api", "Make, list and revoke the keys that machines use the service with",
		`  productid keys api create --name "web shop" --scope taps:record --scope cards:read --expires 90d
  productid keys api revoke abcdefghijklmnop`)
	c.Long = `An API key lets a machine use the service for one issuer, within its scopes. Its token is shown once and kept nowhere.
Scopes: ` + scopeList() + `.
What is done here stands on the issuer's audit channel, by "` + byCommand + `", before it is done.`
	c.AddCommand(a.keysAPICreate(), a.keysAPIList(), a.keysAPIRevoke())
	return c
}

func scopeList() string {
	var all []string
	for _, s := range identity.Scopes() {
		all = append(all, string(s))
	}
	return strings.Join(all, ", ")
}

// keyView is an API key as it is shown. Token stands there once, when the key is made.
type keyView struct {
	ID      string           `json:"id"`
	Token   string           `json:"token,omitempty"`
	Issuer  channel.ID       `json:"issuer"`
	Name    string           `json:"name"`
	Scopes  []identity.Scope `json:"scopes"`
	Test    bool             `json:"test"`
	By      string           `json:"by"`
	Created time.Time        `json:"created"`
	Expires *time.Time       `json:"expires,omitempty"`
	Used    *time.Time       `json:"used,omitempty"`
	Revoked *time.Time       `json:"revoked,omitempty"`
}

func viewKey(k identity.Key) keyView {
	return keyView{ID: k.ID, Issuer: k.Issuer, Name: k.Name, Scopes: k.Scopes, Test: k.Test, By: k.By, Created: k.Created,
		Expires: optional(k.Expires), Used: optional(k.Used), Revoked: optional(k.Revoked)}
}

func (a *app) keysAPICreate() *cobra.Command {
	var name, expires string
	var scopes []string
	var test bool
	c := &cobra.Command{
		Use: "create", Short: "Make an API key, and print its token this once",
		Long: `Makes a key for the issuer. The token is the key: who has it may do what the scopes say until it expires or is revoked. Test
keys belong to the sandbox issuer, whose cards are software and prove nothing; it is made with the first of them.`,
		Example: `  productid keys api create --name "web shop" --scope taps:record --scope cards:read --expires 90d`,
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			life, err := parseLife("--expires", expires, true)
			if err != nil {
				return err
			}
			order := identity.KeyOrder{Name: name, Test: test, By: byCommand}
			if life > 0 {
				order.Expires = time.Now().Add(life)
			}
			for _, s := range scopes {
				order.Scopes = append(order.Scopes, identity.Scope(s))
			}
			if i := slices.IndexFunc(order.Scopes, func(s identity.Scope) bool { return !slices.Contains(identity.Scopes(), s) }); i >= 0 || len(scopes) == 0 {
				return console.Misuse("making an API key", "a key needs scopes, and only those that there are", "give --scope, once for each of: "+scopeList())
			}
			o, err := a.openOffice(c.Context(), test)
			if err != nil {
				return err
			}
			defer o.Close()
			order.Issuer = o.issuer
			return a.createKey(c, o, order)
		},
	}
	c.Flags().StringVar(&name, "name", "", "what the key is called, so that people know it again")
	c.Flags().StringArrayVar(&scopes, "scope", nil, "what it is for; may be repeated")
	c.Flags().StringVar(&expires, "expires", "365d", "how long it is good: days (90d), hours (12h), or never")
	testFlag(c, &test)
	return c
}

func (a *app) createKey(c *cobra.Command, o *office, order identity.KeyOrder) error {
	if err := o.identity.CheckKey(c.Context(), order); err != nil {
		return err
	}
	var words []string
	for _, s := range order.Scopes {
		words = append(words, string(s))
	}
	if err := o.act(c.Context(), "key.created", "", order.Name+": "+strings.Join(words, " ")); err != nil {
		return err
	}
	k, token, err := o.identity.CreateKey(c.Context(), order)
	if err != nil {
		return err
	}
	v := viewKey(k)
	v.Token = token.Reveal()
	return a.console.Answer(v, func(w io.Writer) {
		console.Fields(w, "token", v.Token, "", "shown this once: keep it where the machine alone reads it", "id", v.ID, "name", v.Name,
			"scopes", strings.Join(words, " "), "expires", moment(k.Expires, "never"))
	})
}

func (a *app) keysAPIList() *cobra.Command {
	var test bool
	c := &cobra.Command{
		Use: "list", Short: "List the issuer's API keys",
		Long:    `Lists the keys of the issuer, the newest first, also those that expired or were revoked. Nobody can be shown a token again.`,
		Example: "  productid keys api list --issuer \"Bell GmbH\"",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := a.openOffice(c.Context(), test)
			if err != nil {
				return err
			}
			defer o.Close()
			keys, err := o.identity.Keys(c.Context(), o.issuer)
			if err != nil {
				return err
			}
			var views []keyView
			var rows [][]string
			for _, k := range keys {
				v := viewKey(k)
				views = append(views, v)
				rows = append(rows, []string{k.ID, k.Name, keyState(k, time.Now()), moment(k.Expires, "never"), moment(k.Used, "not yet"), strings.Trim(fmt.Sprint(k.Scopes), "[]")})
			}
			return console.List(a.console, views, func(w io.Writer) {
				console.Table(w, []string{"ID", "NAME", "STATE", "EXPIRES", "LAST USED", "SCOPES"}, rows)
			})
		},
	}
	testFlag(c, &test)
	return c
}

func testFlag(c *cobra.Command, test *bool) {
	c.Flags().BoolVar(test, "test", false, "test keys, of the sandbox issuer")
}

func keyState(k identity.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	case k.Test:
		return "test"
	}
	return "good"
}

func (a *app) keysAPIRevoke() *cobra.Command {
	var test bool
	c := &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API key, at once and for good",
		Long:    `Ends a key of the issuer: the next request with it is refused, by every process of the service.`,
		Example: "  productid keys api revoke abcdefghijklmnop",
		Args:    arguments(1, 1, "a key's id"),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := a.openOffice(c.Context(), test)
			if err != nil {
				return err
			}
			defer o.Close()
			keys, err := o.identity.Keys(c.Context(), o.issuer)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(keys, func(k identity.Key) bool { return k.ID == args[0] })
			if i < 0 {
				return fmt.Errorf("revoking key %.40q: %w", args[0], identity.ErrUnknownKey)
			}
			if keys[i].Revoked.IsZero() {
				if err := o.act(c.Context(), "key.revoked", args[0], ""); err != nil {
					return err
				}
				if err := o.identity.RevokeKey(c.Context(), o.issuer, args[0]); err != nil {
					return err
				}
				keys[i].Revoked = time.Now()
			}
			return a.console.Answer(viewKey(keys[i]), func(w io.Writer) {
				console.Fields(w, "revoked", keys[i].ID, "name", keys[i].Name, "since", moment(keys[i].Revoked, ""))
			})
		},
	}
	testFlag(c, &test)
	return c
}
