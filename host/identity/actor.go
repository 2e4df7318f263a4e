package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/productid/productid/pkg/channel"
)

// Why an actor is refused.
var (
	// ErrUnauthenticated says that nobody showed who he is.
	ErrUnauthenticated = errors.New("nobody is signed in, and no API key was shown")
	// ErrForeignIssuer says that the actor has to do with other issuers only.
	ErrForeignIssuer = errors.New("it belongs to another issuer")
	// ErrForbidden says that the actor's role or key does not go that far.
	ErrForbidden = errors.New("role or scope does not allow it")
)

// Scope is one thing that may be done for an issuer.
type Scope string

// The scopes. Names are stable: they stand in API keys.
const (
	ReadCards      Scope = "cards:read"      // lists of cards and taps, the restricted view of a card, its settings
	WriteCards     Scope = "cards:write"     // revoke, associate with a device, settings
	RecordTaps     Scope = "taps:record"     // use taps up
	ReadAlarms     Scope = "alarms:read"     // alarms and reports
	SettleAlarms   Scope = "alarms:settle"   // say that somebody has seen to one
	ManageWebhooks Scope = "webhooks:manage" // where events are sent
	ManageKeys     Scope = "keys:manage"     // API keys
	ManagePeople   Scope = "people:manage"   // operators and their roles
	ManageIssuer   Scope = "issuer:manage"   // name, logo, products
	ReadAudit      Scope = "audit:read"      // what was administered, and by whom
	UseSandbox     Scope = "sandbox"         // software cards of the sandbox issuer
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ReadCards, WriteCards, RecordTaps, ReadAlarms, SettleAlarms, ManageWebhooks, ManageKeys, ManagePeople, ManageIssuer, ReadAudit, UseSandbox}
}

// Role is what a person is to an issuer.
type Role string

// The roles.
const (
	Owner    Role = "owner"    // everything
	Operator Role = "operator" // the daily work
	Auditor  Role = "auditor"  // looks, changes nothing
)

// Scopes returns what the role may do; nothing for a role that is none.
func (r Role) Scopes() []Scope {
	switch r {
	case Owner:
		return Scopes()
	case Operator:
		return []Scope{ReadCards, WriteCards, RecordTaps, ReadAlarms, SettleAlarms, UseSandbox}
	case Auditor:
		return []Scope{ReadCards, ReadAlarms, ReadAudit}
	}
	return nil
}

// Kind says what an actor is.
type Kind string

// The kinds of actors.
const (
	Anonymous Kind = ""
	Human     Kind = "person"
	Machine   Kind = "key"
)

// Actor is who asks for something. The zero Actor is anybody. ID is stable and names nobody, so records may hold it; Name is for
// those who may see it.
type Actor struct {
	Kind Kind
	ID   string
	Name string

	grants map[channel.ID][]Scope
}

// NewActor returns an actor who may do what grants say.
func NewActor(kind Kind, id, name string, grants map[channel.ID][]Scope) Actor {
	return Actor{Kind: kind, ID: id, Name: name, grants: grants}
}

// May returns nil when the actor may do that for the issuer, else ErrUnauthenticated, ErrForeignIssuer or ErrForbidden.
func (a Actor) May(issuer channel.ID, s Scope) error {
	if a.Kind == Anonymous {
		return ErrUnauthenticated
	}
	scopes, has := a.grants[issuer]
	if !has {
		return fmt.Errorf("%s for issuer %v: %w", s, issuer, ErrForeignIssuer)
	}
	if !slices.Contains(scopes, s) {
		return fmt.Errorf("%s for issuer %v: %w", s, issuer, ErrForbidden)
	}
	return nil
}

// MayGrant returns nil when the actor holds, for the issuer, each of the scopes himself: nobody gives away, in an API key or a
// role, what he has not got. Errors: those of May.
func (a Actor) MayGrant(issuer channel.ID, scopes ...Scope) error {
	for _, s := range scopes {
		if err := a.May(issuer, s); err != nil {
			return err
		}
	}
	return nil
}

// Issuers returns the issuers that the actor has to do with, in the order of their ids.
func (a Actor) Issuers() []channel.ID {
	var ids []channel.ID
	for id := range a.grants {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y channel.ID) int { return slices.Compare(x[:], y[:]) })
	return ids
}

type actorKey struct{}

// WithActor returns a context in which a acts.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From returns who acts in the context; anybody when nobody was named.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
