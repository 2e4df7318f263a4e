package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/pkg/gs1"
)

// article is the page about the number on a package.
type article struct {
	GTIN, Lot, Serial string // as the code says
	Offers            []offer
	Certificate       string // of the card that was registered with the serial number; "" for none
}

// offer is what one maker says of it.
type offer struct {
	Maker   *maker
	Product *goods
	Test    bool
	Page    string // the product's own; "" for none
	Host    string // where that is
}

// articlePath is where the page about a thing is on this site.
func articlePath(thing gs1.Link) string {
	path := "/product/" + thing.Key.Value
	query := url.Values{}
	for _, ai := range []gs1.AI{gs1.Lot, gs1.Serial} {
		if value := thing.Value(ai); value != "" {
			query.Set(string(ai), value)
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// article shows what makers say of a number that anybody can print: never that a thing is genuine.
func (s *Site) article(w http.ResponseWriter, r *http.Request) {
	gtin, err := gs1.ParseGTIN(r.PathValue("gtin"))
	if err != nil {
		s.badNumber(w, r, err)
		return
	}
	shown := article{GTIN: string(gtin), Lot: qualifier(r, gs1.Lot), Serial: qualifier(r, gs1.Serial)}
	a, err := s.Desk.Article(r.Context(), gtin, shown.Serial)
	switch {
	case errors.Is(err, desk.ErrUnknownArticle):
		s.noArticle(w, r, gs1.Element{AI: gs1.KeyGTIN, Value: string(gtin)})
		return
	case err != nil:
		s.noCard(w, r, err)
		return
	}
	speak := page.Words(r)
	for _, o := range a.Offers {
		one := offer{Maker: makerOf(o.Issuer, o.Face), Product: goodsOf(speak, o.Product), Test: o.Test, Page: productPage(o)}
		if u, err := url.Parse(one.Page); err == nil {
			one.Host = u.Host
		}
		shown.Offers = append(shown.Offers, one)
	}
	if a.Card != nil {
		shown.Certificate = "/c/" + a.Card.ID.String()
	}
	s.page.Render(w, r, http.StatusOK, "article", shown)
}

// qualifier is a value of GS1 in the query; "" for one that is none.
func qualifier(r *http.Request, ai gs1.AI) string {
	e := gs1.Element{AI: ai, Value: r.URL.Query().Get(string(ai))}
	if e.Check() != nil {
		return ""
	}
	return e.Value
}
