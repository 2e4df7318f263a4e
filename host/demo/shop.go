package demo

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/tap"
)

// What the shop calls itself and its product.
const (
	ShopName    = "Officina Alba"
	ProductName = "Alba 36"
)

// tokenParameter is how a visit that came through validation shows it.
const tokenParameter = "productid"

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 2048

// warrantyYears is how long the shop stands by its product.
const warrantyYears = 5

// Service is what a shop asks: *client.Client is it.
type Service interface {
	// VerifyRedirect accepts a token once.
	VerifyRedirect(ctx context.Context, token, audience string) (wire.RedirectClaims, error)
	CardInfo(ctx context.Context, id tap.CardID) (wire.CardInfo, error)
}

// ShopOptions is what a Shop works with; all are needed.
type ShopOptions struct {
	Service Service
	Origin  *url.URL // scheme and host of the shop: whom tokens are for
	Assets  *page.Assets
	Now     func() time.Time
	Log     *slog.Logger
}

// Shop is the site of a maker of watches. Its only page is at "/".
type Shop struct {
	site
	ShopOptions
}

// NewShop returns a Shop. The error is of a template that cannot be parsed.
func NewShop(o ShopOptions) (*Shop, error) {
	s, err := newSite("shop", ShopName, o.Assets, o.Now, o.Log)
	if err != nil {
		return nil, err
	}
	shop := &Shop{s, o}
	shop.mux.HandleFunc("GET /{$}", shop.show)
	return shop, nil
}

// watch is what the product's page shows.
type watch struct {
	Name   string
	Proved *proved // for a visitor who came from a good tap; nil for everybody else
	// Spent and Unknown say why a visitor who brought a token is shown what everybody is.
	Spent, Unknown bool
}

// proved is what only the holder of the watch is shown.
type proved struct {
	Card     string
	Since    *time.Time // when the card was registered; nil where the service does not say
	Warranty *time.Time
	Tapped   time.Time
}

func (s *Shop) show(w http.ResponseWriter, r *http.Request) {
	v := watch{Name: ProductName}
	token := r.URL.Query().Get(tokenParameter)
	if token != "" && len(token) <= maxToken && r.Method == http.MethodGet { // HEAD is nobody who reads
		v.Proved, v.Spent, v.Unknown = s.prove(r.Context(), token)
	}
	s.pages.Render(w, r, http.StatusOK, "watch", v)
}

// prove has the service accept the token. No is told from don't know; neither shows anything special.
func (s *Shop) prove(ctx context.Context, token string) (p *proved, spent, unknown bool) {
	claims, err := s.Service.VerifyRedirect(ctx, token, s.Origin.Scheme+"://"+s.Origin.Host)
	switch {
	case isNo(err):
		return nil, true, false
	case err != nil:
		s.Log.WarnContext(ctx, "the service cannot be asked", "error", edge.Redact(err.Error()))
		return nil, false, true
	}
	p = &proved{Card: claims.Card.String(), Tapped: claims.Issued}
	info, err := s.Service.CardInfo(ctx, claims.Card)
	if err != nil { // the visit is proved all the same
		s.Log.WarnContext(ctx, "the card's facts cannot be had", "error", edge.Redact(err.Error()))
		return p, false, false
	}
	until := info.Registered.Time.AddDate(warrantyYears, 0, 0)
	p.Since, p.Warranty = &info.Registered.Time, &until
	return p, false, false
}

// isNo reports whether the service has refused the token. That it is asked too often, or cannot say, is no refusal.
func isNo(err error) bool {
	p, answered := errors.AsType[*client.Problem](err)
	return answered && (p.Status == http.StatusConflict || p.Status == http.StatusUnprocessableEntity)
}

// ProductText is what the shop says of its product, by language.
func ProductText() map[string]string {
	texts := map[string]string{}
	for _, lang := range words.Languages() {
		texts[lang] = words.For("", lang).T("shop.lead")
	}
	return texts
}
