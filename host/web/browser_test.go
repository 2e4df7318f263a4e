package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/pkg/record"
)

// serve has the website listen, and returns where.
func (w *world) serve() string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	require.NoError(w.t, err)
	w.openSite(base)
	return server.URL
}

// at returns a card's address on the server under test.
func at(server, tapped string) string {
	return server + strings.TrimPrefix(tapped, "https://tap.example.com")
}

func TestPageChecksByItself(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	w.sell(false)
	server, tapped := w.serve(), w.card.Tap()
	owner := browser.Tab(t, browsertest.Phone, "en")
	owner.Go(at(server, tapped))
	owner.WaitText("Taggiasca")
	assert.Equal(t, "Genuine", owner.Text("h1"))
	assert.Len(t, w.recorded(), 1)
	owner.Check()
	owner.Screenshot("recorded")
	owner.Dark(true)
	owner.Screenshot("recorded-dark")
	owner.Dark(false)
	owner.Reload()
	owner.WaitText("You checked it with this device")
	owner.Check()
	owner.Screenshot("mine")

	other := browser.Tab(t, browsertest.Phone, "it")
	other.Go(at(server, tapped))
	other.WaitText("Già usata")
	other.Check()
	other.Screenshot("used-it")
	other.Dark(true)
	other.Check()
	other.Screenshot("used-it-dark")
	assert.Len(t, w.recorded(), 1)
}

func TestPageAsksAgainUntilTheAnswerIsThere(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	server := w.serve()
	tapped := w.card.Tap()
	w.ledger.away.Store(true)
	p := browser.Tab(t, browsertest.Phone, "en")
	p.Go(at(server, tapped))
	p.WaitText("Checking …")
	p.Check()
	p.Screenshot("checking")
	time.Sleep(time.Second)
	w.ledger.away.Store(false)
	p.WaitText("This is the original card")
	assert.Len(t, w.recorded(), 1)
}

func TestPageWithoutScripts(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	server, tapped := w.serve(), w.card.Tap()
	p := browser.Tab(t, browsertest.Narrow, "en")
	p.WithoutScripts()
	p.Go(at(server, tapped))
	p.WaitText("Genuine so far")
	p.Screenshot("plain")
	p.Click("#ask button")
	p.WaitText("This is the original card")
	assert.Len(t, w.recorded(), 1)
}

func TestFormInTheBrowser(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	w.set(record.Settings{Form: questions()})
	server := w.serve()
	p := browser.Tab(t, browsertest.Phone, "en")
	p.Go(at(server, w.card.Tap()))
	p.Wait("#field-kg")
	p.Check()
	p.Screenshot("form")
	p.Type("#field-operator", "North press")
	p.Type("#field-kg", "twelve")
	p.Click("#ask button.whole")
	p.WaitText("Please write a number")
	p.Check()
	p.Screenshot("form-error")
	p.Click(`.languages button[value="it"]`)
	p.WaitText("Peso in kg")
	assert.Equal(t, "twelve", p.Eval(`document.querySelector("#field-kg").value`))
	assert.Empty(t, w.recorded())
}

// TestEveryPageIsFitForEverybody looks each page over, in both languages, light and dark, on a phone, a narrow one and a desktop.
func TestEveryPageIsFitForEverybody(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	w.sell(false)
	server := w.serve()
	id := w.card.ID().String()
	pages := map[string]string{
		"home": "/", "check": "/check", "privacy": "/privacy", "problems": "/problems/", "problem": "/problems/already_used", "report": "/report",
		"certificate": "/c/" + id, "nocard": "/c/AAAAAAAAAAAAAAAA", "nowhere": "/nowhere", "closed": "/go/" + id + "/1",
		"package": "/product/09506000134352?10=A%2F7&21=" + id, "package-unknown": "/01/09520123456788",
		"counterfeit": "/t?i=" + id + "&c=0000000F&s=" + strings.Repeat("A", 86), "malformed": "/t?i=" + id, "unknown": "/t?i=AAAAAAAAAAAAAAAA&c=0000000F&s=" + strings.Repeat("A", 86),
	}
	for _, reader := range []struct {
		device   browsertest.Device
		language string
		dark     bool
	}{{browsertest.Phone, "en", false}, {browsertest.Phone, "it", true}, {browsertest.Narrow, "it", false}, {browsertest.Desktop, "en", true}, {browsertest.Desktop, "it", false}} {
		p := browser.Tab(t, reader.device, reader.language)
		p.Dark(reader.dark)
		for name, path := range pages {
			p.Go(server + path)
			p.Wait("h1")
			p.Check()
			p.Screenshot(name + "-" + reader.language)
			if name == "certificate" {
				assert.Equal(t, server+path+"/bundle", p.QR(), "dark %t", reader.dark)
			}
		}
	}
}
