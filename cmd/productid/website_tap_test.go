package main

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/host/words"
)

// form is what one of the cards asks for.
const form = `[
  {"name": "place", "label": {"en": "Where is it?", "it": "Dove si trova?"}, "type": "text", "required": true, "maxLength": 60},
  {"name": "state", "label": {"en": "How does it look?", "it": "Com’è?"}, "type": "choice", "options": ["as new", "worn"], "required": true},
  {"name": "grams", "label": {"en": "Weight in grams", "it": "Peso in grammi"}, "type": "number"},
  {"name": "seen", "label": {"en": "Seen on", "it": "Visto il"}, "type": "date"},
  {"name": "sealed", "label": {"en": "The seal is whole", "it": "Il sigillo è integro"}, "type": "checkbox"}
]`

// TestWebsite tells the stories of people at the website, with one service, one browser and several cards.
func TestWebsite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "form.json")
	require.NoError(t, os.WriteFile(file, []byte(form), 0o600))
	plain, asks, login, quiet := &readCard{name: "plain"}, &readCard{name: "form", settings: []string{"--form", file}},
		&readCard{name: "login", settings: []string{"--login-required"}}, &readCard{name: "quiet"}
	shared, crowd := &readCard{name: "shared"}, &readCard{name: "crowd"}
	w := putTogether(t, plain, asks, login, quiet, shared, crowd)
	operator := w.tab(browsertest.Desktop, "en")
	w.firstOwner(operator)
	w.cardsLife(operator, plain)
	w.formStory(asks)
	w.loginStory(operator, login)
	w.withoutScripts(quiet)
	w.previews(shared)
	w.agents(crowd)
	w.fifty(crowd)
	w.everyPage(operator, plain, asks, login, quiet)
}

// cardsLife: a tap is valid and recorded at once, known to its phone, used for every other, good for one visit to the shop; and no tap
// of the card is good any more when its operator has revoked it.
func (w *website) cardsLife(operator *browsertest.Tab, c *readCard) {
	first := w.at(c.tap())
	phone := w.tab(browsertest.Phone, "en")
	phone.Go(first)
	phone.WaitText(says("en", "recorded"))
	w.look(phone, "tap-recorded")
	phone.Reload()
	phone.WaitText(says("en", "mine"))
	w.look(phone, "tap-mine")

	second := w.tab(browsertest.Phone, "it")
	second.Go(first)
	second.WaitText(says("it", "already_used"))
	w.look(second, "tap-already-used-it")

	phone.Click(`a[href^="/go/"]`)
	phone.Wait("#owner")
	w.look(phone, "shop-owner-visit")
	assert.Contains(w.t, phone.Text("#owner"), c.id.String())
	arrived := phone.At()
	assert.True(w.t, strings.HasPrefix(arrived, w.shop+"/?productid="), arrived)
	phone.Reload()
	phone.WaitText(words.For("", "en").T("shop.spent"))
	assert.NotContains(w.t, phone.Text("main"), c.id.String(), "the shop shows what everybody sees")

	w.revoke(operator, c)
	phone.Go(w.at(c.tap()))
	phone.WaitText(says("en", "revoked"))
	w.look(phone, "tap-revoked")
}

// formStory: looking at a form and leaving it writes nothing; another tap wins meanwhile, what was typed survives, and stands in the
// record of the next tap.
func (w *website) formStory(c *readCard) {
	slow, fast := w.tab(browsertest.Phone, "en"), w.tab(browsertest.Phone, "it")
	early := w.at(c.tap())
	slow.Go(early)
	slow.Wait("#field-place")
	w.look(slow, "form")
	before := w.info(c).Recorded
	slow.Go(w.base + "/")
	assert.Equal(w.t, before, w.info(c).Recorded, "a form that nobody sent")

	slow.Go(early)
	fill(slow, "place", "a shelf in <Bergamo>")
	fill(slow, "state", "worn")
	fast.Go(w.at(c.tap()))
	fast.Wait("#field-place")
	w.look(fast, "form-it")
	fast.Click("#ask button.whole")
	fast.Wait("#ask") // the browser itself asks for what is needed
	fill(fast, "place", "Como")
	fill(fast, "state", "as new")
	fill(fast, "grams", "41.5")
	fill(fast, "seen", "2026-11-24")
	fast.Click("#field-sealed")
	fast.Click("#ask button.whole")
	fast.WaitText(says("it", "recorded"))

	slow.Click("#ask button.whole")
	slow.WaitText(says("en", "superseded"))
	assert.Contains(w.t, slow.Text("main"), "a shelf in <Bergamo>", "what was typed is not lost")
	w.look(slow, "form-superseded")
	slow.Go(w.at(c.tap()))
	slow.Wait("#field-place")
	assert.Equal(w.t, "a shelf in <Bergamo>", slow.Eval(`document.querySelector('#field-place').value`))
	assert.Equal(w.t, "worn", slow.Eval(`document.querySelector('#field-state').value`))
	slow.Click("#ask button.whole")
	slow.WaitText(says("en", "recorded"))
	w.look(slow, "form-recorded")
	assert.Equal(w.t, before+2, w.info(c).Recorded)
	taps := w.cli("--json", "channel", "read", w.info(c).Capability)
	assert.Contains(w.t, taps, "a shelf in <Bergamo>")
	assert.Contains(w.t, taps, `"grams":41.5`)
}

