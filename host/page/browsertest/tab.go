package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Device is what a person looks at the pages with.
type Device struct {
	Name          string
	Width, Height int64
	Mobile        bool
}

// The devices that pages are looked at on.
var (
	Phone   = Device{"phone", 390, 844, true}
	Desktop = Device{"desktop", 1280, 800, false}
	Narrow  = Device{"narrow", 320, 568, true} // WCAG 2.2, 1.4.10: reflow
)

// Tab is one person's browser. Each method fails the test when the page does not come to what it waits for.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	axe    string
	device Device

	mu      sync.Mutex
	foreign []string // requests to hosts other than the page's own
}

// watch notes in the page what its content security policy kept from happening.
const watch = `window.__kept = []; document.addEventListener('securitypolicyviolation', e => window.__kept.push(e.violatedDirective + ' ' + e.blockedURI))`

// Tab opens a tab with no cookies, for somebody who reads this language ("en", "it"); it closes with the test.
func (b *Browser) Tab(t testing.TB, d Device, language string) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	tab := &Tab{t: t, ctx: ctx, axe: b.axe}
	tab.On(d)
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	tab.must("watching the policy", err)
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	tab.must("watching requests", err)
	_, err = chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
	tab.must("choosing the language", err)
	tab.must("watching requests", chromedp.Listen(ctx, tab.note))
	return tab
}

// On has the person take another device, with the same cookies.
func (tab *Tab) On(d Device) {
	tab.t.Helper()
	tab.device = d
	options := []chromedp.EmulateViewportOption{}
	if d.Mobile {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	tab.must("taking a device", chromedp.Do(tab.ctx, chromedp.EmulateViewport(d.Width, d.Height, options...)))
}

// note keeps requests that go to another host than their document's.
func (tab *Tab) note(event any) {
	e, is := event.(*network.EventRequestWillBeSent)
	if !is || e.Request == nil || e.DocumentURL == e.Request.URL {
		return
	}
	from, err := url.Parse(e.DocumentURL)
	to, err2 := url.Parse(e.Request.URL)
	if err != nil || err2 != nil || from.Host == to.Host || to.Scheme == "data" {
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.foreign = append(tab.foreign, e.Request.URL)
}

func (tab *Tab) must(what string, err error) {
	tab.t.Helper()
	if err != nil {
		tab.t.Fatalf("%s: %v\n%s", what, err, tab.where())
	}
}

// where says what the tab shows, for the message of a test that failed.
func (tab *Tab) where() string {
	ctx, cancel := context.WithTimeout(tab.ctx, patience/6)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return ""
	}
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText.slice(0, 1500) : ''`))
	return at + "\n" + text
}

func (tab *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	tab.must(what, chromedp.Do(ctx, steps...))
}

// Go opens a URL.
func (tab *Tab) Go(address string) {
	tab.t.Helper()
	tab.do("opening "+address, chromedp.Navigate(address))
}

// Reload loads the page again.
func (tab *Tab) Reload() {
	tab.t.Helper()
	tab.do("loading again", chromedp.Reload())
}

// Wait waits until the element that a CSS selector finds is to be seen.
func (tab *Tab) Wait(selector string) {
	tab.t.Helper()
	tab.do("waiting for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// WaitText waits until the page shows a text.
func (tab *Tab) WaitText(text string) {
	tab.t.Helper()
	quoted, err := json.Marshal(text)
	tab.must("quoting", err)
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	// A page that is being left cannot be asked, so an error is asked again as well.
	shows := fmt.Sprintf(`Boolean(document.body && document.body.innerText.includes(%s))`, quoted)
	for found := false; !found; {
		found, err = chromedp.Run(ctx, chromedp.Evaluate[bool](shows))
		if ctx.Err() != nil {
			tab.must(fmt.Sprintf("waiting for the text %q", text), ctx.Err())
		}
		if !found || err != nil {
			found = false
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// Click clicks the element that a CSS selector finds.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type types into a field.
func (tab *Tab) Type(selector, text string) {
	tab.t.Helper()
	tab.do("typing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Text returns what an element shows.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	tab.must("reading "+selector, err)
	return text
}

// At returns the URL of the page.
func (tab *Tab) At() string {
	tab.t.Helper()
	at, err := chromedp.Run(tab.ctx, chromedp.Location())
	tab.must("reading the address", err)
	return at
}

// Eval returns the value of a JavaScript expression as a string.
func (tab *Tab) Eval(expression string) string {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	tab.must("evaluating "+expression, err)
	return value
}

// WithoutScripts keeps every page from running its scripts from now on.
func (tab *Tab) WithoutScripts() {
	tab.t.Helper()
	_, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	tab.must("turning scripts off", err)
}

// Dark makes pages believe that the person prefers dark colours, or light ones.
func (tab *Tab) Dark(dark bool) {
	tab.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	tab.must("choosing colours", err)
}

// Authenticator gives the person a device that holds passkeys and knows him by his finger.
func (tab *Tab) Authenticator() {
	tab.t.Helper()
	_, err := chromedp.Call(tab.ctx, webauthn.Enable, webauthn.EnableParams{})
	tab.must("turning passkeys on", err)
	_, err = chromedp.Call(tab.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	tab.must("adding an authenticator", err)
}

// Screenshot keeps the whole page as NAME-DEVICE.png in the folder of PRODUCTID_SCREENSHOTS.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	folder := os.Getenv("PRODUCTID_SCREENSHOTS")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	tab.must("taking a screenshot", err)
	tab.must("keeping a screenshot", os.MkdirAll(folder, 0o755))
	tab.must("keeping a screenshot", os.WriteFile(filepath.Join(folder, name+"-"+tab.device.Name+".png"), picture, 0o644))
}

// Check looks the page over: no violation of WCAG 2.2 A and AA or of good practice that axe-core finds, nothing wider than the screen,
// nothing that the page's own content security policy had to stop, nothing asked of another host.
func (tab *Tab) Check() {
	tab.t.Helper()
	for _, found := range []string{tab.violations(), tab.overflow(), tab.kept()} {
		if found != "" {
			tab.t.Errorf("%s: %s", tab.At(), found)
		}
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if len(tab.foreign) > 0 {
		tab.t.Errorf("requests to other hosts: %s", strings.Join(tab.foreign, " "))
	}
}

// violations runs axe-core and lists what it finds, a line each.
func (tab *Tab) violations() string {
	tab.t.Helper()
	const run = `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ' (' + v.impact + '): ' + v.help + ' at ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.html.slice(0, 120)).join(' | ')).join('\n'))`
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`'axe' in window`))
	if err == nil && !there {
		_, err = chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](tab.axe))
	}
	tab.must("loading axe-core", err)
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	tab.must("running axe-core", err)
	return found
}

func (tab *Tab) overflow() string {
	tab.t.Helper()
	const widest = `(() => {
		const width = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= width) return '';
		const within = e => { for (let p = e.parentElement; p !== null && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true; return false };
		const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1 && !within(e));
		return wide.slice(0, 5).map(e => 'wider than the screen: ' + e.outerHTML.slice(0, 100)).join('\n') || 'wider than the screen';
	})()`
	return tab.Eval(widest)
}

func (tab *Tab) kept() string {
	tab.t.Helper()
	return tab.Eval(`(window.__kept || []).map(k => 'stopped by the policy: ' + k).join('\n')`)
}
