// Package office is the operators' pages under /office: what an installation holds and how it does, and everything that is administered.
//
// Who may do what stands in one table (see route), and is asked in one place (see Office.guard). Reading is GET and changes nothing;
// each change is a POST, recorded on the issuer's audit channel before it is done, and answered by a redirect or, where a secret is
// shown once, by the page that shows it. Everything works without scripts, but for passkeys, which browsers have no other way to.
//
// # Concurrency
//
// An Office may be used by many goroutines.
package office

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

//go:embed all:templates
var templates embed.FS

//go:embed static
var static embed.FS

// Static returns the office's static files, for page.NewAssets.
func Static() fs.FS {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return files
}

// Options is what an Office works with; all are needed but those that say otherwise.
type Options struct {
	Origin    *url.URL // the site's base address
	People    *identity.Identity
	Registry  *registry.Registry
	Ledger    ledger.Ledger
	Settings  *settings.Service
	Authors   Authors
	Lifecycle *lifecycle.Service
	Products  *product.Products
	Alarms    *alarm.Watch
	Notices   *notify.Service
	Audit     *audit.Log
	// System, when set, returns what an owner should know of the installation beside the ledger: anchor, outbox, certificate.
	System func(*http.Request) []Line
	// Sandbox, when set, reports whether an issuer has software cards only.
	Sandbox func(issuer channel.ID) bool

	Assets *page.Assets
	Site   string         // what the site calls itself; "" is ProductID
	Zone   *time.Location // nil is UTC
	Now    func() time.Time
	Log    *slog.Logger // nil is slog.Default
}

// Line is one thing that an owner should know: what it is, how it does, and its tone, one of package page's.
type Line struct{ Name, Text, Tone string }

// Office is the handler of /office.
type Office struct {
	Options
	pages *page.Renderer
	mux   *http.ServeMux
}

// New returns an Office. The error says which template is wrong.
func New(o Options) (*Office, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Options{Templates: files, Assets: o.Assets, Site: o.Site, Secure: o.Origin.Scheme == "https",
		Zone: o.Zone, Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	office := &Office{Options: o, pages: pages, mux: http.NewServeMux()}
	for _, rt := range routes() {
		office.mux.Handle(rt.pattern(), office.guard(rt))
	}
	return office, nil
}

// ServeHTTP answers a request for a page. It needs the session that identity's middleware finds, and edge's protection against
// forms of other sites.
func (o *Office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := o.mux.Handler(r)
	if pattern == "" {
		o.notFound(w, r)
		return
	}
	o.mux.ServeHTTP(w, r)
}
