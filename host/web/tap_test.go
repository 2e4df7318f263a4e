package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

// says checks the one heading that a reader without scripts sees of an answer, and its tone.
func (r reply) says(t testing.TB, w *world, tone, title string) {
	t.Helper()
	assert.Regexp(t, `(?s)<section class="verdict `+tone+`" role="status">.{0,900}<h1>`+regexp.QuoteMeta(title)+`</h1>`, r.text)
	assert.Equal(t, "no-store", r.Header().Get("Cache-Control"))
	assert.Equal(t, "no-referrer", r.Header().Get("Referrer-Policy"))
	assert.Contains(t, r.Header().Get("X-Robots-Tag"), "noindex")
	assert.NotRegexp(t, `<script>|<style|\sstyle=|\son[a-z]+=|(href|src|action)="javascript:`, r.text)
}

func TestLookingUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	tapped, before := w.card.Tap(), w.size()
	p := w.phone()
	for range 20 {
		p.get(tapped).says(t, w, "good", "Genuine so far")
	}
	assert.Equal(t, http.StatusOK, p.head(tapped).Code)
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Moz": "prefetch", "X-Purpose": "preview"} {
		ahead := w.phone()
		ahead.header.Set(name, value)
		answer := ahead.get(tapped)
		assert.NotContains(t, answer.text, "data-at-once", name)
		ahead.post(tapped).says(t, w, "good", "Genuine so far")
	}
	for _, agent := range []string{"facebookexternalhit/1.1", "Slackbot-LinkExpanding 1.0", "WhatsApp/2.23", "TelegramBot (like TwitterBot)", "Mozilla/5.0 (compatible; Googlebot/2.1)"} {
		bot := w.phone()
		bot.header.Set("User-Agent", agent)
		assert.NotContains(t, bot.get(tapped).text, "data-at-once", agent)
	}
	for _, agent := range []string{"Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG) Chrome/130.0 Mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1"} {
		person := w.phone()
		person.header.Set("User-Agent", agent)
		answer := person.get(tapped)
		assert.Contains(t, answer.text, "data-at-once", agent)
		assert.Contains(t, answer.text, "<title>Check of a card · ProductID</title>", "a preview of a link must not vouch for it")
		assert.Contains(t, answer.text, `<meta name="description" content="`)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, "TAP"} {
		answer := p.send(method, tapped, nil)
		assert.Equal(t, http.StatusMethodNotAllowed, answer.Code, method)
		assert.Equal(t, "GET, HEAD, POST", answer.Header().Get("Allow"))
	}
	assert.Equal(t, before, w.size())
	assert.Empty(t, w.recorded())
	assert.Contains(t, p.get(tapped).text, "data-at-once")
	p.post(tapped).says(t, w, "good", "Genuine")
	assert.Len(t, w.recorded(), 1)
}

func TestOwnerIsToldThatHeCheckedAndOthersThatItWasUsed(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	tapped := w.card.Tap()
	owner, other := w.phone(), w.phone()
	first := owner.get(tapped)
	assert.NotContains(t, first.text, "Taggiasca", "before the answer is there, nothing is praised") // the script has yet to ask
	answer := owner.post(tapped)
	answer.says(t, w, "good", "Genuine")
	for _, shown := range []string{"Extra virgin olive oil", "Taggiasca", "Oleificio Borgo", "/image/", `href="tel:&#43;39065550100"`, "/c/" + w.card.ID().String(), "Continue to borgo.example.com"} {
		assert.Contains(t, answer.text, shown)
	}
	assert.NotContains(t, answer.text, "data-at-once")

	w.now = w.now.Add(3 * time.Hour)
	again := owner.get(tapped)
	again.says(t, w, "good", "Genuine")
	assert.Contains(t, again.text, "You checked it with this device:")
	assert.Regexp(t, `24 November 2026, 10:42 UTC</time>.*3 hours ago`, again.text)
	owner.language = "it"
	assert.Contains(t, owner.get(tapped).text, "L’hai verificata con questo dispositivo:")

	used := other.get(tapped)
	used.says(t, w, "care", "Used before")
	assert.Regexp(t, `First checked: <time [^>]*>24 November 2026, 10:42 UTC</time>`, used.text)
	assert.Contains(t, used.text, "Hold the phone to the card again")
	assert.NotContains(t, used.text, "Taggiasca", "a copy of a link praises no product")
	other.post(tapped).says(t, w, "care", "Used before")
	assert.Len(t, w.recorded(), 1)
}

func TestRequestThatIsRepeatedGetsItsOwnAnswer(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	owner := w.phone()
	page := owner.get(tapped)
	key := regexp.MustCompile(`name="key" value="([^"]{43})"`).FindStringSubmatch(page.text)
	require.NotNil(t, key)
	first := owner.post(tapped, "key", key[1])
	first.says(t, w, "good", "Genuine")
	assert.Equal(t, first.text, owner.post(tapped, "key", key[1]).text, "pressed twice")
	delete(owner.cookies, "__Host-receipts") // as when the first answer was lost on its way
	assert.Contains(t, owner.get(tapped).text, "Show my answer")
	owner.post(tapped).says(t, w, "good", "Genuine")

	w.now = w.now.Add(time.Hour)
	late := owner.post(tapped)
	late.says(t, w, "good", "Genuine")
	assert.Contains(t, late.text, "You checked it with this device:")

	bare := w.phone()
	bare.post(tapped, "key", key[1]).says(t, w, "good", "Genuine") // the page's own key, where cookies are blocked
	for _, thief := range []string{"", "x", strings.Repeat("A", 43), key[1][1:]} {
		w.phone().post(tapped, "key", thief).says(t, w, "care", "Used before")
	}
	stranger := w.phone()
	stranger.get(w.card.TapAt(99))
	stranger.post(tapped, "key", key[1]).says(t, w, "care", "Used before") // another browser's name counts more than what its form says
	assert.Len(t, w.recorded(), 1)
}

func TestOfFiftyPhonesOneIsFirst(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	titles := make([]string, 50)
	var all sync.WaitGroup
	for i := range titles {
		p := w.phone()
		all.Go(func() {
			titles[i] = regexp.MustCompile(`<title>(.*) · `).FindStringSubmatch(p.post(tapped).text)[1]
		})
	}
	all.Wait()
	count := map[string]int{}
	for _, title := range titles {
		count[title]++
	}
	assert.Equal(t, map[string]int{"Genuine": 1, "Used before": 49}, count)
	assert.Len(t, w.recorded(), 1)
}

func TestCookiesThatWeDidNotMakeAreNone(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	owner := w.phone()
	owner.post(tapped)
	good := owner.cookies["__Host-receipts"]
	require.NotEmpty(t, good)
	for _, forged := range []string{"", "x", "AAAA", good[1:], good[:len(good)-1], "A" + good[1:], good + good, strings.Repeat("A", 4000), "%00", good[:len(good)-2] + "zz"} {
		p := w.phone()
		p.cookies["__Host-receipts"] = forged
		p.get(tapped).says(t, w, "care", "Used before")
	}
	p := w.phone()
	p.cookies["receipts"] = good // without the prefix that a neighbouring host cannot set
	p.get(tapped).says(t, w, "care", "Used before")
	w.now = w.now.Add(31 * 24 * time.Hour)
	owner.get(tapped).says(t, w, "care", "Used before")
}

func TestReceiptsAreBounded(t *testing.T) {
	w := newWorld(t)
	owner := w.phone()
	var tapped []string
	for range maxReceipts + 2 {
		tapped = append(tapped, w.card.Tap())
		owner.post(tapped[len(tapped)-1]).says(t, w, "good", "Genuine")
	}
	assert.Less(t, len(owner.cookies["__Host-receipts"]), 800)
	owner.get(tapped[0]).says(t, w, "care", "Used before")
	owner.get(tapped[2]).says(t, w, "good", "Genuine")
}

func TestGapsAreExplained(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.card.Tap()
	}
	tapped := w.card.Tap()
	p := w.phone()
	assert.Contains(t, p.get(tapped).text, "The card was read 3 times without being checked")
	p.language = "it"
	assert.Contains(t, p.post(tapped).text, "la carta è stata letta 3 volte senza essere verificata")
}

func TestRefusalsSayWhatTheyMean(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	old := w.card.Tap()
	newer := w.card.Tap()
	require.Equal(t, 200, w.phone().post(newer).Code)
	id := w.card.ID().String()
	for address, want := range map[string][2]string{
		old: {"care", "Out of date"},
		"https://tap.example.com/t?i=" + id + "&c=0000000F&s=" + strings.Repeat("A", 86): {"bad", "Not genuine"},
		strings.Replace(old, id, "AAAAAAAAAAAAAAAA", 1):                                  {"bad", "Unknown card"},
		"https://tap.example.com/t?i=" + id:                                              {"open", "No complete link"},
		"https://tap.example.com/t?v=9&i=" + id + "&c=00000001":                          {"open", "Newer than this site"},
		"https://tap.example.com/t?i=" + id + "&c=00000000&x=exhausted":                  {"open", "No proof in this link"},
		"https://tap.example.com/01/09506000134352/21/" + id + "?c=00000001":             {"open", "No complete link"},
	} {
		for _, answer := range []reply{w.phone().get(address), w.phone().post(address)} {
			assert.Equal(t, http.StatusOK, answer.Code)
			answer.says(t, w, want[0], want[1])
			assert.Contains(t, answer.text, `action="/report"`)
			assert.NotContains(t, answer.text, "Taggiasca")
			assert.NotContains(t, answer.text, "data-at-once")
		}
	}
	w.sayTaps(record.CardRevoked{Last: w.card.Counter, State: record.StateRevoked, Reason: "stolen"})
	tapped := w.card.Tap()
	w.phone().post(tapped).says(t, w, "bad", "Withdrawn by its maker")
	assert.Contains(t, w.phone().get(tapped).text, "Ask the maker")
}

func TestWhatIsNotKnownIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	tapped := w.card.Tap()
	p := w.phone()
	w.ledger.away.Store(true)
	for _, answer := range []reply{p.get(tapped), p.post(tapped)} {
		assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
		assert.NotEmpty(t, answer.Header().Get("Retry-After"))
		answer.says(t, w, "open", "We cannot check right now")
		assert.Contains(t, answer.text, "data-at-once")
		assert.NotContains(t, strings.ToLower(answer.text), "counterfeit")
	}
	w.ledger.away.Store(false)
	w.ledger.lose.Store(true)
	answer := p.post(tapped)
	assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
	answer.says(t, w, "open", "Answer still open")
	assert.Contains(t, answer.text, "Ask again")
	w.ledger.lose.Store(false)
	p.post(tapped).says(t, w, "good", "Genuine") // the same request finds its own record
	assert.Len(t, w.recorded(), 1)

	w.tooMany = "look "
	answer = p.get(w.card.Tap())
	assert.Equal(t, http.StatusTooManyRequests, answer.Code)
	assert.Equal(t, "90", answer.Header().Get("Retry-After"))
	answer.says(t, w, "open", "Too many checks")
	assert.Contains(t, answer.text, "Wait 2 minutes and try again.")
}

func TestSlowLedgerIsNotWaitedForForever(t *testing.T) {
	w := newWorld(t)
	w.Patience = 20 * time.Millisecond
	tapped := w.card.Tap()
	p := w.phone()
	w.ledger.slow.Store(true)
	p.get(tapped).says(t, w, "open", "We cannot check right now")
	p.post(tapped).says(t, w, "open", "Answer still open") // as far as is known here
	w.ledger.slow.Store(false)
	w.Patience = time.Minute
	p.post(tapped).says(t, w, "good", "Genuine")
	assert.Len(t, w.recorded(), 1)
}

func TestCardThatAsksForSignInLeadsThere(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{LoginRequired: true})
	tapped := w.card.Tap()
	for _, answer := range []reply{w.phone().get(tapped), w.phone().post(tapped)} {
		answer.says(t, w, "open", "Please sign in first")
		assert.NotContains(t, answer.text, "data-at-once")
		link := regexp.MustCompile(`href="(/office/signin\?next=[^"]*)"`).FindStringSubmatch(answer.text)
		require.NotNil(t, link)
		u, err := url.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
		require.NoError(t, err)
		assert.Equal(t, strings.TrimPrefix(tapped, "https://tap.example.com"), u.Query().Get("next"))
	}
	assert.Empty(t, w.recorded())
	w.actor = identity.NewActor(identity.Human, "anna-id", "Anna", map[channel.ID][]identity.Scope{})
	assert.Contains(t, w.phone().get(tapped).text, "data-at-once")
	w.phone().post(tapped).says(t, w, "good", "Genuine")
	require.Len(t, w.recorded(), 1)
}

// TestNextIsNeverAnotherSite tries paths that a browser takes for another host.
func TestNextIsNeverAnotherSite(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{LoginRequired: true})
	query := w.card.Tap()[strings.Index(w.card.Tap(), "?"):]
	for _, path := range []string{"//evil.example/t", `/\evil.example`, "/%5Cevil.example/", "/%2F/evil.example", "///x"} {
		answer := w.phone()
		q := "https://tap.example.com" + path + query
		text := answer.raw(q)
		for _, m := range regexp.MustCompile(`next=([^"]*)"`).FindAllStringSubmatch(text, -1) {
			next, err := url.QueryUnescape(m[1])
			require.NoError(t, err)
			assert.Regexp(t, `^/([^/\\]|$)`, next, path)
		}
		assert.NotRegexp(t, `(href|action)="//`, text, path)
	}
}

