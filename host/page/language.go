package page

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/productid/productid/host/words"
)

const (
	languageParameter = "lang" // in the query of a link of the language switch
	languageCookie    = "lang"
	languageAge       = 365 * 24 * 60 * 60 // seconds
)

// Words returns the words for the reader of this request: those of the language that its query chooses, or its form, or its cookie,
// or that the browser prefers.
func Words(q *http.Request) *words.Words {
	chosen := chosenNow(q)
	if c, err := q.Cookie(languageCookie); chosen == "" && err == nil {
		chosen = c.Value
	}
	return words.For(q.Header.Get("Accept-Language"), chosen)
}

// chosenNow is the language that this very request chooses, or "". A form must have been parsed by then to choose one.
func chosenNow(q *http.Request) string {
	for _, lang := range words.Languages() {
		if q.PostForm.Get(languageParameter) == lang {
			return lang
		}
	}
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == languageParameter && slices.Contains(words.Languages(), value) {
			return value
		}
	}
	return ""
}

// WithoutLanguage returns a raw query without the parameter of the language switch, and otherwise unchanged, byte for byte.
func WithoutLanguage(rawQuery string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != languageParameter {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// RememberLanguage keeps the reader's choice in his browser.
func (r *Renderer) RememberLanguage(w http.ResponseWriter, lang string) {
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: lang, Path: "/", MaxAge: languageAge,
		HttpOnly: true, Secure: r.Secure, SameSite: http.SameSiteLaxMode})
}

// Language is one entry of the language switch.
type Language struct {
	Lang, Name string
	Link       template.URL // to this very page in that language: always a query alone, so that it leads nowhere else
	Current    bool
}

// Languages returns the entries of the language switch.
func (v *View) Languages() []Language {
	var all []Language
	for _, lang := range words.Languages() {
		query := WithoutLanguage(v.request.URL.RawQuery)
		if query != "" {
			query += "&"
		}
		all = append(all, Language{
			Lang: lang, Name: words.For("", lang).T("lang.name"), Current: lang == v.Lang(),
			Link: template.URL("?" + query + languageParameter + "=" + url.QueryEscape(lang)),
		})
	}
	return all
}

// LocalPath returns where a reader may be led who comes with this address in a parameter: the address itself when it is a path of
// this site, with or without a query, else "/". Browsers read "//host" and "/\host" as another site, and leave control characters out.
func LocalPath(address string) string {
	rest, rooted := strings.CutPrefix(address, "/")
	if !rooted || strings.HasPrefix(rest, "/") || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7F }) {
		return "/"
	}
	return address
}
