package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
)

// Card is the card on the table. Its methods may be called from many goroutines.
type Card interface {
	// Read taps the card: it returns the URL that the card serves to a phone, another one each time.
	Read(ctx context.Context) (url string, err error)
	// Last returns the URL of the newest tap, whoever made it; "" before the first.
	Last() string
}

// TableOptions is what a Table works with; all are needed.
type TableOptions struct {
	Card    Card
	Service *url.URL // scheme and host of the service, where taps are opened
	Shop    *url.URL // where the shop shows its product
	Assets  *page.Assets
	Now     func() time.Time
	Log     *slog.Logger
}

// Table is the site with the card to tap, at /demo.
type Table struct {
	site
	TableOptions
}

// NewTable returns a Table. The error is of a template that cannot be parsed.
func NewTable(o TableOptions) (*Table, error) {
	s, err := newSite("table", "ProductID", o.Assets, o.Now, o.Log)
	if err != nil {
		return nil, err
	}
	t := &Table{s, o}
	t.mux.Handle("GET /{$}", http.RedirectHandler("/demo", http.StatusSeeOther))
	t.mux.HandleFunc("GET /demo", t.show)
	t.mux.HandleFunc("POST /demo", t.tap)
	return t, nil
}

// table is what its page shows.
type table struct {
	Unread   bool   // the card did not answer
	Last     string // the newest URL, opened once more
	Stranger string // the same where this browser is a stranger; "" where the service has one name only
	Home     string
	Office   string
	Shop     string
}

func (t *Table) show(w http.ResponseWriter, r *http.Request) {
	t.render(w, r, http.StatusOK, table{})
}

func (t *Table) render(w http.ResponseWriter, r *http.Request, status int, v table) {
	if last, err := t.Opened(t.Card.Last()); err == nil {
		v.Last, v.Stranger = last.String(), stranger(last)
	}
	v.Home, v.Shop = t.Service.JoinPath("/").String(), t.Shop.String()
	v.Office = t.Service.JoinPath("/office/").String()
	// The form's answer leads to the service, which is another origin: browsers that hold a redirect of a form to its policy have to know.
	const own = "form-action 'self'"
	w.Header().Set("Content-Security-Policy", strings.Replace(edge.ContentPolicy, own, own+" "+t.Service.String(), 1))
	t.pages.Render(w, r, status, "table", v)
}

// tap reads the card and has the browser open what it serves.
func (t *Table) tap(w http.ResponseWriter, r *http.Request) {
	served, err := t.Card.Read(r.Context())
	var opened *url.URL
	if err == nil {
		opened, err = t.Opened(served)
	}
	if err != nil {
		t.Log.WarnContext(r.Context(), "the card on the table cannot be read", "error", edge.Redact(err.Error()))
		t.render(w, r, http.StatusServiceUnavailable, table{Unread: true})
		return
	}
	http.Redirect(w, r, opened.String(), http.StatusSeeOther)
}

// ErrServed refuses what a card serves that no phone would open.
var ErrServed = errors.New("not a URL that a phone opens")

// Opened returns where a URL that the card serves is opened in the demonstration: its path and query, byte for byte, at the service.
// The error is ErrServed.
func (t *Table) Opened(served string) (*url.URL, error) {
	u, err := url.Parse(served)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: it begins with no https://HOST", ErrServed)
	}
	opened := *t.Service
	opened.Path, opened.RawPath, opened.RawQuery = u.Path, u.RawPath, u.RawQuery
	return &opened, nil
}

// stranger returns the same page under this machine's other name, where the browser has none of the service's cookies.
func stranger(u *url.URL) string {
	if u.Hostname() != "localhost" {
		return ""
	}
	other := *u
	other.Host = "127.0.0.1"
	if port := u.Port(); port != "" {
		other.Host += ":" + port
	}
	return other.String()
}
