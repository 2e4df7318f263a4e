package web

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// Names of what the forms of a tap send.
const (
	keyField   = "key"
	urlField   = "url"    // of a pasted link
	doField    = "do"     // what is asked for: doRecord, or to look
	fieldStart = "field." // before the name of a field that the card asks for
	langField  = "lang"
	doRecord   = "record"

	maxFields = 64
)

// The answers of this package, beside those of a Finding.
const (
	codeMine        validation.Code = "mine" // used before, by this very browser
	codeLogin                       = desk.LoginRequired
	codeTooMany     validation.Code = "too_many"
	codeUnavailable validation.Code = "ledger_unavailable"
	codeUncertain   validation.Code = "uncertain"
)

// retryLater is when to ask again a ledger that does not answer, in seconds.
const retryLater = 5

// visit is one request about one tap.
type visit struct {
	*Site
	w      http.ResponseWriter
	r      *http.Request
	speak  *words.Words
	url    string            // of the tap
	tap    tap.URL           // what could be read of it
	pasted bool              // into the checker, which is where its forms lead
	typed  map[string]string // into the fields that the card asks for
}

func (s *Site) visit(w http.ResponseWriter, r *http.Request, url string) *visit {
	v := &visit{Site: s, w: w, r: r, speak: page.Words(r), url: url}
	v.tap, _ = tap.Parse(url) // the desk says what is wrong with it
	return v
}

// tap answers for a tap's URL.
func (s *Site) tap(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r, s.address(r))
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead || prefetched(r) && r.Method == http.MethodPost:
		v.look()
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		s.Problem(w, r, http.StatusMethodNotAllowed)
	case s.parseForm(w, r):
		v.speak = page.Words(r) // the form may choose a language
		v.typed = typed(r)
		if r.PostForm.Has(langField) {
			v.look()
			return
		}
		v.record()
	}
}

// parseForm reads a form, or answers that it cannot be read.
func (s *Site) parseForm(w http.ResponseWriter, r *http.Request) bool {
	err := r.ParseForm()
	if err == nil {
		return true
	}
	status := http.StatusBadRequest
	if errors.As(err, new(*http.MaxBytesError)) {
		status = http.StatusRequestEntityTooLarge
	}
	s.Problem(w, r, status)
	return false
}

// typed returns what a form holds for the fields that a card asks for, without the mark before their names; nil when it holds none.
func typed(r *http.Request) map[string]string {
	var values map[string]string
	for name := range r.PostForm {
		if field, ours := strings.CutPrefix(name, fieldStart); ours && len(values) < maxFields {
			if values == nil {
				values = map[string]string{}
			}
			values[field] = r.PostForm.Get(name)
		}
	}
	return values
}

func (s *Site) caller(r *http.Request) desk.Caller {
	return desk.Caller{Actor: identity.From(r.Context()), Network: edge.Network(edge.Client(r.Context())), Channel: desk.ChannelWeb}
}

// look shows what there is to see of the tap, and writes nothing.
func (v *visit) look() {
	ctx, cancel := context.WithTimeout(v.r.Context(), v.Patience)
	defer cancel()
	f, err := v.Desk.Look(ctx, v.url, v.caller(v.r))
	if err != nil {
		v.cannot(err, false)
		return
	}
	v.show(f)
}

// record uses the tap up, if it is good. A phone that goes away meanwhile does not break the record off.
func (v *visit) record() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), v.Patience)
	defer cancel()
	f, err := v.Desk.Record(ctx, desk.Request{URL: v.url, Form: v.typed, Retry: v.retry(v.r, v.tap)}, v.caller(v.r))
	if err != nil {
		v.cannot(err, true)
		return
	}
	if f.Code == validation.Recorded && f.ID != nil && f.When != nil {
		v.addReceipt(v.w, v.r, receipt{*f.ID, f.Counter, *f.When})
		v.setCookie(v.w, draftCookie, nil, 0)
	}
	v.show(f)
}

// cannot shows that the answer is not known, and offers to ask again; what was typed stays.
func (v *visit) cannot(err error, recording bool) {
	code, status := codeUnavailable, http.StatusServiceUnavailable
	wait := retryLater * time.Second
	var many desk.ErrTooMany
	switch {
	case errors.As(err, &many):
		code, status, wait = codeTooMany, http.StatusTooManyRequests, many.RetryAfter
	case errors.Is(err, ledger.ErrUncertain), recording && gaveUp(err):
		code = codeUncertain
	case !errors.Is(err, ledger.ErrUnavailable) && !gaveUp(err):
		v.Log.ErrorContext(v.r.Context(), "tap cannot be decided", "request", edge.RequestID(v.r.Context()), "error", edge.Redact(err.Error()))
	}
	setRetryAfter(v.w, wait)
	a := v.answer(desk.Finding{Verdict: validation.Verdict{Code: code}})
	a.Ask = v.askAgain(recording)
	if code == codeTooMany {
		a.Ask.AtOnce = false // who asks too often waits
		a.Next = v.speak.T("tap.wait", v.speak.Wait(wait))
	}
	a.Busy = v.busy(a.Ask)
	v.page.Render(v.w, v.r, status, "tap", a)
}

// gaveUp reports whether it was us, or the reader, who did not wait for the answer.
func gaveUp(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// show shows what was found.
func (v *visit) show(f desk.Finding) {
	if r, mine := v.mine(f); mine {
		f.Code, f.When = codeMine, &r.at
	}
	v.page.Render(v.w, v.r, http.StatusOK, "tap", v.answer(f))
}

// mine returns the receipt of a tap that this browser recorded: by its cookie, or because the answer is that request's again.
func (v *visit) mine(f desk.Finding) (receipt, bool) {
	switch {
	case f.ID == nil:
	case f.Code == validation.AlreadyUsed:
		return v.receiptOf(v.r, *f.ID, f.Counter)
	case f.Code == validation.Recorded && f.Replayed && f.When != nil:
		return receipt{*f.ID, f.Counter, *f.When}, v.Now().Sub(*f.When) > momentAgo
	}
	return receipt{}, false
}

// momentAgo is how long the first answer stays what it was for a request that is sent again: a lost answer or a double press.
const momentAgo = 2 * time.Minute

// prefetched reports whether a browser asks ahead of its reader.
func prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if value := strings.ToLower(r.Header.Get(name)); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// robot finds programs that fetch pages by what they call themselves. Some run scripts; nobody reads their pages. There is a make of
// phones called Cubot.
var robot = regexp.MustCompile(`(?i)[^u]bot\b|crawl|spider|preview|facebookexternalhit|slurp|lighthouse|whatsapp/|skypeuri|embedly|vkshare`)

// byItself reports whether the page may send its request by itself: there is somebody who reads it.
func byItself(r *http.Request) bool {
	return !prefetched(r) && !robot.MatchString(r.UserAgent())
}
