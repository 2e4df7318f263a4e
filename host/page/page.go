// Package page is how every page of the website looks and is sent: one layout with its stylesheet and script, the reader's
// language, messages that outlive a redirect, QR codes, and static files under names that change with their content.
//
// A room keeps its templates beside its handlers and gives them to [New]: each file name.html is a page, whose templates "title" and
// "main", and if it likes "head", "nav" and "switch", are put into the layout; files that begin with "_" are shared by the room's
// pages (go:embed takes them by all:folder alone). A template's dot is a [View]: {{.T "key"}} is a text of package words and .Data what the handler passed. New refuses
// templates that ask for a text or a template that is not there, so a page cannot be sent with one missing.
//
// Pages hold no script and no style of their own: the site's content security policy allows files only.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/productid/productid/host/words"
)

// Options is what a Renderer works with; Templates and Assets are needed.
type Options struct {
	Templates fs.FS   // the room's pages, name.html each
	Assets    *Assets // where the stylesheet, the script and the pictures are
	Site      string  // what the site calls itself; "" is ProductID
	Secure    bool    // the site is served by https: cookies are for https alone
	Zone      *time.Location
	Now       func() time.Time
	Log       *slog.Logger
}

// Renderer sends a room's pages. It may be used by many goroutines.
type Renderer struct {
	Options
	pages map[string]*template.Template
}

// New reads the templates. The error says which of them cannot be parsed, or asks for what is not there.
func New(o Options) (*Renderer, error) {
	o = o.withDefaults()
	base, err := template.New("layout").Option("missingkey=error").ParseFS(layouts, "layout/*.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the layout: %w", err)
	}
	files, err := fs.Glob(o.Templates, "*.html")
	if err != nil {
		return nil, err
	}
	r := &Renderer{o, map[string]*template.Template{}}
	for _, file := range files {
		if strings.HasPrefix(file, "_") {
			if base, err = base.ParseFS(o.Templates, file); err != nil {
				return nil, fmt.Errorf("parsing %s: %w", file, err)
			}
		}
	}
	for _, file := range files {
		if strings.HasPrefix(file, "_") {
			continue
		}
		t, err := template.Must(base.Clone()).ParseFS(o.Templates, file)
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", file, err)
		}
		if err := check(t); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		r.pages[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return r, nil
}

// check finds what would else be found by the first reader: what is missing, and what html/template cannot make safe.
func check(t *template.Template) error {
	if err := missing(t); err != nil {
		return err
	}
	unsafe := (*template.Error)(nil)
	if err := t.ExecuteTemplate(io.Discard, "layout.html", nil); errors.As(err, &unsafe) {
		return err
	}
	return nil // without data the rest of it means nothing
}

func (o Options) withDefaults() Options {
	if o.Site == "" {
		o.Site = "ProductID"
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Pages returns the names of the pages.
func (r *Renderer) Pages() []string {
	var names []string
	for name := range r.pages {
		names = append(names, name)
	}
	return names
}

// Render sends the page name with data in it, in the reader's language, and notes the language that the request's query chooses. A
// page that cannot be made is logged and answered by a plain 500, never by half a page. Pages are not to be stored, unless the
// header says otherwise before.
func (r *Renderer) Render(w http.ResponseWriter, q *http.Request, status int, name string, data any) {
	speak := r.language(w, q)
	view := &View{Words: speak, Data: data, renderer: r, request: q, Flash: r.takeFlash(w, q, speak)}
	var body bytes.Buffer
	if err := r.execute(&body, name, view); err != nil {
		r.Log.ErrorContext(q.Context(), "page cannot be made", "page", name, "error", err)
		http.Error(w, speak.T("page.broken"), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", speak.Lang())
	h.Add("Vary", "Accept-Language, Cookie")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	if _, err := body.WriteTo(w); err != nil {
		r.Log.DebugContext(q.Context(), "page was not taken", "page", name, "error", err)
	}
}

func (r *Renderer) execute(body *bytes.Buffer, name string, view *View) error {
	t, known := r.pages[name]
	if !known {
		return fmt.Errorf("there is no page %q", name)
	}
	return t.ExecuteTemplate(body, "layout.html", view)
}

// language returns the words for the reader, and keeps the choice that a link of the language switch makes.
func (r *Renderer) language(w http.ResponseWriter, q *http.Request) *words.Words {
	if chosen := chosenNow(q); chosen != "" {
		r.RememberLanguage(w, chosen)
	}
	return Words(q)
}
