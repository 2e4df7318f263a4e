package office

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
)

var (
	errNotFound = errors.New("there is no such page")
	errForm     = errors.New("the form cannot be read")
	errStale    = errors.New("whoever asks signed in too long ago for it")
)

// failure says how an error is told: status, and the texts office.fail.<Code>.title, .means and .next.
type failure struct {
	err    error
	status int
	code   string
}

// failures is the one table of errors, the first that fits counting. Of what is not in it people learn nothing but that it is ours.
var failures = []failure{
	{identity.ErrForeignIssuer, http.StatusForbidden, "forbidden"},
	{identity.ErrForbidden, http.StatusForbidden, "forbidden"},
	{errNotFound, http.StatusNotFound, "not_found"},
	{registry.ErrUnknownCard, http.StatusNotFound, "not_found"},
	{product.ErrUnknown, http.StatusNotFound, "not_found"},
	{errForm, http.StatusBadRequest, "form"},
	{ledger.ErrUncertain, http.StatusServiceUnavailable, "uncertain"},
	{store.ErrUncertain, http.StatusServiceUnavailable, "uncertain"},
	{ledger.ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
	{store.ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
	{store.ErrNotWritten, http.StatusServiceUnavailable, "unavailable"},
	{store.ErrBusy, http.StatusServiceUnavailable, "unavailable"},
}

// problem is what the page of a failure shows.
type problem struct{ Title, Means, Next, Tone string }

// fail answers a request that cannot be answered as asked.
func (v *visit) fail(err error) {
	if errors.Is(err, identity.ErrUnauthenticated) {
		v.toSignIn()
		return
	}
	if errors.Is(err, errStale) {
		v.toSignInAgain()
		return
	}
	if errors.Is(v.ctx.Err(), context.Canceled) {
		return // nobody listens any more
	}
	f := failure{err, http.StatusInternalServerError, "internal"}
	for _, known := range failures {
		if errors.Is(err, known.err) {
			f = known
			break
		}
	}
	if f.status >= http.StatusInternalServerError {
		v.Log.ErrorContext(v.ctx, "office: request failed", "route", v.route.pattern(), "error", err)
	}
	key := "office.fail." + f.code
	tone := page.Bad
	if f.status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "5")
		tone = page.Care
	}
	_ = v.show(f.status, "problem", problem{v.words.T(key + ".title"), v.words.T(key + ".means"), v.words.T(key + ".next"), tone})
}

// toSignIn sends somebody to the door, who comes back to the page that he asked for. A form that he sent is lost: he sees its page.
func (v *visit) toSignIn() {
	to := "/office/signin"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/office/" && v.r.URL.Path != "/office" {
		to += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// toSignInAgain lets somebody show once more who he is, and sends him back to where the form was. The script takes him there.
func (v *visit) toSignInAgain() {
	back := strings.Replace(v.route.fresh, "{issuer}", v.issuer.String(), 1)
	to := "/office/signin?" + url.Values{"again": {"1"}, "next": {back}}.Encode()
	if strings.HasSuffix(v.route.path, "/begin") {
		_ = v.sendJSON(http.StatusUnprocessableEntity, map[string]string{"problem": v.words.T("office.signin.again"), "to": to})
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

func (o *Office) notFound(w http.ResponseWriter, r *http.Request) {
	v := &visit{Office: o, w: w, r: r, ctx: r.Context(), actor: identity.From(r.Context()), words: page.Words(r)}
	v.fail(errNotFound)
}
