package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
)

// mark is what hostile input brings along; no page may show it as it stands.
const mark = `"><zq onload=1>'`

// attack sends a request with a line of its own making.
func (w *world) attack(method, path, query, body, cookie string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodPost, "https://tap.example.com/", strings.NewReader(body))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Cookie", cookie)
	q.Method = method
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		unescaped = path
	}
	q.URL = &url.URL{Path: "/" + unescaped, RawPath: "/" + path, RawQuery: query}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, q)
	return answer
}

// withstands checks an answer to anything: no failure, nothing reflected, nobody led away.
func withstands(t testing.TB, answer *httptest.ResponseRecorder, input string) {
	t.Helper()
	assert.Less(t, answer.Code, 500, "%q", input)
	body := answer.Body.String()
	assert.NotContains(t, body, "<zq", "%q", input)
	assert.NotContains(t, body, "ZgotmplZ", "%q", input)
	assert.NotRegexp(t, `(?i)(href|src|action)="(//|javascript:|data:|\\)`, body, "%q", input)
	for name, values := range answer.Header() {
		for _, v := range values {
			assert.NotContains(t, v, "\n", "%s: %q", name, input)
			assert.NotContains(t, v, "\r", "%s: %q", name, input)
		}
	}
	if to := answer.Header().Get("Location"); to != "" {
		assert.Regexp(t, `^(/[^/\\]|/$|\?)`, to, "%q leads to another site", input)
	}
}

// FuzzAnyRequest sends any line, form and cookies: never a 5xx, never reflected, never a header of the sender's.
func FuzzAnyRequest(f *testing.F) {
	w := newWorld(f)
	id, tapped := w.card.ID().String(), w.card.Tap()
	_, query, _ := strings.Cut(tapped, "?")
	for _, path := range []string{"", "t", "/evil.example", "c/" + id, "c/" + url.PathEscape(mark), "go/" + id + "/1", "problems/" + url.PathEscape(mark), "..%2f..%2fetc/passwd", "01/1/21/" + id, "check", "report"} {
		f.Add(false, path, query, "url="+url.QueryEscape(mark)+"&text="+url.QueryEscape(mark)+"&card="+id, "lang=it")
		f.Add(true, path, "lang="+url.QueryEscape(mark)+"&i="+url.QueryEscape(mark), "field.a="+url.QueryEscape(mark)+"&key="+url.QueryEscape(mark)+"&url="+url.QueryEscape(tapped), "__Host-receipts=AAAA; __Host-draft=e30; __Host-flash=e30")
	}
	f.Add(true, "t", "i=%0d%0aSet-Cookie:a=b&c=1&s=2", "lang=it%0d%0aX: y", "lang=\"it\r\n\"")
	f.Fuzz(func(t *testing.T, post bool, path, query, body, cookie string) {
		method := http.MethodGet
		if post {
			method = http.MethodPost
		}
		withstands(t, w.attack(method, path, query, body, cookie), path+"?"+query+" "+body+" "+cookie)
	})
}

func TestPathTricksLeadNowhere(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"../../etc/passwd", "..%2f..%2fetc%2fpasswd", "static/..%2f..%2fweb.go", "%2e%2e/x", "c/../../x", "c/%2e%2e%2f", ".git/config", "c//bundle",
		"/evil.example/%2f..", `\evil.example`, "%5c%5cevil.example", "%00", "problems/%00", "go/../../x/1", "report/", "check/", "privacy/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			answer := w.attack(method, path, "", "", "")
			withstands(t, answer, path)
			assert.NotEqual(t, http.StatusOK, answer.Code, path)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	for _, site := range []string{"cross-site", "same-site"} {
		q := httptest.NewRequest(http.MethodPost, tapped, nil)
		q.Header.Set("Sec-Fetch-Site", site)
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, q)
		assert.Equal(t, http.StatusForbidden, answer.Code, site)
	}
	assert.Empty(t, w.recorded())
}

func TestDraftIsAnybodysInput(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: questions()})
	for _, forged := range []string{`{}`, `[]`, `null`, `{"Card":"` + w.card.ID().String() + `","Values":{"operator":"\"><zq>","kg":1}}`, `{"Card":"x"}`,
		`{"Card":"` + w.card.ID().String() + `","Values":{"operator":"\"><zq>","phase":"<zq>","note":"</textarea><zq>"}}`} {
		p := w.phone()
		p.cookies["__Host-draft"] = cookieText.EncodeToString([]byte(forged))
		answer := p.get(w.card.Tap())
		require.Equal(t, http.StatusOK, answer.Code)
		withstands(t, answer.ResponseRecorder, forged)
	}
}
