package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/record"
)

// answer is what the tap page says.
type answer struct {
	words.Text
	Code   validation.Code
	Tone   string
	Busy   *words.Text // what stands there while the script asks; nil where it does not ask by itself
	Moment *moment
	Gap    string
	Known  string // of the card that a link without a signature names
	Reason string // why the maker withdrew the card, in his words
	Test   bool
	Good   bool
	Pasted bool
	// PastedURL is what was pasted, so that another language shows the same answer.
	PastedURL string

	Maker       *maker
	Product     *goods
	Ask         *ask
	Typed       []typedField // into a form that is of no use any more
	TypedKept   bool
	Onward      *onward
	Certificate string
	SignIn      string
	Report      reportForm
}

// moment is a time with what it is the time of.
type moment struct {
	Label string
	At    time.Time
}

// maker is who registered the card.
type maker struct {
	Name, Website, Support string
	SupportLink            template.URL // made by supportLink
	Logo                   *product.Image
}

// goods is what the card is fixed to, as its maker says.
type goods struct {
	Name, Text, GTIN string
	Picture          *product.Image
}

// onward is the way to the product's own page.
type onward struct {
	Link, Host string
	AtOnce     bool
}

// tones says how each answer looks. What is not listed is not known to this version, and neither a yes nor a no.
var tones = map[validation.Code]string{
	validation.Valid: page.Good, validation.Recorded: page.Good, codeMine: page.Good,
	validation.AlreadyUsed: page.Care, validation.Superseded: page.Care, validation.NotInService: page.Care,
	validation.RetryMismatch: page.Care, validation.PayloadRejected: page.Care,
	validation.UnknownCard: page.Bad, validation.BadSignature: page.Bad, validation.Revoked: page.Bad,
}

func toneOf(code validation.Code) string {
	if tone, listed := tones[code]; listed {
		return tone
	}
	return page.Open
}

// answer makes the page of a finding.
func (v *visit) answer(f desk.Finding) answer {
	code := f.Code
	if code == validation.Valid && f.Asks == desk.AsksLogin {
		code = codeLogin
	}
	a := answer{Code: code, Tone: toneOf(code), Text: v.speak.Verdict(string(code)), Test: f.Test, Pasted: v.pasted}
	if v.pasted {
		a.PastedURL = v.url
	}
	a.Good = a.Tone == page.Good
	a.Moment, a.Gap = v.moment(code, f), v.gap(code, f)
	a.Maker = v.maker(f)
	if code == validation.Revoked && f.Card.Reason != "" {
		a.Reason = v.speak.T("tap.reason", f.Card.Reason)
	}
	if a.Good && code != validation.Valid { // praise comes after the answer
		a.Product = goodsOf(v.speak, f.Product)
	}
	if f.Card != nil && code != validation.BadSignature && code != validation.UnsignedURL { // whose certificate would it be?
		a.Certificate = "/c/" + f.Card.ID.String()
	}
	if a.Test && a.Good { // no page of ours calls it genuine
		a.Tone, a.Title, a.Means = page.Open, v.speak.T("tap.test_title"), v.speak.T("tap.test_means")
	}
	a.Report = reportForm{Code: string(code), Open: a.Tone == page.Bad}
	if f.ID != nil {
		a.Report.Card = f.ID.String()
	}
	if code == validation.UnsignedURL {
		v.unsigned(&a, f)
	}
	v.offer(&a, f)
	return a
}

// offer adds what the reader can do now.
func (v *visit) offer(a *answer, f desk.Finding) {
	switch a.Code {
	case codeLogin:
		a.SignIn = "/office/signin?next=" + url.QueryEscape(v.local())
	case validation.Valid, validation.PayloadRejected:
		a.Ask = v.ask(f)
		a.Busy = v.busy(a.Ask)
	case validation.Recorded, codeMine:
		a.Onward = v.onward(a.Code, f)
	case validation.AlreadyUsed:
		v.keepTyped(a, f)
		if v.r.Method != http.MethodPost && v.cookie(v.r, browserCookie) != nil {
			a.Ask = v.perhapsMine()
		}
	case validation.Superseded, validation.RetryMismatch:
		v.keepTyped(a, f)
	}
}

// busy is what stands there while the script sends the form, nil where it does not.
func (v *visit) busy(a *ask) *words.Text {
	if !a.AtOnce {
		return nil
	}
	checking := v.speak.Verdict("checking")
	return &checking
}

// local is the path of this page, for coming back to it. A pasted link comes back to the checker.
func (v *visit) local() string {
	if v.pasted {
		return "/check"
	}
	local := v.r.URL.EscapedPath()
	if query := page.WithoutLanguage(v.r.URL.RawQuery); query != "" {
		local += "?" + query
	}
	return page.LocalPath(local)
}

func (v *visit) moment(code validation.Code, f desk.Finding) *moment {
	labels := map[validation.Code]string{
		validation.AlreadyUsed: "tap.first_used", validation.Superseded: "tap.newer_used", validation.Recorded: "tap.checked",
		codeMine: "tap.mine_at", validation.Revoked: "tap.revoked_at", validation.HistoryLost: "tap.known_until", validation.RetryMismatch: "tap.first_used",
	}
	at := f.When
	switch {
	case code == validation.HistoryLost:
		at = f.Since
	case code == validation.Revoked && !f.Card.Revoked.IsZero():
		at = &f.Card.Revoked
	}
	if at == nil || labels[code] == "" {
		return nil
	}
	return &moment{v.speak.T(labels[code]), *at}
}

// gap explains counters that nobody recorded.
func (v *visit) gap(code validation.Code, f desk.Finding) string {
	if f.Skipped == nil || toneOf(code) != page.Good {
		return ""
	}
	return v.speak.N("tap.gap", int64(f.Skipped[1])-int64(f.Skipped[0])+1)
}

func (v *visit) maker(f desk.Finding) *maker {
	if f.Card == nil {
		return nil
	}
	return makerOf(f.Issuer, f.Face)
}

func makerOf(i record.Issuer, face product.Face) *maker {
	m := &maker{Name: i.Name, Website: i.URL, Support: face.Support, Logo: face.Logo}
	if face.Name != "" {
		m.Name = face.Name
	}
	if face.Website != "" {
		m.Website = face.Website
	}
	if u, err := url.Parse(m.Website); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		m.Website = ""
	}
	m.SupportLink = supportLink(m.Support)
	return m
}

// goodsOf returns the product in the reader's language, or in one that there is.
func goodsOf(speak *words.Words, p *product.Product) *goods {
	if p == nil {
		return nil
	}
	g := &goods{Name: p.Name, Text: p.Text[speak.Lang()], GTIN: p.GTIN, Picture: p.Picture}
	if g.Text == "" {
		g.Text = p.Text[words.Languages()[0]]
	}
	return g
}

// onward returns the way to the product's page, or nil where the issuer names none, or one that is on none of his hosts.
func (v *visit) onward(code validation.Code, f desk.Finding) *onward {
	target := f.Settings.ProductURL
	if target == "" && f.Product != nil {
		target = f.Product.URL
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || f.ID == nil || !f.Face.Allows(target) {
		return nil
	}
	if code == codeMine && (f.Last > f.Counter || v.Now().Sub(*f.When) > desk.Onward) {
		return &onward{Link: target, Host: u.Host} // too late for a token: the page greets him as it greets everybody
	}
	return &onward{
		Link: "/go/" + f.ID.String() + "/" + strconv.FormatUint(uint64(f.Counter), 10), Host: u.Host,
		AtOnce: f.Face.Continue && code == validation.Recorded,
	}
}
