// Package web is the public website: what a phone shows after a tap, the certificate of a card, a place to paste a link, reports to
// the maker, and pages that explain.
//
// # A tap
//
// GET and HEAD of a tap's URL look and write nothing, whoever sends them and however often: link previews, prefetching browsers and
// readers who only look use nothing up. A POST to the same URL records the tap; the page sends it by itself where scripts run, and by
// a button where they do not, but for cards that ask for something first. Each page names its request by a key that belongs to the
// browser, so that a double press, a reload or a request whose answer was lost gets its own first answer; and the browser that
// recorded a tap holds a signed receipt, so that it is told "you checked this", and not "used before".
//
// What is not known is never called a refusal: a ledger that is slow or away is "we cannot check right now".
//
// # A number on a package
//
// A GS1 Digital Link without a card's signature is anybody's print. The site answers it as a resolver does, for the products of its
// issuers: with a page that says what the maker says and that nothing was checked, with one link that is asked for, or with all of them
// as a linkset.
//
// # Concurrency
//
// A [Site] may be used by many goroutines. It keeps nothing itself.
package web

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/productid/productid/host/page"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

//go:embed all:templates
var templates embed.FS

// defaultPatience is how long an answer may take before the reader is told that there is none yet.
const defaultPatience = 20 * time.Second

// Options is what a Site works with; all are needed, but for Name, Patience and Zone.
type Options struct {
	Base    *url.URL // where the site is seen from outside
	Name    string   // what the site calls itself; "" is ProductID
	Desk    Desk
	Reports Reports
	Cards   Cards
	Bundle  func(ctx context.Context, id tap.CardID) ([]byte, error) // everything that the ledger says of a card, for offline proof
	Assets  *page.Assets
	Master  channel.Seed // receipts and the keys of requests are made under keys derived from it
	// Limit says whether what this key names may be done now, or else how long to wait: reports, checks of pasted links and bundles,
	// by the client's network.
	Limit    func(key string) (retryAfter time.Duration, ok bool)
	Patience time.Duration // 0 is 20 seconds
	Now      func() time.Time
	Random   io.Reader
	Zone     *time.Location // of times for readers without scripts; nil is UTC
	Log      *slog.Logger
}

// Site is the website. It is the handler of everything that belongs to nobody else.
type Site struct {
	Options
	page *page.Renderer
	mux  *http.ServeMux
}

// New returns the site. The error is of a template that cannot be parsed.
func New(o Options) (*Site, error) {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	s := &Site{Options: o, mux: http.NewServeMux()}
	s.page, err = page.New(page.Options{Templates: files, Assets: o.Assets, Site: o.Name, Secure: o.Base.Scheme == "https",
		Zone: o.Zone, Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("reading the website's pages: %w", err)
	}
	s.routes()
	return s, nil
}

func (s *Site) routes() {
	s.mux.HandleFunc("GET /{$}", s.plain("home"))
	s.mux.HandleFunc("GET /privacy", s.plain("privacy"))
	s.mux.HandleFunc("GET /check", s.showChecker)
	s.mux.HandleFunc("POST /check", s.check)
	s.mux.HandleFunc("GET /report", s.showReport)
	s.mux.HandleFunc("POST /report", s.report)
	s.mux.HandleFunc("GET /problems/{$}", s.problems)
	s.mux.HandleFunc("GET /problems/{code}", s.problem)
	s.mux.HandleFunc("GET /c/{card}", s.certificate)
	s.mux.HandleFunc("GET /c/{card}/bundle", s.bundle)
	s.mux.HandleFunc("GET /go/{card}/{counter}", s.goOn)
	s.mux.HandleFunc("GET /product/{gtin}", s.article)
	s.mux.HandleFunc("GET /.well-known/gs1resolver", s.resolverDescription)
	s.mux.HandleFunc("/", s.nowhere)
}

// ServeHTTP serves a tap's URL or a GS1 Digital Link, whatever their paths, and else one of the site's own pages.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	if tap.IsMeant(r.URL.RawQuery) {
		r.Pattern = "tap" // for metrics and logs: all of them are one route
		s.tap(w, r)
		return
	}
	if s.isDigitalLink(r) {
		r.Pattern = "digital link"
		s.resolve(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// nowhere answers where there is no page, or none that does what was asked.
func (s *Site) nowhere(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(&http.Request{Method: http.MethodGet, URL: r.URL, Host: r.Host}); pattern != "/" {
		w.Header().Set("Allow", "GET, HEAD")
		s.Problem(w, r, http.StatusMethodNotAllowed)
		return
	}
	s.Problem(w, r, http.StatusNotFound)
}

// plain shows a page that says the same to everybody.
func (s *Site) plain(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.page.Render(w, r, http.StatusOK, name, nil) }
}

// address returns the URL of this request as the card made it: cards hold https addresses alone, so on a development server, too.
func (s *Site) address(r *http.Request) string {
	u := "https://" + s.Base.Host + r.URL.EscapedPath()
	if query := page.WithoutLanguage(r.URL.RawQuery); query != "" {
		u += "?" + query
	}
	return u
}
