package web

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"html"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

var update = flag.Bool("update", false, "write what the pages say to testdata/pages.*.txt")

// same is a source of randomness that is none, so that pages say the same each time.
type same struct{}

func (same) Read(b []byte) (int, error) { return len(b), nil }

var (
	tags   = regexp.MustCompile(`(?s)<svg.*?</svg>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s*\n\s*`)
	titles = regexp.MustCompile(`<title>(.*?)</title>`)
)

// read returns what a reader without scripts reads of a page: its title, and what stands in its main part.
func read(t testing.TB, body string) string {
	t.Helper()
	title := titles.FindStringSubmatch(body)
	require.NotNil(t, title)
	_, rest, found := strings.Cut(body, `<main id="main" tabindex="-1">`)
	require.True(t, found)
	main, _, _ := strings.Cut(strings.NewReplacer("<br>", " ", "</dt>", ": ").Replace(rest), "</main>")
	text := blanks.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(main, "")), "\n")
	return "[" + html.UnescapeString(title[1]) + "]\n" + strings.TrimSpace(text) + "\n"
}

// shown is every page, in the order in which somebody might see them.
func shown(t testing.TB, language string) (names []string, pages map[string]reply) {
	w := newWorld(t)
	w.Random = same{}
	pages = map[string]reply{}
	keep := func(name string, r reply) {
		names = append(names, name)
		pages[name] = r
	}
	p, other := w.phone(), w.phone()
	p.language, other.language = language, language
	id := w.card.ID().String()
	for _, path := range []string{"/", "/check", "/privacy", "/problems/", "/problems/already_used", "/report", "/nowhere", "/c/" + id, "/c/AAAAAAAAAAAAAAAA"} {
		keep("GET "+path, p.get(path))
	}
	w.card.Tap() // read, and never checked
	tapped := w.card.Tap()
	keep("a tap is opened", p.get(tapped))
	w.ledger.away.Store(true)
	keep("the ledger is away", p.get(tapped))
	w.ledger.away.Store(false)
	w.ledger.lose.Store(true)
	keep("the answer is lost", p.post(tapped))
	w.ledger.lose.Store(false)
	w.tooMany = "look"
	keep("too many", p.get(tapped))
	w.tooMany = ""
	w.sell(false)
	keep("recorded", p.post(tapped))
	keep("a printed code", other.get("/product/09506000134352?10=A%2F7&21="+id))
	keep("a printed code of somebody else", other.get("/01/09520123456788"))
	keep("a code that is misread", other.get("/01/09520123456789"))
	keep("a link of a kind that there is not", other.get("/01/09506000134352?linkType=gs1:recallStatus"))
	keep("half a Digital Link", other.get("/01/0952"))
	w.now = w.now.Add(26 * time.Hour)
	keep("reloaded", p.get(tapped))
	keep("another phone", other.get(tapped))
	keep("pasted", other.post("/check", "url", tapped))
	keep("closed", other.get("/go/"+id+"/3"))
	keep("a made up link", other.get("/t?i="+id+"&c=0000000F&s="+strings.Repeat("A", 86)))
	keep("an unknown card", other.get("/t?i=AAAAAAAAAAAAAAAA&c=0000000F&s="+strings.Repeat("A", 86)))
	keep("half a link", other.get("/t?i="+id))
	for _, reason := range []string{tap.Exhausted, tap.ChallengeOnly} {
		keep("a link without a signature: "+reason, other.get(w.card.Template.UnsignedURL(w.card.ID(), reason)))
	}
	keep("report without a word", other.post("/report", "card", id, "code", "bad_signature", "text", " "))
	keep("reported", other.post("/report", "card", id, "code", "bad_signature", "text", "Bought at a fair."))
	w.set(record.Settings{Form: questions()})
	tapped = w.card.Tap()
	keep("a form", p.get(tapped))
	keep("a form with a mistake", p.post(tapped, "field.operator", "North", "field.kg", "x"))
	w.phone().post(w.card.Tap(), "field.operator", "South", "field.kg", "1")
	keep("a form that came too late", p.post(tapped, "field.operator", "North", "field.kg", "1"))
	w.set(record.Settings{LoginRequired: true})
	keep("sign in", p.get(w.card.Tap()))
	w.sayTaps(record.CardRevoked{Last: w.card.Counter, State: record.StateRevoked, Reason: "Stolen from the shop."})
	keep("revoked", p.get(w.card.Tap()))
	return names, pages
}

// TestPagesSayWhatTheySaid holds what all pages say against a file for each language, which is for reading, too. -update writes them.
func TestPagesSayWhatTheySaid(t *testing.T) {
	pageNames := newWorld(t).page.Pages()
	slices.Sort(pageNames)
	assert.Equal(t, []string{"article", "card", "check", "closed", "error", "home", "nocard", "privacy", "problem", "problems", "report", "reported", "tap"}, pageNames,
		"shown shows each of them")
	for _, language := range words.Languages() {
		names, pages := shown(t, language)
		var all bytes.Buffer
		for _, name := range names {
			body := pages[name].text
			assert.Contains(t, body, `<html lang="`+language+`">`, name)
			assert.NotRegexp(t, `<script>|<style|\sstyle=|\son[a-z]+=|javascript:|ZgotmplZ|%!`, body, name)
			assert.Equal(t, 1, strings.Count(body, "<title>"), name)
			assert.LessOrEqual(t, strings.Count(strings.ReplaceAll(body, "script-only", ""), "<h1"), 2, name)
			if name != "GET /problems/" { // the codes are other rooms'
				all.WriteString("== " + name + "\n" + read(t, body) + "\n")
			}
		}
		file := "testdata/pages." + language + ".txt"
		if *update {
			require.NoError(t, os.WriteFile(file, all.Bytes(), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), all.String(), "go test ./host/web -update writes what is said now")
	}
}

func TestHeadSendsNoMoreThanGet(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/check", "/privacy", "/problems/", "/problems/revoked", "/report", "/c/" + w.card.ID().String(), w.card.Tap()} {
		p := w.phone()
		assert.Equal(t, p.get(path).Code, p.head(path).Code, path)
	}
}

func TestProblemsHavePages(t *testing.T) {
	w := newWorld(t)
	index := w.phone().get("/problems/").text
	for _, code := range words.Problems() {
		assert.Contains(t, index, `href="/problems/`+code+`"`)
		for _, language := range words.Languages() {
			p := w.phone()
			p.language = language
			answer := p.get("/problems/" + code)
			text, _ := words.For("", language).Problem(code)
			assert.Equal(t, http.StatusOK, answer.Code)
			assert.Contains(t, answer.text, html.EscapeString(text.Next))
		}
	}
	for _, none := range []string{"/problems/no_such", "/problems/title", "/problems/%3Cb%3E", "/problems/a/b"} {
		answer := w.phone().get(none)
		assert.Equal(t, http.StatusNotFound, answer.Code, none)
		assert.NotContains(t, answer.text, "<b>")
	}
}

func TestErrorsHavePages(t *testing.T) {
	w := newWorld(t)
	answer := w.phone().get("/nowhere")
	assert.Equal(t, http.StatusNotFound, answer.Code)
	assert.Regexp(t, `Number of this request: [0-9A-Za-z-]+`, answer.text)
	answer = w.phone().post("/privacy")
	assert.Equal(t, http.StatusMethodNotAllowed, answer.Code)
	assert.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
	for _, status := range []int{400, 403, 404, 405, 413, 429, 500, 503} {
		for _, language := range words.Languages() {
			assert.True(t, words.For("", language).Has("error."+strconv.Itoa(status)+".next"), status)
		}
	}
	large := w.phone().post("/check", "url", strings.Repeat("x", 70<<10))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.Code)
}

func TestCertificateTellsTheFacts(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	require.Equal(t, 200, w.phone().post(w.card.Tap()).Code)
	id := w.card.ID().String()
	answer := w.phone().get("/c/" + id)
	for _, fact := range []string{"Extra virgin olive oil", "Oleificio Borgo", "In use", "1 check<", "24 November 2026", id, "P256", `class="qr"`, `href="/c/` + id + `/bundle"`} {
		assert.Contains(t, answer.text, fact)
	}
	file := w.phone().get("/c/" + id + "/bundle")
	assert.Equal(t, http.StatusOK, file.Code)
	assert.Equal(t, `attachment; filename="`+id+`.bundle"`, file.Header().Get("Content-Disposition"))
	assert.Contains(t, file.text, `"`+id+`"`)
	for _, none := range []string{"/c/AAAAAAAAAAAAAAAA", "/c/x", "/c/AAAAAAAAAAAAAAAA/bundle", "/c/%22%3E/bundle"} {
		assert.Equal(t, http.StatusNotFound, w.phone().get(none).Code, none)
	}
	w.tooMany = "bundle:"
	assert.Equal(t, http.StatusTooManyRequests, w.phone().get("/c/"+id+"/bundle").Code)
	w.tooMany = ""
	w.sayTaps(record.CardRevoked{Last: w.card.Counter, State: record.StateRevoked})
	assert.Contains(t, w.phone().get("/c/"+id).text, "Withdrawn by its maker")
	w.ledger.away.Store(true)
	away := w.phone().get("/c/" + id)
	assert.Equal(t, http.StatusServiceUnavailable, away.Code)
	assert.NotEmpty(t, away.Header().Get("Retry-After"))
}

func TestCheckerLooksFirst(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	p := w.phone()
	looked := p.post("/check", "url", "  "+tapped+"\n")
	looked.says(t, w, "good", "Genuine so far")
	assert.NotContains(t, looked.text, "data-at-once")
	assert.Contains(t, looked.text, "Only press this if you hold the card in your hand")
	p.post("/check", "url", tapped, "do", "record", "lang", "it")
	assert.Empty(t, w.recorded())
	p.cookies["lang"] = "en"
	p.post("/check", "url", tapped, "do", "record").says(t, w, "good", "Genuine")
	assert.Len(t, w.recorded(), 1)
	p.get(tapped).says(t, w, "good", "Genuine") // the receipt counts for the tap, wherever it was recorded

	assert.Contains(t, p.post("/check", "url", "not a link <b>", "lang", "it").text, "not a link &lt;b&gt;")
	p.cookies["lang"] = "en"
	p.post("/check", "url", "javascript:alert(1)").says(t, w, "open", "No complete link")
	assert.Contains(t, p.post("/check").text, `id="url"`)
	w.tooMany = "check/"
	assert.Equal(t, http.StatusTooManyRequests, p.post("/check", "url", tapped).Code)
	prefetching := w.phone()
	prefetching.header.Set("Sec-Purpose", "prefetch")
	w.tooMany = ""
	prefetching.post("/check", "url", w.card.Tap(), "do", "record").says(t, w, "good", "Genuine so far")
	assert.Len(t, w.recorded(), 1)
}

func TestReportsReachTheMaker(t *testing.T) {
	w := newWorld(t)
	id := w.card.ID()
	p := w.phone()
	answer := p.post("/report", "card", id.String(), "code", "bad_signature", "text", "Bought at a fair,\r\nno\u202e \u200ebox\uffff.\x00", "contact", "\u202a+39 06 1\u202c", "url", w.card.Tap())
	assert.Equal(t, http.StatusOK, answer.Code)
	assert.Contains(t, answer.text, "Thank you")
	kept, _, err := w.watch.Reports(context.Background(), filterOf(w.issuer))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	assert.Equal(t, "Bought at a fair,\nno box.", kept[0].Text)
	assert.Equal(t, "bad_signature", kept[0].Code)
	assert.Equal(t, "+39 06 1", kept[0].Contact)
	assert.Equal(t, id, *kept[0].Card)

	for name, form := range map[string][]string{
		"empty":           {"text", "  "},
		"too long":        {"text", strings.Repeat("é", maxReport+1)},
		"contact too big": {"text", "kept <b>", "contact", strings.Repeat("x", maxContact+1)},
	} {
		bad := p.post("/report", append(form, "card", id.String())...)
		assert.Equal(t, http.StatusUnprocessableEntity, bad.Code, name)
		assert.Contains(t, bad.text, `aria-invalid="true"`, name)
	}
	w.tooMany = "report:"
	waiting := p.post("/report", "text", "kept <b>", "card", id.String(), "code", "<script>")
	assert.Equal(t, http.StatusTooManyRequests, waiting.Code)
	assert.Contains(t, waiting.text, "kept &lt;b&gt;")
	assert.Contains(t, waiting.text, "Please wait 2 minutes")
	w.tooMany = ""
	italian := p.post("/report", "text", "kept <b>", "lang", "it")
	assert.Contains(t, italian.text, "kept &lt;b&gt;</textarea>")
	assert.Contains(t, italian.text, "Che cosa è successo?")
	p.cookies["lang"] = "en"
	stranger := p.post("/report", "text", "a card of nobody", "card", "AAAAAAAAAAAAAAAA")
	assert.Contains(t, stranger.text, "Thank you")
	unowned, _, err := w.watch.Reports(context.Background(), filterOf(channel.ID{}))
	require.NoError(t, err)
	assert.Len(t, unowned, 1)
}

func TestProductPageIsReachedFromTheAnswerAlone(t *testing.T) {
	w := newWorld(t)
	w.sell(true)
	tapped := w.card.Tap()
	owner, other := w.phone(), w.phone()
	answer := owner.post(tapped)
	link := regexp.MustCompile(`content="0; url=(/go/[^"]*)"`).FindStringSubmatch(answer.text)
	require.NotNil(t, link, "the issuer wants visitors at once")
	assert.Contains(t, answer.text, "data-go-on")
	assert.NotContains(t, owner.get(tapped).text, "http-equiv", "who comes back is not sent away again")

	for _, stranger := range []*phone{other, w.phone()} {
		closed := stranger.get(link[1])
		assert.Equal(t, http.StatusForbidden, closed.Code)
		assert.Empty(t, closed.Header().Get("Location"))
	}
	assert.Empty(t, owner.head(link[1]).Header().Get("Location"))
	owner.header.Set("Sec-Purpose", "prefetch")
	assert.Empty(t, owner.get(link[1]).Header().Get("Location"))
	owner.header.Del("Sec-Purpose")
	sent := owner.get(link[1])
	assert.Equal(t, http.StatusSeeOther, sent.Code)
	assert.Regexp(t, `^https://borgo\.example\.com/oil\?productid=[\w-]+\.[\w-]+\.[\w-]+$`, sent.Header().Get("Location"))
	for _, bad := range []string{"/go/x/1", "/go/" + w.card.ID().String() + "/99999999999", "/go/" + w.card.ID().String() + "/-1"} {
		assert.Equal(t, http.StatusNotFound, owner.get(bad).Code, bad)
	}
	w.now = w.now.Add(time.Hour)
	assert.Equal(t, http.StatusForbidden, owner.get(link[1]).Code)
	assert.Contains(t, owner.get(tapped).text, `href="https://borgo.example.com/oil"`, "without a token he is a visitor as any other")
}

// An issuer says on which hosts his products' pages are; whoever sets a card, and by whichever way, sends nobody elsewhere.
func TestAPageOnAnotherHostIsNotLinked(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{ProductURL: "https://evil.example/oil"})
	require.NoError(t, w.products.PutFace(t.Context(), product.Face{Issuer: w.issuer, Name: "Borgo", Hosts: []string{"borgo.example.com"}}))
	p := w.phone()
	tapped := w.card.Tap()
	p.get(tapped)
	assert.NotContains(t, p.post(tapped).text, "evil.example")
	assert.Empty(t, p.get("/go/"+w.card.ID().String()+"/"+strconv.FormatUint(uint64(w.card.Counter), 10)).Header().Get("Location"))
	w.now = w.now.Add(time.Hour)
	assert.NotContains(t, p.get(tapped).text, "evil.example", "nor later, without a token")
}

func TestCardWithoutAProductPageLeadsNowhere(t *testing.T) {
	w := newWorld(t)
	p := w.phone()
	assert.NotContains(t, p.post(w.card.Tap()).text, "/go/")
	closed := p.get("/go/" + w.card.ID().String() + "/" + strconv.FormatUint(uint64(w.card.Counter), 10))
	assert.Equal(t, http.StatusNotFound, closed.Code)
	assert.Contains(t, closed.text, "No page to go on to")
}

func TestSiteGoesOnWithoutRandomness(t *testing.T) {
	w := newWorld(t)
	w.Random, w.Log = failing{}, discard()
	tapped := w.card.Tap()
	w.phone().get(tapped).says(t, w, "good", "Genuine so far")
	w.phone().post(tapped).says(t, w, "good", "Genuine")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// lost is a store of reports that is away.
type lost struct{}

func (lost) Report(context.Context, alarm.Report) (string, error) { return "", errDisk }

func filterOf(issuer channel.ID) alarm.Filter { return alarm.Filter{Issuer: issuer, N: 10} }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestReportThatCannotBeKeptIsNotThankedFor(t *testing.T) {
	w := newWorld(t)
	w.Reports, w.Log = lost{}, discard()
	answer := w.phone().post("/report", "text", "kept")
	assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
	assert.NotContains(t, answer.text, "Thank you")
	assert.Contains(t, answer.text, "kept</textarea>")
	assert.NotContains(t, answer.text, errDisk.Error())
}

// A report is for the card's own issuer. While nobody can say who that is, it is not filed where all others read it.
func TestReportIsNotMisfiled(t *testing.T) {
	w := newWorld(t)
	w.Cards, w.Log = noCards{}, discard()
	answer := w.phone().post("/report", "text", "kept", "contact", "me@example.com", "card", w.card.ID().String())
	assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
	for _, issuer := range []channel.ID{{}, w.issuer} {
		kept, _, err := w.watch.Reports(t.Context(), filterOf(issuer))
		require.NoError(t, err)
		assert.Empty(t, kept)
	}
}

type noCards struct{}

func (noCards) Card(context.Context, tap.CardID) (record.Card, error) { return record.Card{}, errDisk }

var errDisk = errors.New("disk full")

func TestSignedInPeopleSeeTheSamePages(t *testing.T) {
	w := newWorld(t)
	w.actor = identity.NewActor(identity.Human, "anna-id", "Anna", map[channel.ID][]identity.Scope{w.issuer: identity.Owner.Scopes()})
	for _, address := range []string{"/", w.card.Tap(), "/c/" + w.card.ID().String()} {
		assert.NotContains(t, w.phone().get(address).text, "Anna", "nothing of who reads stands on a public page")
	}
}
