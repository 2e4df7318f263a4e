package page

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/words"
)

// View is what a template sees. Its methods are for templates.
type View struct {
	*words.Words
	Data  any
	Flash *Flash // what an earlier request left to be said once, or nil

	renderer *Renderer
	request  *http.Request
}

// Site returns what the site calls itself.
func (v *View) Site() string { return v.renderer.Site }

// Path returns the path of the request, to mark where the reader is.
func (v *View) Path() string { return v.request.URL.Path }

// Actor returns who is signed in.
func (v *View) Actor() identity.Actor { return identity.From(v.request.Context()) }

// Asset returns where a static file is.
func (v *View) Asset(name string) (string, error) { return v.renderer.Assets.Path(name) }

// With returns a view of the same page with other data, for a template that is used more than once.
func (v *View) With(data any) *View {
	other := *v
	other.Data = data
	return &other
}

// Pair returns two values as one, for a template that needs both.
func (v *View) Pair(first, second any) [2]any { return [2]any{first, second} }

// When returns a moment as day and time of the site's zone; the script changes it to the reader's own. t is a time.Time or a
// pointer to one.
func (v *View) When(t any) (template.HTML, error) {
	at, err := moment(t)
	if err != nil {
		return "", err
	}
	return timeElement(at, "moment", v.Words.Date(at, v.renderer.Zone)), nil
}

// OnDay returns a moment as a day of the site's zone.
func (v *View) OnDay(t any) (template.HTML, error) {
	at, err := moment(t)
	if err != nil {
		return "", err
	}
	return timeElement(at, "day", v.Day(at, v.renderer.Zone)), nil
}

// Since returns how long ago a moment is.
func (v *View) Since(t any) (template.HTML, error) {
	at, err := moment(t)
	if err != nil {
		return "", err
	}
	return timeElement(at, "", v.Ago(at, v.renderer.Now())), nil
}

func moment(t any) (time.Time, error) {
	switch t := t.(type) {
	case time.Time:
		return t, nil
	case *time.Time:
		if t != nil {
			return *t, nil
		}
	}
	return time.Time{}, fmt.Errorf("no moment: %v", t)
}

func timeElement(at time.Time, local, text string) template.HTML {
	if local != "" {
		local = ` data-local="` + local + `"`
	}
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `"` + local + `>` + template.HTMLEscapeString(text) + `</time>`)
}
