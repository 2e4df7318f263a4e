// Package demo is what stands around the service in the demonstration: a table with a card to tap, and a shop that the taps lead to.
//
// The table plays the phone. It reads the URL that the card serves and opens it, by path and query, at the service, as a phone opens
// it at the host that the card names. The shop is another site, with an address of its own, and does what any shop does: it shows its
// product to everybody, and more to a visitor whose token the service accepts, once.
//
// # Concurrency
//
// A [Table] and a [Shop] may be used by many goroutines.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/productid/productid/host/page"
)

//go:embed templates
var templates embed.FS

//go:embed static
var static embed.FS

// Assets returns the static files of both sites and of the layout. Each site serves them itself, below /static/.
func Assets() (*page.Assets, error) {
	own, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	return page.NewAssets(own)
}

// site is what table and shop have in common.
type site struct {
	pages *page.Renderer
	mux   *http.ServeMux
}

// newSite reads the pages in a folder of templates. Whatever else is asked for is not found.
func newSite(folder, name string, assets *page.Assets, now func() time.Time, log *slog.Logger) (site, error) {
	files, err := fs.Sub(templates, "templates/"+folder)
	if err != nil {
		return site{}, err
	}
	pages, err := page.New(page.Options{Templates: files, Assets: assets, Site: name, Now: now, Log: log})
	if err != nil {
		return site{}, fmt.Errorf("reading the pages of the %s: %w", folder, err)
	}
	s := site{pages, http.NewServeMux()}
	s.mux.Handle("GET /static/", assets)
	return s, nil
}

// ServeHTTP answers for a page of the site.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }
