package web

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/gs1"
)

// What this resolver lets caches keep, in seconds: makers change their products at any time.
const (
	cacheAnswer      = "public, max-age=300"
	cacheDescription = "public, max-age=3600"
)

const linkTypeField = "linkType"

// isDigitalLink reports whether an address is a GS1 Digital Link, or looks so much like one that a wrong number in it should be told.
// Taps are told apart before.
func (s *Site) isDigitalLink(r *http.Request) bool {
	if _, err := gs1.Parse(s.address(r)); err == nil {
		return true
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for _, key := range gs1.Keys() {
		if first == string(key) && rest != "" {
			return true
		}
	}
	return false
}

// resolve answers for a GS1 Digital Link as a resolver of this installation: with all links that it knows of the thing, with the one
// that is asked for, or with the page about it.
func (s *Site) resolve(w http.ResponseWriter, r *http.Request) {
	forEverybody(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.Problem(w, r, http.StatusMethodNotAllowed)
		return
	}
	link, err := gs1.Parse(s.address(r))
	if err != nil {
		s.badNumber(w, r, err)
		return
	}
	if link.Key.AI != gs1.KeyGTIN {
		s.noArticle(w, r, link.Key)
		return
	}
	a, err := s.Desk.Article(r.Context(), gs1.GTIN(link.Key.Value), link.Value(gs1.Serial))
	switch {
	case errors.Is(err, desk.ErrUnknownArticle):
		s.noArticle(w, r, link.Key)
	case err != nil:
		s.noCard(w, r, err)
	default:
		s.lead(w, r, link, a)
	}
}

// lead sends whoever asks to what he asks for.
func (s *Site) lead(w http.ResponseWriter, r *http.Request, link gs1.Link, a desk.Article) {
	known := s.linksOf(link, a)
	w.Header().Set("Link", "<"+known.Anchor+"?"+linkTypeField+"="+gs1.TypeLinkset+`>; rel="linkset"; type="`+gs1.LinksetType+`"`)
	w.Header().Add("Vary", "Accept")
	kind := linkType(r.URL.RawQuery)
	if kind == gs1.TypeLinkset || kind == gs1.TypeAll || kind == "" && wantsLinkset(r.Header) {
		s.sendLinkset(w, r, known)
		return
	}
	targets := known.Links[gs1.DefaultLink]
	if kind != "" {
		targets = known.Links[gs1.LinkType(kind)]
	}
	if len(targets) == 0 {
		s.tell(w, r, http.StatusNotFound, "article.no_link", "")
		return
	}
	to := targets[0].Href
	if len(targets) > 1 { // several makers: the reader chooses
		to = known.Links[gs1.DefaultLink][0].Href
	}
	w.Header().Set("Cache-Control", cacheAnswer)
	if own, is := strings.CutPrefix(to, s.origin()); is && own == page.LocalPath(own) {
		to = own
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// linksOf is what is known of a thing. What an issuer calls its product's page is shown only where his face allows it.
func (s *Site) linksOf(link gs1.Link, a desk.Article) gs1.LinkContext {
	const html = "text/html"
	thing := gs1.Link{Stem: s.origin() + strings.TrimPrefix(link.Stem, "https://"+strings.ToLower(s.Base.Host)), Key: link.Key, Qualifiers: link.Qualifiers}
	about := gs1.Target{Href: s.origin() + articlePath(thing), Type: html, Hreflang: words.Languages()}
	c := gs1.LinkContext{Anchor: thing.String(), Links: map[string][]gs1.Target{gs1.DefaultLink: {about}}}
	for _, o := range a.Offers {
		if o.Product == nil {
			continue
		}
		if c.Description == "" {
			c.Description = o.Product.Name
		}
		if address := productPage(o); address != "" {
			c.Links[gs1.PIP] = append(c.Links[gs1.PIP], gs1.Target{Href: address, Title: o.Product.Name, Type: html})
		}
	}
	if len(c.Links[gs1.PIP]) == 0 {
		c.Links[gs1.PIP] = []gs1.Target{about}
	}
	if a.Card != nil {
		c.Links[gs1.CertificationInfo] = []gs1.Target{{Href: s.origin() + "/c/" + a.Card.ID.String(), Type: html, Hreflang: words.Languages()}}
	}
	return c
}

// origin is scheme and host of this site as it is seen from outside.
func (s *Site) origin() string { return s.Base.Scheme + "://" + s.Base.Host }

// productPage is the address of a product's own page, or "" where the issuer names none, or one that is on none of his hosts.
func productPage(o desk.Offer) string {
	if o.Product == nil {
		return ""
	}
	u, err := url.Parse(o.Product.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !o.Face.Allows(o.Product.URL) {
		return ""
	}
	return o.Product.URL
}

func (s *Site) sendLinkset(w http.ResponseWriter, r *http.Request, known gs1.LinkContext) {
	body, err := gs1.Linkset{known}.Encode()
	if err != nil {
		s.noCard(w, r, err)
		return
	}
	w.Header().Add("Link", `<https://ref.gs1.org/standards/resolver/linkset-context>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"`)
	w.Header().Set("Content-Type", gs1.LinksetType)
	w.Header().Set("Cache-Control", cacheAnswer)
	_, _ = w.Write(body) // whoever asked has gone, if it fails
}

// resolverDescription says to programs what this resolver can do (GS1-Conformant Resolver Standard, description file).
func (s *Site) resolverDescription(w http.ResponseWriter, r *http.Request) {
	name := s.Name
	if name == "" {
		name = "ProductID"
	}
	type namespace struct {
		Namespace string `json:"namespace"`
		Prefix    string `json:"prefix"`
	}
	body, err := json.Marshal(struct {
		Name      string      `json:"name"`
		Root      string      `json:"resolverRoot"`
		Keys      []gs1.AI    `json:"supportedPrimaryKeys"`
		Types     []namespace `json:"supportedLinkType"`
		AsLinkset bool        `json:"linkTypeDefaultCanBeLinkset"`
	}{name, s.origin(), []gs1.AI{gs1.KeyGTIN}, []namespace{{"https://gs1.org/voc/", "gs1:"}}, false})
	if err != nil {
		s.noCard(w, r, err)
		return
	}
	forEverybody(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", cacheDescription)
	_, _ = w.Write(body)
}

// badNumber tells what is wrong with the number in an address.
func (s *Site) badNumber(w http.ResponseWriter, r *http.Request, err error) {
	if wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err); mistyped {
		s.tell(w, r, http.StatusBadRequest, "article.bad_digit", string(wrong.Want))
		return
	}
	s.tell(w, r, http.StatusBadRequest, "article.bad", "")
}

func (s *Site) noArticle(w http.ResponseWriter, r *http.Request, key gs1.Element) {
	s.tell(w, r, http.StatusNotFound, "article.none", key.AI.Name()+" "+key.Value)
}

// tell answers with a page that says in words why there is no other. Its texts are those of key, with what they are about.
func (s *Site) tell(w http.ResponseWriter, r *http.Request, status int, key, about string) {
	speak := page.Words(r)
	s.page.Render(w, r, status, "error", failure{Text: words.Text{Title: speak.T(key + "_title"), Means: speak.T(key+"_means", about), Next: speak.T(key + "_next")}})
}

// forEverybody lets pages of every site read an answer that is the same for everybody, and the headers that say more.
func forEverybody(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Link, Location")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// linkType returns the parameter of that name, the first if there are several.
func linkType(rawQuery string) string {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); name == linkTypeField {
			if decoded, err := url.QueryUnescape(value); err == nil {
				return decoded
			}
			return value
		}
	}
	return ""
}

// wantsLinkset reports whether a program asks for linksets by their media type. A browser never does.
func wantsLinkset(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for one := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(one)
			never := params["q"] != "" && strings.Trim(params["q"], "0.") == ""
			if err == nil && kind == gs1.LinksetType && !never {
				return true
			}
		}
	}
	return false
}
