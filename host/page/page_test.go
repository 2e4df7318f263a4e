package page

import (
	"encoding/base64"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"rsc.io/qr"
)

var now = time.Date(2026, 11, 24, 10, 42, 0, 0, time.UTC)

func assets(t testing.TB, rooms ...fs.FS) *Assets {
	t.Helper()
	a, err := NewAssets(rooms...)
	require.NoError(t, err)
	return a
}

func renderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := New(Options{Templates: os.DirFS("testdata/pages"), Assets: assets(t), Secure: true,
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return r
}

type greeting struct {
	Text string
	At   time.Time
}

// get renders the page plain as the answer to a request.
func get(t testing.TB, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	q := httptest.NewRequest(http.MethodGet, target, nil)
	for name := range header {
		q.Header.Set(name, header.Get(name))
	}
	w := httptest.NewRecorder()
	renderer(t).Render(w, q, http.StatusOK, "plain", greeting{"<script>alert(1)</script>", now.Add(-2 * time.Hour)})
	return w
}

func TestPageIsWhole(t *testing.T) {
	w := get(t, "/x", nil)
	body := w.Body.String()
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, body, `<html lang="en">`)
	assert.Contains(t, body, `<title>Check a link · ProductID</title>`)
	assert.Contains(t, body, `<p>&lt;script&gt;`)
	assert.Contains(t, body, `<b>&lt;script&gt;`)
	assert.Contains(t, body, `<time datetime="2026-11-24T08:42:00Z" data-local="moment">24 November 2026, 08:42 UTC</time>`)
	assert.Contains(t, body, `<time datetime="2026-11-24T08:42:00Z">2 hours ago</time>`)
	assert.NotRegexp(t, `<script>|<style|\sstyle=|\son[a-z]+=|javascript:`, body, "the policy of the site allows files only")
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Equal(t, "Accept-Language, Cookie", w.Header().Get("Vary"))
}

func TestLanguageIsChosenAndRemembered(t *testing.T) {
	assert.Equal(t, "it", get(t, "/x", http.Header{"Accept-Language": {"it"}}).Header().Get("Content-Language"))
	assert.Equal(t, "it", get(t, "/x", http.Header{"Cookie": {"lang=it"}}).Header().Get("Content-Language"))
	assert.Equal(t, "en", get(t, "/x?lang=en", http.Header{"Cookie": {"lang=it"}}).Header().Get("Content-Language"))
	assert.Empty(t, get(t, "/x", http.Header{"Cookie": {"lang=it"}}).Result().Cookies())
	assert.Empty(t, get(t, "/x?lang=tlh", nil).Result().Cookies())

	cookies := get(t, "/x?a=1&lang=it", nil).Result().Cookies()
	require.Len(t, cookies, 1)
	assert.Equal(t, "lang=it; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax", cookies[0].Raw)
}

// TestLanguageLinksStayOnThePage also has a path that would be another host if a link repeated it.
func TestLanguageLinksStayOnThePage(t *testing.T) {
	body := get(t, "//evil.example/x?i=%41&lang=en&c=00&lang=it", nil).Body.String()
	assert.Contains(t, body, `href="?i=%41&amp;c=00&amp;lang=it"`)
	assert.NotContains(t, body, "evil.example")
	assert.Equal(t, "", WithoutLanguage("lang=it"))
	assert.Equal(t, "a=%2B&&b", WithoutLanguage("a=%2B&&lang&b"))
}

func TestNoHalfPageIsSent(t *testing.T) {
	for _, name := range []string{"plain", "unknown"} {
		w := httptest.NewRecorder()
		renderer(t).Render(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, name, struct{ Text string }{"no At"})
		assert.Equal(t, http.StatusInternalServerError, w.Code)
		assert.Equal(t, "This page cannot be shown right now. Please try again in a minute.\n", w.Body.String())
	}
}

func TestTemplateWithoutItsTextIsRefused(t *testing.T) {
	for _, main := range []string{
		`{{.T "no.such"}}`, `{{if true}}{{$.T "no.such" 1}}{{end}}`, `{{range .Data}}{{else}}{{$.N "no.such" 2}}{{end}}`,
		`{{with .Data}}{{template "x" ($.T "no.such")}}{{end}}`, `{{printf "%s" (.T "no.such")}}`, `{{$v := .}}{{$v.T "no.such"}}`,
	} {
		files := fstest.MapFS{"x.html": {Data: []byte(`{{define "title"}}{{end}}{{define "x"}}{{end}}{{define "main"}}` + main + `{{end}}`)}}
		_, err := New(Options{Templates: files, Assets: assets(t)})
		assert.ErrorContains(t, err, `"no.such"`, main)
	}
	_, err := New(Options{Templates: fstest.MapFS{"x.html": {Data: []byte(`{{define "title"}}{{end}}{{define "main"}}{{if 1}}{{template "no.part"}}{{end}}{{end}}`)}}, Assets: assets(t)})
	assert.ErrorContains(t, err, `"no.part"`)
	_, err = New(Options{Templates: fstest.MapFS{"x.html": {Data: []byte(`{{define "title"}}{{end}}`)}}, Assets: assets(t)})
	assert.ErrorContains(t, err, `"main"`)
	_, err = New(Options{Templates: fstest.MapFS{"x.html": {Data: []byte(`{{define "title"}}{{end}}{{define "main"}}<a{{if .Data}} data-on="{{else}}>{{end}}{{end}}`)}}, Assets: assets(t)})
	assert.ErrorContains(t, err, "different contexts")
	for _, bad := range []string{`{{`, `{{define "main"}}{{nofunc}}{{end}}`} {
		_, err := New(Options{Templates: fstest.MapFS{"x.html": {Data: []byte(bad)}}, Assets: assets(t)})
		assert.Error(t, err, bad)
		_, err = New(Options{Templates: fstest.MapFS{"_x.html": {Data: []byte(bad)}}, Assets: assets(t)})
		assert.Error(t, err, bad)
	}
}

func TestFlashIsSaidOnce(t *testing.T) {
	r, w := renderer(t), httptest.NewRecorder()
	r.LeaveFlash(w, Good, "ago.now")
	left := w.Result().Cookies()[0]
	assert.True(t, left.HttpOnly && left.Secure)
	assert.Equal(t, "__Host-flash", left.Name, "no neighbouring host sets it")

	answer := get(t, "/x", http.Header{"Cookie": {left.Name + "=" + left.Value}})
	assert.Regexp(t, `<p class="flash good" role="status">.*<span>just now</span></p>`, answer.Body.String())
	assert.Equal(t, -1, answer.Result().Cookies()[0].MaxAge)
	assert.NotContains(t, get(t, "/x", nil).Body.String(), "flash")

	w = httptest.NewRecorder()
	r.LeaveFlash(w, Good, "ago.now", strings.Repeat("x", maxFlash))
	assert.Empty(t, w.Result().Cookies())
}

