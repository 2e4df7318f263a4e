package serve

import (
	"net/http"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/page"
)

// routes is which room answers what.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.localMetrics())
	mux.Handle("GET /static/", s.rooms.assets)
	mux.Handle("GET /image/{hash}", page.Images(s.rooms.products, s.Log))
	mux.Handle("GET /.well-known/jwks.json", forEverybody(http.HandlerFunc(s.jwks)))
	mux.Handle("/v1/", s.withSessions(s.rooms.api))
	mux.Handle("GET /openapi.json", forEverybody(s.rooms.api))
	operators := s.limited(s.withSessions(s.rooms.office))
	mux.Handle("/office", operators)
	mux.Handle("/office/", operators)
	mux.Handle("/", s.limited(s.withSessions(s.rooms.web))) // also what leads to a tap's page, whatever its path
	if s.House.Log != nil {
		mux.Handle("/log/", forEverybody(http.StripPrefix("/log", tiles.NewHandler(s.House.Log))))
	}
	return mux
}

// withSessions is a room whose visitors may be signed in. What its own mux finds is what is measured.
func (s *Service) withSessions(room http.Handler) http.Handler {
	return s.rooms.people.Sessions()(edge.Route(room))
}

// jwks is the key that tokens of visitors who are sent on are checked with.
func (s *Service) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.rooms.redirect.JWKS())
}

// forEverybody lets pages of every site read what is public and says nothing about who reads.
func forEverybody(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.ServeHTTP(w, r)
	})
}

// problem answers where no handler can, in the website's words; plainly to programs, and where even that fails.
func (s *Service) problem(w http.ResponseWriter, r *http.Request, status int, code string) {
	answer := func() { s.rooms.web.Problem(w, r, status) }
	if edge.WantsJSON(r) {
		answer = func() { s.rooms.api.Refuse(w, r, status, code) }
	}
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(r.Context(), "the page of a problem is one itself", "id", edge.RequestID(r.Context()), "panic", p)
			edge.PlainProblem(w, r, status, code)
		}
	}()
	answer()
}

// noSession answers a request of whom nobody can say whether he is signed in.
func (s *Service) noSession(w http.ResponseWriter, r *http.Request, err error) {
	s.Log.WarnContext(r.Context(), "sessions cannot be looked up", "id", edge.RequestID(r.Context()), "error", err)
	w.Header().Set("Retry-After", "5")
	s.problem(w, r, http.StatusServiceUnavailable, wire.CodeLedgerUnavailable)
}
