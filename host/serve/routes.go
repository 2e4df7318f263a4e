package serve

import (
	"errors"
	"net/http"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
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
	mux.Handle("GET /v1/issuers/{issuer}/status-list", forEverybody(s.limited(http.HandlerFunc(s.statusList))))
	mux.Handle("/v1/", s.withSessions(s.rooms.api))
	mux.Handle("GET /openapi.json", forEverybody(s.rooms.api))
	operators := s.limited(s.withSessions(s.rooms.office))
	mux.Handle("/office", operators)
	mux.Handle("/office/", operators)
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

// statusList is an issuer's list of revoked cards, for everybody.
func (s *Service) statusList(w http.ResponseWriter, r *http.Request) {
	issuer, err := channel.ParseID(r.PathValue("issuer"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	list, err := s.rooms.life.StatusList(r.Context(), issuer)
	switch {
	case errors.Is(err, registry.ErrUnknownIssuer), errors.Is(err, secrets.ErrElsewhere):
		http.NotFound(w, r)
	case err != nil:
		s.Log.WarnContext(r.Context(), "there is no status list now", "id", edge.RequestID(r.Context()), "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the ledger does not answer now", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", lifecycle.MediaStatusList)
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = w.Write(list)
	}
}