func TestTypedDataSurvives(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: questions()})
	tapped := w.card.Tap()
	p := w.phone()
	empty := p.get(tapped)
	empty.says(t, w, "good", "Genuine so far")
	assert.NotContains(t, empty.text, "data-at-once")
	assert.Contains(t, empty.text, "anyone can read it")
	typed := []string{"field.operator", `North "press" <b>`, "field.kg", "twelve", "field.phase", "pressing", "field.day", "2026-11-24", "field.checked", "on"}
	kept := func(answer reply) {
		t.Helper()
		assert.Contains(t, answer.text, `value="North &#34;press&#34; &lt;b&gt;"`)
		assert.Contains(t, answer.text, `value="twelve"`)
		assert.Contains(t, answer.text, `<option value="pressing" selected>`)
		assert.Contains(t, answer.text, `value="2026-11-24"`)
		assert.Contains(t, answer.text, `value="on" checked`)
	}
	bad := p.post(tapped, typed...)
	bad.says(t, w, "care", "Please look at the form again")
	assert.Regexp(t, `name="field.kg" value="twelve" required aria-invalid="true" aria-describedby="field-kg-hint field-kg-error"`, bad.text)
	assert.Contains(t, bad.text, "Please write a number such as 12.5")
	kept(bad)
	italian := p.post(tapped, append(typed, "lang", "it")...)
	assert.Contains(t, italian.text, "Peso in kg")
	kept(italian)
	assert.Empty(t, w.recorded())

	w.ledger.away.Store(true)
	away := p.post(tapped, typed...)
	assert.Equal(t, http.StatusServiceUnavailable, away.Code)
	assert.Contains(t, away.text, `name="field.kg" value="twelve"`)
	assert.NotContains(t, away.text, "data-at-once", "only a person sends what a person typed")
	w.ledger.away.Store(false)

	typed[3] = "12.5"
	newer := w.card.Tap() // another tap wins meanwhile
	w.phone().post(newer, "field.operator", "Anna", "field.kg", "1").says(t, w, "good", "Genuine")
	p.cookies["lang"] = "en"
	lost := p.post(tapped, typed...)
	lost.says(t, w, "care", "Out of date")
	assert.Contains(t, lost.text, "<dd>12.5</dd>")
	fresh := w.card.Tap()
	assert.Contains(t, p.get(fresh).text, `name="field.kg" value="12.5"`)
	p.post(fresh, typed...).says(t, w, "good", "Genuine")
	assert.Empty(t, p.cookies["__Host-draft"])
	require.Len(t, w.recorded(), 2)
	assert.JSONEq(t, `{"operator":"North \"press\" <b>","kg":12.5,"phase":"pressing","day":"2026-11-24","checked":true}`, string(w.recorded()[1].Payload))
}

func TestFormThatWasRecordedStays(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{Form: questions()})
	tapped := w.card.Tap()
	p := w.phone()
	p.get(tapped)
	w.ledger.lose.Store(true)
	p.post(tapped, "field.operator", "Anna", "field.kg", "1").says(t, w, "open", "Answer still open")
	w.ledger.lose.Store(false)
	p.post(tapped, "field.operator", "Anna", "field.kg", "2").says(t, w, "care", "Recorded with what you sent before")
	p.post(tapped, "field.operator", "Anna", "field.kg", "1").says(t, w, "good", "Genuine")
	require.Len(t, w.recorded(), 1)
	assert.JSONEq(t, `{"operator":"Anna","kg":1,"checked":false}`, string(w.recorded()[0].Payload))
}

func TestTestCardsAreMarked(t *testing.T) {
	w := newWorld(t)
	w.test = true
	tapped := w.card.Tap()
	for _, address := range []string{tapped, "https://tap.example.com/c/" + w.card.ID().String()} {
		assert.Contains(t, w.phone().get(address).text, "Test card: this is a trial")
	}
	for _, answer := range []reply{w.phone().get(tapped), w.phone().post(tapped)} {
		answer.says(t, w, "open", "A test card, and it works")
		assert.Contains(t, answer.text, "Test card: this is a trial")
		assert.NotContains(t, answer.text, "Genuine")
	}
}

func TestEveryCodeHasATone(t *testing.T) {
	for _, code := range []validation.Code{validation.Valid, validation.Recorded, codeMine} {
		assert.Equal(t, "good", toneOf(code))
	}
	for _, code := range []validation.Code{codeUnavailable, codeUncertain, codeTooMany, validation.HistoryLost, validation.Moved, "later"} {
		assert.Equal(t, "open", toneOf(code), "what is not known is neither yes nor no")
	}
}
