package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/host/words"
)

// firstOwner: the set-up link makes a passkey and shows recovery codes; then somebody is signed in, and the link is spent.
func (w *website) firstOwner(tab *browsertest.Tab) {
	tab.Authenticator()
	enrol(w, tab, w.setup)
	other := w.tab(browsertest.Desktop, "en")
	other.Authenticator()
	other.Go(w.setup)
	other.Click("form[data-passkey] button")
	other.Wait(".error[data-problem]:not([hidden])")
	w.look(other, "setup-spent")

	tab.Click(`form[action="/office/signout"] button`)
	tab.Wait("form[data-passkey=get]")
	w.look(tab, "signin")
	tab.Click("form[data-passkey=get] button")
	tab.Wait(".office-menu")
}

// enrol opens a set-up link, makes a passkey and comes in.
func enrol(w *website, tab *browsertest.Tab, link string) {
	w.t.Helper()
	tab.Go(link)
	tab.Wait("form[data-passkey=create]")
	w.look(tab, "setup")
	tab.Click("form[data-passkey=create] button")
	tab.Wait("#codes")
	w.look(tab, "recovery-codes")
	assert.GreaterOrEqual(w.t, len(strings.Fields(tab.Text("#codes"))), 8)
	tab.Click(`main a[href="/office/"]`)
	tab.Wait(".office-menu")
}

// revoke withdraws a card in the office.
func (w *website) revoke(operator *browsertest.Tab, c *readCard) {
	operator.Go(w.office("/cards/" + c.id.String()))
	operator.Wait("#life")
	operator.Eval(`document.querySelectorAll('details').forEach(d => d.open = true)`)
	w.look(operator, "office-card-forms")
	operator.Eval(`document.querySelector('#reason').value = 'stolen'`)
	operator.Type("#detail", "reported to the police")
	operator.Type("#confirm", c.id.String())
	operator.Click(`form[action$="/revoke"] button`)
	operator.Wait(".flash.good")
	w.look(operator, "office-card-revoked")
}

// office is the address of an operators' page.
func (w *website) office(path string) string { return w.base + "/office/i/" + w.issuer + path }

// look looks the page over and keeps a picture of it.
func (w *website) look(tab *browsertest.Tab, name string) {
	w.t.Helper()
	tab.Check()
	tab.Screenshot(name)
}

// refusals are taps that are no good, by the answer that they get.
func (w *website) refusals(c *readCard) map[string]string {
	good := w.at(c.tap())
	return map[string]string{
		"bad_signature":       strings.Replace(good, "&s="+good[len(good)-86:], "&s="+strings.Repeat("A", 86), 1),
		"malformed_url":       strings.Split(good, "&s=")[0],
		"unknown_card":        w.base + "/t?i=AAAAAAAAAAAAAAAA&c=00000001&s=" + good[len(good)-86:],
		"unsigned_url":        w.base + "/t?i=" + c.id.String() + "&c=00000000&x=exhausted",
		"unsigned_unknown":    w.base + "/t?i=AAAAAAAAAAAAAAAA&c=00000000&x=challenge",
		"unsupported_version": good + "&v=2",
	}
}

