// Package api is the HTTP API: what web shops, machines and the command line ask of the service.
//
// Its two calls that matter are getCardInfo (GET /v1/cards/{id}) and tapAction (POST /v1/taps). openapi.json, which stands beside
// this file and is served at /openapi.json, describes all of them; it is made of the code, and a test fails when it is not. The
// bodies are in host/api/wire, a client in host/api/client, docs/api.md explains.
//
// # How a request goes
//
// The gate tells who asks, refuses who asks too often, and reads the body strictly; then the request is held against its schema;
// then the operation asks, by call.may, whether the caller may do this for this issuer, writes the audit record of an administrative
// act, and does it. Errors go up and are put into words in one place, by the table in errors.go.
//
// # Authentication
//
// Authorization: Bearer pid_… names a machine; without that header the actor of a browser's session counts, which identity has put
// into the request's context. edge refuses what other sites' pages send on behalf of a browser.
//
// # Concurrency
//
// An API may be used by many goroutines.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/edge"
)

// Options is what an API works with; all are needed, but for Limit and Logger.
type Options struct {
	Base *url.URL // the service's address: problem types and links begin with it
	Rooms

	// Limit says whether who has this key may ask now, or else how long he has to wait: see edge.Limiter. Keys are "key:" with an
	// API key's id, or "net:" with a client's network; or "bundle:" with one, for what is dear to answer.
	Limit  func(key string) (retryAfter time.Duration, ok bool)
	Now    func() time.Time
	Logger *slog.Logger
}

// API answers requests below /v1/ and for /openapi.json.
type API struct {
	Options
	mux     *http.ServeMux
	openapi *huma.OpenAPI
	text    []byte // openapi, as it is served
	byID    map[string]operation
}

// strict makes huma match the members of a body by their exact case. It is a setting of the whole library.
var strict sync.Once

// New returns an API.
func New(o Options) *API {
	strict.Do(func() { huma.ValidateStrictCasing = true })
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Limit == nil {
		o.Limit = func(string) (time.Duration, bool) { return 0, true }
	}
	a := &API{Options: o, mux: http.NewServeMux(), byID: map[string]operation{}}
	config := huma.Config{
		OpenAPI:                      a.document(),
		Formats:                      map[string]huma.Format{"application/json": {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: huma.DefaultJSONFormat.Unmarshal}},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.ours},
	}
	config.Formats["json"] = config.Formats["application/json"] // of application/problem+json
	h := huma.NewAPI(config, adapter{a})
	a.openapi = h.OpenAPI()
	a.registerTaps(h)
	a.registerCards(h)
	a.registerSettings(h)
	a.registerLife(h)
	a.registerLedger(h)
	a.registerAlarms(h)
	a.registerWebhooks(h)
	a.registerKeys(h)
	a.registerSandbox(h)
	a.text = a.finish()
	a.mux.HandleFunc("GET /openapi.json", a.serveDocument)
	a.mux.HandleFunc("/", a.serveOther)
	return a
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// OpenAPI returns the document that describes the API, as it is served at /openapi.json.
func (a *API) OpenAPI() []byte { return a.text }

func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json;version=3.1")
	w.Header().Set("Cache-Control", "max-age=300")
	w.Write(a.text) // whoever asked has gone, if it fails
}

// methods are those that a path can have.
var methods = []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete}

// serveOther answers for a path that there is not, or for a method that its path has not.
func (a *API) serveOther(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range methods {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := a.mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, m)
		}
	}
	f := &fault{code: wire.CodeNotFound}
	if len(allowed) > 0 {
		f = &fault{code: wire.CodeMethodNotAllowed, header: http.Header{"Allow": allowed}}
	}
	a.problem(r.Context(), f).write(w)
}

// Refuse answers with the problem of a code where no operation is at work: it is edge.Options.Problem for those who ask in JSON.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, _ int, code string) {
	a.problem(r.Context(), &fault{code: code}).write(w)
}

func (a *API) requestID(ctx context.Context) string { return edge.RequestID(ctx) }
