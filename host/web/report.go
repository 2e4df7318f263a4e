package web

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// The longest report, in characters.
const (
	maxReport  = 2000
	maxContact = 200
	maxCode    = 40
)

// reportForm is a report as it is being written.
type reportForm struct {
	Card, Code, Text, Contact       string
	ErrorText, ErrorContact, Notice string
	Open                            bool
}

// MaxText and MaxContact are the limits, for the page.
func (reportForm) MaxText() int    { return maxReport }
func (reportForm) MaxContact() int { return maxContact }

func (s *Site) showReport(w http.ResponseWriter, r *http.Request) {
	s.page.Render(w, r, http.StatusOK, "report", reportForm{})
}

// report hands a report on. Until it is kept, what was written stays in the form.
func (s *Site) report(w http.ResponseWriter, r *http.Request) {
	if !s.parseForm(w, r) {
		return
	}
	speak := page.Words(r)
	f, card := readReport(r)
	if r.PostForm.Has(langField) {
		s.page.Render(w, r, http.StatusOK, "report", f)
		return
	}
	if n := utf8.RuneCountInString(f.Text); n == 0 || n > maxReport {
		f.ErrorText = speak.T("report.error_text", maxReport)
	}
	if utf8.RuneCountInString(f.Contact) > maxContact {
		f.ErrorContact = speak.T("report.error_contact", maxContact)
	}
	if f.ErrorText != "" || f.ErrorContact != "" {
		s.page.Render(w, r, http.StatusUnprocessableEntity, "report", f)
		return
	}
	network := edge.Network(edge.Client(r.Context()))
	if wait, ok := s.Limit("report:" + network); !ok {
		f.Notice = speak.T("report.too_many", speak.Wait(wait))
		setRetryAfter(w, wait)
		s.page.Render(w, r, http.StatusTooManyRequests, "report", f)
		return
	}
	issuer, err := s.issuerOf(r, card)
	var id string
	if err == nil {
		id, err = s.Reports.Report(r.Context(), alarm.Report{Issuer: issuer, Card: card, Code: f.Code, Text: f.Text, Contact: f.Contact})
	}
	if err != nil {
		s.Log.ErrorContext(r.Context(), "report cannot be kept", "request", edge.RequestID(r.Context()), "error", err)
		f.Notice = speak.T("report.unavailable")
		setRetryAfter(w, retryLater*time.Second)
		s.page.Render(w, r, http.StatusServiceUnavailable, "report", f)
		return
	}
	s.page.Render(w, r, http.StatusOK, "reported", id)
}

// issuerOf returns whose card it is, zero for a card that nobody knows: every issuer's owners may read a report of that. One whose issuer
// cannot be looked up right now is nobody else's to read.
func (s *Site) issuerOf(r *http.Request, card *tap.CardID) (issuer channel.ID, err error) {
	if card == nil {
		return issuer, nil
	}
	c, err := s.Cards.Card(r.Context(), *card)
	if errors.Is(err, registry.ErrUnknownCard) {
		return issuer, nil
	}
	return c.Issuer, err
}

// readReport reads the form. The card is nil unless the form names one; nothing of the tap's own address is in it.
func readReport(r *http.Request) (reportForm, *tap.CardID) {
	f := reportForm{Text: cleaned(r.PostForm.Get("text")), Contact: cleaned(r.PostForm.Get("contact")), Code: r.PostForm.Get("code")}
	if len(f.Code) > maxCode || strings.Trim(f.Code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		f.Code = ""
	}
	id, err := tap.ParseCardID(r.PostForm.Get("card"))
	if err != nil {
		return f, nil
	}
	f.Card = id.String()
	return f, &id
}

// cleaned leaves out what no text has, what turns the reading direction of the text beside it, which some programs put around what
// they let people copy, and space at the ends.
func cleaned(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\uFFFE' || r == '\uFFFF' {
			return -1
		}
		return r
	}, text))
}
