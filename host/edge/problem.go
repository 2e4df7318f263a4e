package edge

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// The codes of the answers that are given here.
const (
	CodeInternal    = "internal"     // 500: a handler panicked
	CodeTooLarge    = "too_large"    // 413: the body is larger than it may be
	CodeCrossOrigin = "cross_origin" // 403: a page of another site sent it
	CodeTooMany     = "too_many"     // 429: whoever has a Limiter gives it
)

// words are for who reads a plain problem; the pages of /problems/ say more.
var words = map[string][2]string{
	CodeInternal:    {"Something went wrong here", "The mistake is ours and has been noted. Try again; if it stays, tell the operator the request's id."},
	CodeTooLarge:    {"What was sent is too large", "Send less at once."},
	CodeTooMany:     {"Too many requests come from your network", "Wait a moment and try again."},
	CodeCrossOrigin: {"The request came from another site's page", "Open this site itself and do it there."},
}

// WantsJSON holds for a client that is a program: it asks below /v1/, or for JSON and not for a page.
func WantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.HasPrefix(r.URL.Path, "/v1/") || strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// PlainProblem answers with one of the codes above, without templates and catalogues: they may be what failed.
func PlainProblem(w http.ResponseWriter, r *http.Request, status int, code string) {
	title, next, id := words[code][0], words[code][1], RequestID(r.Context())
	if WantsJSON(r) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "/problems/" + code, "title": title, "status": status, "detail": next, "code": code, "requestId": id})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>%[1]s</title>\n<main><h1>%[1]s</h1><p>%[2]s</p><p>%[3]s</p></main></html>\n",
		html.EscapeString(title), html.EscapeString(next), html.EscapeString(id))
}
