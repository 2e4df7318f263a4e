package web

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/words"
)

// failure is a page that says that something is not as it should be.
type failure struct {
	words.Text
	Request string
}

// Problem answers with the page of an HTTP status, for whoever is asked for a page and has none: here, and around all handlers.
func (s *Site) Problem(w http.ResponseWriter, r *http.Request, status int) {
	speak := page.Words(r)
	key := "error." + strconv.Itoa(status)
	if !speak.Has(key + ".title") {
		key = "error.500"
	}
	s.page.Render(w, r, status, "error", failure{
		words.Text{Title: speak.T(key + ".title"), Means: speak.T(key + ".means"), Next: speak.T(key + ".next")}, edge.RequestID(r.Context()),
	})
}

func (s *Site) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	setRetryAfter(w, wait)
	s.Problem(w, r, http.StatusTooManyRequests)
}

func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}

// code is one problem of the API.
type code struct {
	Code string
	words.Text
}

// problems lists the problems of the API.
func (s *Site) problems(w http.ResponseWriter, r *http.Request) {
	speak := page.Words(r)
	var all []code
	for _, name := range words.Problems() {
		text, _ := speak.Problem(name)
		all = append(all, code{name, text})
	}
	s.page.Render(w, r, http.StatusOK, "problems", all)
}

// problem is the page that a problem's type names.
func (s *Site) problem(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("code")
	text, known := page.Words(r).Problem(name)
	if !known {
		s.Problem(w, r, http.StatusNotFound)
		return
	}
	s.page.Render(w, r, http.StatusOK, "problem", code{name, text})
}