// loginStory: a card that wants to know who taps it records for nobody else.
func (w *website) loginStory(operator *browsertest.Tab, c *readCard) {
	phone := w.tab(browsertest.Phone, "en")
	tapped := w.at(c.tap())
	phone.Go(tapped)
	phone.WaitText(says("en", "login_required"))
	w.look(phone, "tap-login")
	phone.Click(`a[href^="/office/signin"]`)
	phone.Wait("form[data-passkey]")
	w.look(phone, "signin-phone")
	operator.Go(tapped)
	operator.WaitText(says("en", "recorded"))
	phone.Go(tapped)
	phone.WaitText(says("en", "already_used"))
}

// withoutScripts: the button records.
func (w *website) withoutScripts(c *readCard) {
	phone := w.tab(browsertest.Phone, "en")
	phone.WithoutScripts()
	tapped := w.at(c.tap())
	phone.Go(tapped)
	phone.Wait(".verdict.good")
	assert.Contains(w.t, phone.Text("main"), says("en", "valid"))
	phone.Screenshot("plain-valid")
	phone.Click("#ask button.whole")
	phone.Wait(".verdict.good .fact")
	assert.Contains(w.t, phone.Text("main"), says("en", "recorded"))
	phone.Screenshot("plain-recorded")
	phone.Go(tapped)
	phone.Wait(".verdict.good .fact")
	assert.Contains(w.t, phone.Text("main"), says("en", "mine"))
}

// previews: who looks uses nothing up, however often.
func (w *website) previews(c *readCard) {
	tapped := w.at(c.tap())
	for range 20 {
		status, _ := w.send(http.MethodGet, tapped, nil, nil)
		assert.Equal(w.t, http.StatusOK, status)
	}
	status, _ := w.send(http.MethodHead, tapped, nil, nil)
	assert.Equal(w.t, http.StatusOK, status)
	w.stillGood(tapped)
}

// agents: those who fetch a link before somebody reads it use nothing up, by whatever name they come.
func (w *website) agents(c *readCard) {
	tapped := w.at(c.tap())
	for _, header := range []map[string]string{
		{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}, {"X-Purpose": "preview"},
		{"User-Agent": "WhatsApp/2.23.20.0"}, {"User-Agent": "facebookexternalhit/1.1"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"},
		{"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, {"User-Agent": "TelegramBot (like TwitterBot)"},
	} {
		status, text := w.send(http.MethodGet, tapped, header, nil)
		assert.Equal(w.t, http.StatusOK, status)
		assert.NotContains(w.t, text, "data-at-once", "%v: nothing that scripts would send", header)
	}
	status, _ := w.send(http.MethodPost, tapped, map[string]string{"Sec-Purpose": "prefetch"}, url.Values{"do": {"record"}})
	assert.Equal(w.t, http.StatusOK, status)
	w.stillGood(tapped)
}

// stillGood wants that a tap counts for the first who comes with a phone.
func (w *website) stillGood(tapped string) {
	w.t.Helper()
	phone := w.tab(browsertest.Phone, "en")
	phone.Go(tapped)
	phone.WaitText(says("en", "recorded"))
}

// fifty: of many who send the same tap at once, one records it.
func (w *website) fifty(c *readCard) {
	tapped := w.at(c.tap())
	var recorded, used atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, text := w.send(http.MethodPost, tapped, nil, url.Values{"do": {"record"}})
			switch {
			case strings.Contains(text, says("en", "recorded")):
				recorded.Add(1)
			case strings.Contains(text, says("en", "already_used")):
				used.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(w.t, 1, recorded.Load())
	assert.EqualValues(w.t, 49, used.Load())
}

// send asks as a program that nobody knows, and returns the status and the page.
func (w *website) send(method, address string, header map[string]string, form url.Values) (int, string) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if !assert.NoError(w.t, err) {
		return 0, ""
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(r)
	if !assert.NoError(w.t, err) {
		return 0, ""
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	assert.NoError(w.t, err)
	return a.StatusCode, html.UnescapeString(string(text))
}

// info is what everybody may know of a card.
func (w *website) info(c *readCard) wire.CardInfo {
	asked, err := client.New(client.Options{Server: w.base})
	require.NoError(w.t, err)
	v, err := asked.CardInfo(w.t.Context(), c.id)
	require.NoError(w.t, err)
	return v
}

// fill puts a value into a field of a tap's form.
func fill(tab *browsertest.Tab, field, value string) {
	tab.Eval(`(f => { f.value = ` + strconv.Quote(value) + `; f.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector('#field-` + field + `'))`)
}
