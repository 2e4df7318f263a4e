package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// certificate is what everybody may know of a card, for people.
type certificate struct {
	ID         string
	Maker      *maker
	Product    *goods
	Test       bool
	Status     string
	Tone       string
	Registered time.Time
	Recorded   uint64
	Last       uint32
	Ledger     string
	Algorithm  string
	Bundle     string // address of the proof file, whole
	Report     reportForm
}

// statuses says what each state of a card is called, and how it looks.
var statuses = map[string][2]string{
	"":                    {"card.status.new", page.Open},
	record.StateInService: {"card.status.active", page.Good},
	record.StateCompleted: {"card.status.completed", page.Good},
	record.StateRevoked:   {"card.status.revoked", page.Bad},
	record.StateMoved:     {"card.status.moved", page.Open},
	record.StateLost:      {"card.status.lost", page.Open},
}

// certificate shows a card's public facts.
func (s *Site) certificate(w http.ResponseWriter, r *http.Request) {
	id, err := tap.ParseCardID(r.PathValue("card"))
	if err != nil {
		s.page.Render(w, r, http.StatusNotFound, "nocard", nil)
		return
	}
	c, err := s.Desk.Card(r.Context(), id)
	if err != nil {
		s.noCard(w, r, err)
		return
	}
	speak := page.Words(r)
	status := statuses[c.Record.State]
	shown := certificate{
		ID: id.String(), Maker: makerOf(c.Issuer, c.Face), Product: goodsOf(speak, c.Product), Test: c.Test,
		Tone: status[1], Status: c.Record.State, Registered: c.Record.Registered.Time, Recorded: c.Record.Recorded, Last: c.Record.Last,
		Ledger: ledgerOf(c.Issuer), Algorithm: strings.ToUpper(c.Record.Key.Algorithm().String()),
		Bundle: s.Base.JoinPath("c", id.String(), "bundle").String(), Report: reportForm{Card: id.String()},
	}
	if speak.Has(status[0]) {
		shown.Status = speak.T(status[0])
	}
	s.page.Render(w, r, http.StatusOK, "card", shown)
}

// ledgerOf names the ledger that an issuer's records stand on.
func ledgerOf(i record.Issuer) string {
	if i.Log != "" {
		return i.Log
	}
	return i.Network
}

// noCard answers for a card that cannot be shown: there is none, or nobody can say.
func (s *Site) noCard(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, registry.ErrUnknownCard) {
		s.page.Render(w, r, http.StatusNotFound, "nocard", nil)
		return
	}
	s.Log.ErrorContext(r.Context(), "card cannot be shown", "request", edge.RequestID(r.Context()), "error", err)
	setRetryAfter(w, retryLater*time.Second)
	s.Problem(w, r, http.StatusServiceUnavailable)
}

// bundle sends the card's proof file.
func (s *Site) bundle(w http.ResponseWriter, r *http.Request) {
	id, err := tap.ParseCardID(r.PathValue("card"))
	if err != nil {
		s.page.Render(w, r, http.StatusNotFound, "nocard", nil)
		return
	}
	if wait, ok := s.Limit("bundle:" + edge.Network(edge.Client(r.Context()))); !ok {
		s.tooMany(w, r, wait)
		return
	}
	data, err := s.Bundle(r.Context(), id)
	if err != nil {
		s.noCard(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+id.String()+`.bundle"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data) // whoever asked has gone, if it fails
}

// noWay answers where a good tap leads nowhere: the issuer names no page, or nobody can say.
func (s *Site) noWay(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, desk.ErrNotRecorded):
		s.page.Render(w, r, http.StatusForbidden, "closed", "go.none")
	case errors.Is(err, desk.ErrNowhere):
		s.page.Render(w, r, http.StatusNotFound, "closed", "go.gone")
	default:
		s.noCard(w, r, err)
	}
}

// goOn leads from the answer to a check to the product's own page, with a token that says so: only the browser that recorded the
// tap, only when a reader asks, and only to where the issuer's records lead.
func (s *Site) goOn(w http.ResponseWriter, r *http.Request) {
	id, err := tap.ParseCardID(r.PathValue("card"))
	counter, bad := strconv.ParseUint(r.PathValue("counter"), 10, 32)
	if err != nil || bad != nil {
		s.Problem(w, r, http.StatusNotFound)
		return
	}
	if _, mine := s.receiptOf(r, id, uint32(counter)); !mine || r.Method != http.MethodGet || prefetched(r) {
		s.page.Render(w, r, http.StatusForbidden, "closed", "go.none")
		return
	}
	target, err := s.Desk.Continue(r.Context(), id, uint32(counter))
	if err != nil {
		s.noWay(w, r, err)
		return
	}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusSeeOther)
}
