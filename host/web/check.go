package web

import (
	"net/http"
	"strings"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
)

// checker is the page where one pastes a link.
type checker struct {
	URL, Error string
}

func (s *Site) showChecker(w http.ResponseWriter, r *http.Request) {
	s.page.Render(w, r, http.StatusOK, "check", checker{})
}

// check looks at a pasted link. It uses the tap up only for somebody who has seen what it is and asks for that.
func (s *Site) check(w http.ResponseWriter, r *http.Request) {
	if !s.parseForm(w, r) {
		return
	}
	pasted := strings.TrimSpace(r.PostForm.Get(urlField))
	asked := r.PostForm.Has(langField) && !r.PostForm.Has(doField)
	if pasted == "" || asked {
		s.page.Render(w, r, http.StatusOK, "check", checker{URL: pasted})
		return
	}
	if wait, ok := s.Limit("check/" + edge.Network(edge.Client(r.Context()))); !ok {
		s.tooMany(w, r, wait)
		return
	}
	v := s.visit(w, r, pasted)
	v.pasted, v.typed, v.speak = true, typed(r), page.Words(r)
	if r.PostForm.Get(doField) == doRecord && !r.PostForm.Has(langField) && !prefetched(r) {
		v.record()
		return
	}
	v.look()
}
