package demo

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/productid/productid/host/words"
)

// Visitor is somebody with a browser that runs no scripts. Each has cookies of his own.
type Visitor struct {
	http *http.Client
}

// visitTime is how long a visitor waits for a page: a ledger that needs time answers within it.
const visitTime = 2 * time.Minute

// NewVisitor returns somebody whom no site knows.
func NewVisitor() *Visitor {
	jar, _ := cookiejar.New(nil) // without options there is nothing that fails
	return &Visitor{&http.Client{Jar: jar, Timeout: visitTime}}
}

// Page is what a visitor sees.
type Page struct {
	At     *url.URL
	Status int
	text   string
}

// maxPage is how much of a page is read, in bytes.
const maxPage = 1 << 20

// Open follows a link.
func (v *Visitor) Open(ctx context.Context, address string) (Page, error) {
	return v.ask(ctx, http.MethodGet, address, nil)
}

// ErrNoForm says that a page has nothing to press.
var ErrNoForm = errors.New("the page has no button")

var (
	askForm = regexp.MustCompile(`(?s)<form id="ask" method="post" action="([^"]*)".*?</form>`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// Press presses the button of a tap page. The error is ErrNoForm where there is none.
func (v *Visitor) Press(ctx context.Context, p Page) (Page, error) {
	form := askForm.FindStringSubmatch(p.text)
	if form == nil {
		return Page{}, fmt.Errorf("%s: %w", p.At.Path, ErrNoForm)
	}
	to, err := p.At.Parse(html.UnescapeString(form[1]))
	if err != nil {
		return Page{}, err
	}
	values := url.Values{}
	for _, input := range hidden.FindAllStringSubmatch(form[0], -1) {
		values.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	return v.ask(ctx, http.MethodPost, to.String(), values)
}

func (v *Visitor) ask(ctx context.Context, method, address string, form url.Values) (Page, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Page{}, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", words.Languages()[0])
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.http.Do(r)
	if err != nil {
		return Page{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	return Page{answer.Request.URL, answer.StatusCode, string(text)}, err
}

// Says reports whether the page gives the answer with this code.
func (p Page) Says(code string) bool {
	return p.holds(words.For("", words.Languages()[0]).Verdict(code).Means)
}

// Special reports whether the page is the shop's for somebody who came from a good tap.
func (p Page) Special() bool { return p.holds(words.For("", words.Languages()[0]).T("shop.yours")) }

// Generic reports whether the page is the shop's for everybody.
func (p Page) Generic() bool { return p.holds(words.For("", words.Languages()[0]).T("shop.invite")) }

func (p Page) holds(text string) bool { return strings.Contains(html.UnescapeString(p.text), text) }

var link = regexp.MustCompile(`<a class="button whole" href="([^"]*)"`)

// Onward returns the address that the page offers to go on to, or "".
func (p Page) Onward() string {
	found := link.FindStringSubmatch(p.text)
	if found == nil {
		return ""
	}
	to, err := p.At.Parse(html.UnescapeString(found[1]))
	if err != nil {
		return ""
	}
	return to.String()
}
