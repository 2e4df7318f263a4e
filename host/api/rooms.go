package api

import (
	"context"
	"net/url"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// Rooms are the parts of the service that the API speaks for.
type Rooms struct {
	Desk     Desk     // *desk.Desk
	Keys     Keys     // *identity.Identity
	Audit    Audit    // *audit.Log
	Redirect Redirect // *redirect.Service
	Faces    Faces    // *product.Products
	Webhooks Webhooks // *notify.Service
	Alarms   Alarms   // *alarm.Watch
	Ledger   ledger.Ledger
	Log      Checkpoints // *tlog.Log; nil for a ledger that is no log
	Registry *registry.Registry
	Settings *settings.Service
	// Lifecycle changes what becomes of cards.
	Lifecycle *lifecycle.Service
	Sandbox   Sandbox // *sandbox.Sandbox
	// Bundle makes a card's bundle, see pkg/bundle.
	Bundle func(ctx context.Context, id tap.CardID) ([]byte, error)
}

// Desk decides on taps, as for the website.
type Desk interface {
	Look(ctx context.Context, url string, c desk.Caller) (desk.Finding, error)
	Record(ctx context.Context, r desk.Request, c desk.Caller) (desk.Finding, error)
	Card(ctx context.Context, id tap.CardID) (desk.Card, error)
	Continue(ctx context.Context, id tap.CardID, counter uint32) (*url.URL, error)
}

// Keys knows API keys.
type Keys interface {
	Authenticate(ctx context.Context, token string) (identity.Actor, identity.Key, error)
	CreateKey(ctx context.Context, o identity.KeyOrder) (identity.Key, identity.Secret, error)
	Keys(ctx context.Context, issuer channel.ID) ([]identity.Key, error)
	RevokeKey(ctx context.Context, issuer channel.ID, id string) error
	Fresh(ctx context.Context) bool // whether the person of the request's session signed in lately
}

// Audit writes down what is administered.
type Audit interface {
	Act(ctx context.Context, issuer channel.ID, a audit.Act) error
	List(ctx context.Context, issuer channel.ID, before uint64, n int) ([]audit.Entry, error)
}

// Redirect checks the tokens of visits.
type Redirect interface {
	Verify(ctx context.Context, token, audience string) (redirect.Claims, error)
}

// Faces knows how issuers show themselves.
type Faces interface {
	Face(ctx context.Context, issuer channel.ID) (product.Face, error)
}

// Webhooks sends events to addresses.
type Webhooks interface {
	AddEndpoint(ctx context.Context, issuer channel.ID, url string, kinds []string) (notify.Endpoint, notify.Secret, error)
	Endpoints(ctx context.Context, issuer channel.ID) ([]notify.Endpoint, error)
	RemoveEndpoint(ctx context.Context, issuer channel.ID, id string) error
	TestEndpoint(ctx context.Context, issuer channel.ID, id string) (notify.Delivery, error)
	Deliveries(ctx context.Context, issuer channel.ID, n int) ([]notify.Delivery, error)
}

// Alarms keeps what somebody should see to.
type Alarms interface {
	Alarms(ctx context.Context, f alarm.Filter) ([]alarm.Alarm, string, error)
	Settle(ctx context.Context, issuer channel.ID, id, by string) error
	Reports(ctx context.Context, f alarm.Filter) ([]alarm.Report, string, error)
	SettleReport(ctx context.Context, issuer channel.ID, id, by string) error
}

// Sandbox makes and taps test cards.
type Sandbox interface {
	Cards(ctx context.Context) ([]sandbox.Card, error)
	Create(ctx context.Context, name string) (sandbox.Card, error)
	Tap(ctx context.Context, id tap.CardID) (string, error)
	IsTest(ctx context.Context, issuer channel.ID) bool
}

// Checkpoints is a ledger that is a log.
type Checkpoints interface {
	Checkpoint(ctx context.Context) ([]byte, error)
}