// everyPage looks over what there is to see, on each device and in both languages; nothing is wider than 320 pixels.
func (w *website) everyPage(operator *browsertest.Tab, cards ...*readCard) {
	certificate := "/c/" + cards[1].id.String()
	public := map[string]string{
		"home": "/", "privacy": "/privacy", "check": "/check", "certificate": certificate, "certificate-revoked": "/c/" + cards[0].id.String(),
		"no-card": "/c/AAAAAAAAAAAAAAAA", "report": "/report", "problems": "/problems/", "not-found": "/nowhere", "way-closed": "/go/" + cards[1].id.String() + "/1",
		"signin": "/office/signin", "setup": "/office/setup", "office-not-found": "/office/nowhere",
	}
	for code, at := range w.refusals(cards[3]) {
		public["tap-"+strings.ReplaceAll(code, "_", "-")] = strings.TrimPrefix(at, w.base)
	}
	office := map[string]string{"overview": "/", "cards": "/cards", "card": "/cards/" + cards[1].id.String(), "taps": "/taps", "alarms": "/alarms", "reports": "/reports",
		"products": "/products", "product": "/products/new", "issuer": "/issuer", "notices": "/notices", "keys": "/keys", "people": "/people", "audit": "/audit",
		"channels": "/channels", "system": "/system"}
	inside := map[string]string{"account": w.base + "/office/account"}
	for name, path := range office {
		inside[name] = w.office(path)
	}
	for _, language := range words.Languages() {
		stranger := w.tab(browsertest.Phone, language)
		for name, path := range public {
			w.onEveryDevice(stranger, name, language, w.base+path)
		}
		for _, code := range words.Problems() {
			stranger.Go(w.base + "/problems/" + code)
			stranger.Check()
		}
		operator.Go(w.base + "/office/account?lang=" + language)
		for name, at := range inside {
			w.onEveryDevice(operator, "office-"+name, language, at)
		}
	}
}

// onEveryDevice opens a page and looks it over on each device, and where it is English in dark colours, too.
func (w *website) onEveryDevice(tab *browsertest.Tab, name, language, at string) {
	w.t.Helper()
	tab.On(browsertest.Phone)
	tab.Go(at)
	for _, d := range []browsertest.Device{browsertest.Phone, browsertest.Desktop, browsertest.Narrow} {
		tab.On(d)
		tab.Check()
		if d == browsertest.Narrow {
			continue
		}
		tab.Screenshot(name + "-" + language)
		if language == "en" && d == browsertest.Phone {
			tab.Dark(true)
			tab.Check()
			tab.Screenshot(name + "-dark")
			tab.Dark(false)
		}
	}
	assert.Equal(w.t, language, tab.Eval("document.documentElement.lang"), at)
}

var shell = regexp.MustCompile("(?s)## Run the service\n.*?```\n(.*?)```")

// TestThreeCommands holds the README to its word: build, serve, and open the link is all until somebody is signed in.
func TestThreeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	block := shell.FindSubmatch(readme)
	require.NotNil(t, block, "README.md has no commands under Run the service")
	commands := strings.Split(strings.TrimSpace(string(block[1])), "\n")
	require.Len(t, commands, 2, "the third is to open the link")
	assert.Equal(t, "make build", strings.TrimSpace(strings.Split(commands[0], "#")[0]))
	assert.Equal(t, "bin/productid serve", strings.TrimSpace(strings.Split(commands[1], "#")[0]))

	folder := t.TempDir()
	t.Setenv("XDG_STATE_HOME", filepath.Join(t.TempDir(), "state"))
	w := &website{t: t, browser: browsertest.Open(t)}
	began := time.Now()
	first := serveProcess(t, folder)
	said := time.Since(began)
	require.Eventually(t, func() bool {
		a, err := http.Get(first.URL + "/readyz")
		if err != nil {
			return false
		}
		defer a.Body.Close()
		return a.StatusCode == http.StatusOK
	}, time.Minute, 10*time.Millisecond)
	ready := time.Since(began)
	seen(t, fmt.Sprintf("in an empty folder the service says its address after %v and is ready after %v", said.Round(time.Millisecond), ready.Round(time.Millisecond)))
	assert.Less(t, ready, 10*time.Second, "2 s on a machine that has nothing else to do")
	require.Len(t, first.Setup, 1)
	tab := w.tab(browsertest.Desktop, "en")
	tab.Authenticator()
	enrol(w, tab, first.Setup[0].Link)
	w.look(tab, "office-first-day")
}

// seen logs what a test measured, and adds it to the file that the environment names for that.
func seen(t *testing.T, what string) {
	t.Helper()
	t.Log(what)
	name := os.Getenv("PRODUCTID_REPORT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = fmt.Fprintf(f, "%s: %s\n", t.Name(), what)
	require.NoError(t, errors.Join(err, f.Close()))
}
