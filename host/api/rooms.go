package api

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Rooms are the parts of the service that the API speaks for.
type Rooms struct {
	Desk     Desk
	Ledger   ledger.Ledger
	Registry *registry.Registry
	Settings *settings.Service
	Audit    Audit
	Keys     Keys
	Redirect Redirect
	Faces    Faces
	Log      Checkpoints                                              // nil for a ledger that is no log
	Bundle   func(ctx context.Context, id tap.CardID) ([]byte, error) // a card's bundle
	IsTest   func(ctx context.Context, issuer channel.ID) bool        // whether it is the sandbox
}

// Faces knows how issuers show themselves.
type Faces interface {
	Face(ctx context.Context, issuer channel.ID) (product.Face, error)
}

// Checkpoints is a ledger that is a log.
type Checkpoints interface {
	Checkpoint(ctx context.Context) ([]byte, error)
}

// Desk decides on taps, as for the website.
type Desk interface {
	Look(ctx context.Context, url string, c Caller) (Finding, error)
	Record(ctx context.Context, r Request, c Caller) (Finding, error)
	Continue(ctx context.Context, id tap.CardID, counter uint32) (*url.URL, error)
}

// Caller is who asks the desk.
type Caller struct {
	Actor   identity.Actor
	Network string
	Channel string
}

// Request asks the desk to record a tap.
type Request struct {
	URL     string
	Payload json.RawMessage
	Form    map[string]string
	Retry   *validation.Retry
	Place   *Place
}

// Place is where a card was tapped.
type Place struct {
	Latitude, Longitude float64
	Name                string
}

// Finding is what the desk found.
type Finding struct {
	validation.Verdict
	Issuer   record.Issuer
	Face     product.Face
	Product  *product.Product
	Settings record.Settings
	Asks     string
	Test     bool
}

// Audit writes down what is administered.
type Audit interface {
	Act(ctx context.Context, issuer channel.ID, a audit.Act) error
	List(ctx context.Context, issuer channel.ID, before uint64, n int) ([]audit.Entry, error)
}

// Keys knows API keys.
type Keys interface {
	Authenticate(ctx context.Context, token string) (identity.Actor, identity.Key, error)
	CreateKey(ctx context.Context, o identity.KeyOrder) (identity.Key, identity.Secret, error)
	Keys(ctx context.Context, issuer channel.ID) ([]identity.Key, error)
	RevokeKey(ctx context.Context, issuer channel.ID, id string) error
}

// Redirect checks the tokens of visits.
type Redirect interface {
	Verify(ctx context.Context, token, audience string) (redirect.Claims, error)
}
