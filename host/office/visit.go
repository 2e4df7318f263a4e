package office

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/channel"
)

// visit is one request while it is answered.
type visit struct {
	*Office
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	words  *words.Words
	actor  identity.Actor
	issuer channel.ID // that the path names; zero where none is concerned
	route  route
}

// guard asks whether the actor may, and does it then. It is the only place that does either.
func (o *Office) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Office: o, w: w, r: r, ctx: r.Context(), actor: identity.From(r.Context()), route: rt, words: page.Words(r)}
		err := v.may()
		if err == nil && rt.fresh != "" && !v.People.Fresh(v.ctx) {
			err = errStale
		}
		if err == nil {
			err = v.read()
		}
		if err == nil {
			err = rt.serve(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// may returns why the actor may not come in. The office is for people: a key that leaks opens no page.
func (v *visit) may() error {
	if v.route.access == anybody {
		return nil
	}
	if v.actor.Kind != identity.Human {
		return identity.ErrUnauthenticated
	}
	if v.route.access == signedIn {
		return nil
	}
	if err := v.issuer.UnmarshalText([]byte(v.r.PathValue("issuer"))); err != nil {
		v.issuer = channel.ID{}
		return fmt.Errorf("%w: no issuer", errNotFound)
	}
	if err := v.actor.May(v.issuer, v.route.scope); err != nil {
		if errors.Is(err, identity.ErrForeignIssuer) {
			v.issuer = channel.ID{} // nothing of him is shown
		}
		return err
	}
	return nil
}

// read parses a form; in memory altogether, because its size is limited. What is no text never gets further: neither the ledger nor
// every database could hold it.
func (v *visit) read() error {
	if !isText(v.r.URL.Path) {
		return errNotFound
	}
	for _, values := range v.r.URL.Query() {
		if !isText(values...) {
			return fmt.Errorf("%w: a parameter is no text", errForm)
		}
	}
	if v.r.Method != http.MethodPost {
		return nil
	}
	err := v.r.ParseForm()
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data") {
		err = v.r.ParseMultipartForm(upload)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	for _, values := range v.r.PostForm {
		if !isText(values...) {
			return fmt.Errorf("%w: a field is no text", errForm)
		}
	}
	return nil
}

// isText reports whether these are UTF-8 without the character that ends texts elsewhere.
func isText(values ...string) bool {
	return !slices.ContainsFunc(values, func(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) })
}

// form returns a field of the request's form without white space around it.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// query returns a parameter of the request's address likewise.
func (v *visit) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// at returns the path of a page of the issuer's.
func (v *visit) at(parts ...string) string {
	path := "/office/i/" + v.issuer.String()
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	if len(parts) == 0 {
		path += "/"
	}
	return path
}

// frame is what stands around each page.
type frame struct {
	Issuer  string // id; "" where none is concerned
	Name    string // of the issuer
	Here    string // path of the menu's entry that the page belongs to
	Menu    []item
	Issuers []item // the actor's, when there are several
	Test    bool   // the sandbox's issuer
	Body    any
}

type item struct {
	Name, Path     string
	Current, Apart bool
}

// show sends a page.
func (v *visit) show(status int, name string, body any) error {
	f := frame{Body: body}
	if v.issuer != (channel.ID{}) {
		f.Issuer, f.Name = v.issuer.String(), v.issuerName(v.issuer)
		f.Test = v.Sandbox != nil && v.Sandbox(v.issuer)
		f.Menu = v.menu()
	}
	if all := v.actor.Issuers(); len(all) > 1 {
		for _, id := range all {
			f.Issuers = append(f.Issuers, item{Name: v.issuerName(id), Path: "/office/i/" + id.String() + "/", Current: id == v.issuer})
		}
	}
	v.pages.Render(v.w, v.r, status, name, f)
	return nil
}

// menu returns the pages that the actor may see.
func (v *visit) menu() (items []item) {
	base := "/office/i/" + v.issuer.String()
	here := strings.TrimPrefix(v.r.URL.Path, base)
	apart := false
	for _, e := range menu {
		apart = apart || e.Apart
		if v.actor.May(v.issuer, e.Scope) != nil {
			continue
		}
		current := here == e.Path || e.Path != "/" && (strings.HasPrefix(here, e.Path+"/") || strings.HasPrefix(here, e.Path+"."))
		items = append(items, item{Name: v.words.T("office.menu." + e.Name), Path: base + e.Path, Current: current, Apart: apart && len(items) > 0})
		apart = false
	}
	return items
}

// issuerName is what an issuer calls himself, else what the ledger calls him: one that is not on it yet has no name but a piece of his
// id. A name that cannot be read is no reason to show nothing.
func (v *visit) issuerName(id channel.ID) string {
	if face, err := v.Products.Face(v.ctx, id); err == nil && face.Name != "" {
		return face.Name
	}
	if issuer, err := v.Registry.Issuer(v.ctx, id); err == nil {
		return issuer.Name
	}
	const enough = 8
	return v.words.T("office.issuer.new", id.String()[:enough])
}

// can reports whether the actor may also do this, to show what leads there.
func (v *visit) can(s identity.Scope) bool { return v.actor.May(v.issuer, s) == nil }

// about records on the issuer's audit channel what is done next. What fails here is not done. What somebody typed may yet turn out to be
// too long for what it is for; the channel holds for good only so much of it.
func (v *visit) about(act, subject, detail string) error {
	return v.Audit.Act(v.ctx, v.issuer, audit.Act{By: v.actor.ID, Act: act, Subject: clipped(subject), Detail: clipped(detail)})
}

// clipped keeps what somebody typed short enough for a record.
func clipped(text string) string {
	const most = 300
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// done leaves a message and sends the browser to the page that shows the change.
func (v *visit) done(to, key string, args ...string) error {
	v.pages.LeaveFlash(v.w, page.Good, key, args...)
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// refused leaves a message that nothing was done and why, and sends the browser to where it came from.
func (v *visit) refused(to, key string, args ...string) error {
	v.pages.LeaveFlash(v.w, page.Bad, key, args...)
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// local returns next when it is the path of a page of ours, else the office's first page: nobody is sent elsewhere by a parameter.
func local(next string) string {
	const most = 2000
	if path := page.LocalPath(next); path != "/" && len(path) <= most {
		return path
	}
	return "/office/"
}
