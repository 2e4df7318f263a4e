package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
)

func (a *API) registerKeys(h huma.API) {
	handle(a, h, operation{
		id: "listKeys", method: http.MethodGet, path: "/v1/issuers/{issuer}/keys", tag: "office", scope: identity.ManageKeys,
		summary: "List an issuer's API keys", text: "Also those that expired or were revoked, the newest first.",
	}, a.listKeys)
	handle(a, h, operation{
		id: "createKey", method: http.MethodPost, path: "/v1/issuers/{issuer}/keys", tag: "office", scope: identity.ManageKeys, act: "key.created", status: http.StatusCreated,
		summary: "Make an API key", text: "The token is shown once. A key gets no scope that whoever makes it has not, and a person makes one only within 15 minutes of signing in. Keys of the sandbox are test keys, and all others are not.",
	}, a.createKey)
	handle(a, h, operation{
		id: "revokeKey", method: http.MethodDelete, path: "/v1/issuers/{issuer}/keys/{key}", tag: "office", scope: identity.ManageKeys, act: "key.revoked", status: http.StatusNoContent,
		summary: "Revoke an API key", text: "At once and for good.",
	}, a.revokeKey)
	handle(a, h, operation{
		id: "listActs", method: http.MethodGet, path: "/v1/issuers/{issuer}/audit", tag: "office", scope: identity.ReadAudit,
		summary: "List what was administered, and by whom", text: "The newest first. An act is recorded before it is done, so what is here may have been broken off.",
	}, a.listActs)
}

// keyLife is how long a key is good whose maker says nothing.
const keyLife = 365 * 24 * time.Hour

// listKeys lists an issuer's keys.
func (a *API) listKeys(ctx context.Context, c *call, in *IssuerPath) (*body[wire.Keys], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	all, err := a.Keys.Keys(ctx, in.Issuer)
	if err != nil {
		return nil, err
	}
	list := wire.Keys{Items: []wire.Key{}}
	for _, k := range all {
		list.Items = append(list.Items, keyOf(k))
	}
	return answer(list), nil
}

type keyInput struct {
	IssuerPath
	Body wire.KeyRequest
}

// createKey makes a key.
func (a *API) createKey(ctx context.Context, c *call, in *keyInput) (*body[wire.NewKey], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	o := identity.KeyOrder{Issuer: in.Issuer, Name: in.Body.Name, Expires: in.Body.Expires, Test: a.Sandbox.IsTest(ctx, in.Issuer), By: c.actor.ID}
	for _, s := range in.Body.Scopes {
		o.Scopes = append(o.Scopes, identity.Scope(s))
	}
	if o.Expires.IsZero() {
		o.Expires = a.Now().Add(keyLife)
	}
	if err := c.actor.MayGrant(in.Issuer, o.Scopes...); err != nil {
		return nil, err
	}
	if c.actor.Kind == identity.Human && !a.Keys.Fresh(ctx) {
		return nil, &fault{code: wire.CodeForbidden, detail: "a person makes keys within 15 minutes of signing in: sign in once more"}
	}
	if err := c.act(ctx, in.Issuer, "", o.Name+": "+strings.Join(in.Body.Scopes, " ")); err != nil {
		return nil, err
	}
	k, token, err := a.Keys.CreateKey(ctx, o)
	switch {
	case errors.Is(err, identity.ErrName):
		return nil, invalid("body.name", "not a name: it is empty, too long, or not one line")
	case errors.Is(err, identity.ErrExpiry):
		return nil, invalid("body.expires", "in the past, or beyond the year 9999")
	case err != nil:
		return nil, err
	}
	return answer(wire.NewKey{Key: keyOf(k), Token: string(token)}), nil
}

type keyPath struct {
	IssuerPath
	Key string `path:"key" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"The key's id."`
}

// revokeKey ends a key.
func (a *API) revokeKey(ctx context.Context, c *call, in *keyPath) (*struct{}, error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	if err := c.act(ctx, in.Issuer, in.Key, ""); err != nil {
		return nil, err
	}
	err := a.Keys.RevokeKey(ctx, in.Issuer, in.Key)
	if errors.Is(err, identity.ErrUnknownKey) {
		err = &fault{code: wire.CodeNotFound, detail: "the issuer has no key with this id"}
	}
	return nil, err
}

func keyOf(k identity.Key) wire.Key {
	v := wire.Key{ID: k.ID, Name: k.Name, Scopes: []string{}, Test: k.Test, Created: k.Created, Expires: moment(k.Expires), Used: moment(k.Used), Revoked: moment(k.Revoked)}
	for _, s := range k.Scopes {
		v.Scopes = append(v.Scopes, string(s))
	}
	return v
}

// moment is a time that may not have come.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type actsInput struct {
	IssuerPath
	Cursor uint64 `query:"cursor" doc:"The member next of the page before." maximum:"9007199254740991"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
}

// listActs lists what was administered.
func (a *API) listActs(ctx context.Context, c *call, in *actsInput) (*body[wire.Acts], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	entries, err := a.Audit.List(ctx, in.Issuer, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	page := wire.Acts{Items: []wire.Act{}}
	for _, e := range entries {
		page.Items = append(page.Items, wire.Act{Number: e.Number, Time: e.Time, By: e.By, Act: e.Act.Act, Subject: e.Subject, Detail: e.Detail})
	}
	if n := len(entries); n == in.Limit && entries[n-1].Number > 0 {
		page.Next = uintText(entries[n-1].Number)
	}
	return answer(page), nil
}