// FuzzFlash has any bytes come back as the cookie of a message: they can only choose among our texts.
func FuzzFlash(f *testing.F) {
	f.Add([]byte(`{"Tone":"good","Key":"date.day","Args":["<b>","x","y"]}`))
	f.Add([]byte(`{"Tone":"evil\" onload=","Key":"ago.now"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		body := get(t, "/x", http.Header{"Cookie": {"__Host-flash=" + base64.RawURLEncoding.EncodeToString(data)}}).Body.String()
		assert.Contains(t, body, "</html>")
		assert.NotContains(t, body, "<b><")
		assert.NotRegexp(t, `class="flash [^"]*evil`, body)
	})
}

func TestAssetsMayBeKeptForGood(t *testing.T) {
	a := assets(t, fstest.MapFS{"room.css": {Data: []byte(`b{background:url(mark.svg)}`)}})
	at, err := a.Path("style.css")
	require.NoError(t, err)
	assert.Regexp(t, `^/static/style\.[0-9a-f]{12}\.css$`, at)
	answer := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	w := answer(http.MethodGet, at)
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
	assert.Equal(t, "text/css; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Regexp(t, `url\(/static/guilloche\.[0-9a-f]{12}\.svg\)`, w.Body.String())
	assert.NotRegexp(t, `url\([^/]`, w.Body.String(), "a file that is not there")
	room, err := a.Path("room.css")
	require.NoError(t, err)
	assert.Regexp(t, `url\(/static/mark\.[0-9a-f]{12}\.svg\)`, answer(http.MethodGet, room).Body.String())

	for _, path := range []string{"/static/style.css", "/static/style.000000000000.css", "/static/", "/static/../page.go"} {
		assert.Equal(t, http.StatusNotFound, answer(http.MethodGet, path).Code, path)
	}
	assert.Equal(t, http.StatusNotFound, answer(http.MethodPost, at).Code)
	_, err = a.Path("none.css")
	assert.Error(t, err)
	_, err = NewAssets(fstest.MapFS{"style.css": {}})
	assert.Error(t, err)
}

func TestQRCodeHoldsItsModules(t *testing.T) {
	const text = "https://id.example.com/c/sCwcVia7OYj7c7jW/bundle"
	picture, err := QR(text, `a "label"`)
	require.NoError(t, err)
	assert.Contains(t, string(picture), `aria-label="a &#34;label&#34;"`)
	code, err := qr.Encode(text, qr.M)
	require.NoError(t, err)
	black := 0
	for _, run := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1`).FindAllStringSubmatch(string(picture), -1) {
		x, y, length := number(t, run[1]), number(t, run[2]), number(t, run[3])
		for i := range length {
			assert.True(t, code.Black(x+i-quiet, y-quiet))
			black++
		}
	}
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				black--
			}
		}
	}
	assert.Zero(t, black)
	_, err = QR(strings.Repeat("x", 3000), "")
	assert.Error(t, err)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestColoursHaveContrast computes WCAG 2.2's contrast of each text colour on what it stands on, light and dark.
func TestColoursHaveContrast(t *testing.T) {
	sheet, err := os.ReadFile("static/style.css")
	require.NoError(t, err)
	variable := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	light, dark, _ := strings.Cut(string(sheet), "prefers-color-scheme: dark")
	colours := map[string]string{}
	for scheme, part := range [2]string{light, dark} {
		for _, m := range variable.FindAllStringSubmatch(part, -1) {
			colours[m[1]] = m[2] // dark changes some of light's
		}
		for _, pair := range [][2]string{
			{"ink", "paper"}, {"ink", "sheet"}, {"quiet", "paper"}, {"quiet", "sheet"}, {"accent", "paper"}, {"accent", "sheet"},
			{"on-accent", "accent"}, {"on-good", "good"}, {"on-care", "care"}, {"on-bad", "bad"}, {"on-open", "open"},
			{"good-text", "sheet"}, {"care-text", "sheet"}, {"bad-text", "sheet"}, {"open-text", "sheet"}, {"bad-text", "paper"},
		} {
			ratio := contrast(t, colours[pair[0]], colours[pair[1]])
			assert.GreaterOrEqual(t, ratio, 4.5, "scheme %d: %s on %s", scheme, pair[0], pair[1])
		}
		assert.GreaterOrEqual(t, contrast(t, colours["edge"], colours["sheet"]), 3.0, "scheme %d: borders of fields", scheme)
		assert.GreaterOrEqual(t, contrast(t, colours["focus"], colours["paper"]), 3.0, "scheme %d: focus", scheme)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(t *testing.T, colour string) (sum float64) {
	t.Helper()
	require.Len(t, colour, 7)
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		require.NoError(t, err)
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
