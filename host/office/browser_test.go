package office_test

import (
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page/browsertest"
)

// served is a populated world and its address, to which passkeys are bound.
func served(t *testing.T) (*world, string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	w := newWorldAt(t, "http://localhost:"+port)
	w.populate()
	server := httptest.NewUnstartedServer(w.handler)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return w, w.address
}

// shownPages are all pages that somebody can look at, by the name of their screenshot.
func (w *world) shownPages() map[string]string {
	return map[string]string{
		"overview": "/", "cards": "/cards", "cards-none": "/cards?q=nothing", "card": "/cards/" + w.bell.cards[0].ID().String(),
		"card-revoked": "/cards/" + w.bell.cards[2].ID().String(), "taps": "/taps", "alarms": "/alarms", "reports": "/reports", "reports-unknown": "/reports?unknown=1",
		"channels": "/channels", "products": "/products", "product": "/products/new", "issuer": "/issuer", "keys": "/keys", "notices": "/notices", "people": "/people",
		"audit": "/audit", "system": "/system", "not-found": "/cards/AAAAAAAAAAAAAAAA",
	}
}

// An owner comes in by the link, makes his passkey, looks at everything, leaves and comes back.
func TestOfficeInABrowser(t *testing.T) {
	b := browsertest.Open(t)
	w, address := served(t)
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Owner, "Ada Bianchi", time.Hour)
	require.NoError(t, err)
	tab := b.Tab(t, browsertest.Desktop, "en")
	tab.Authenticator()
	tab.Go(address + "/office/setup#" + v.Token.Reveal())
	tab.Check()
	tab.Screenshot("office-setup")
	tab.Click("form[data-passkey] button")
	tab.Wait("#codes")
	tab.Check()
	tab.Screenshot("office-codes")
	tab.Click("main a.button")
	tab.Wait(".figures")
	tab.Go(address + "/office/account")
	tab.Check()
	tab.Screenshot("office-account")
	tab.Click(".account button")
	tab.Wait(".flash.good")
	tab.Check()
	tab.Screenshot("office-signin")
	tab.Click("form[data-passkey] button")
	tab.Wait(".figures")
}

// Every page, on three devices, in two languages, light and dark.
func TestEveryPageIsGoodToLookAt(t *testing.T) {
	b := browsertest.Open(t)
	w, address := served(t)
	for _, look := range []struct {
		device   browsertest.Device
		language string
		dark     bool
	}{{browsertest.Desktop, "en", false}, {browsertest.Phone, "it", true}, {browsertest.Narrow, "en", true}, {browsertest.Desktop, "it", true}} {
		t.Run(look.device.Name+" "+look.language, func(t *testing.T) {
			tab := b.Tab(t, look.device, look.language)
			tab.Dark(look.dark)
			tab.Authenticator()
			v, err := w.people.Invite(t.Context(), w.bell.id, identity.Owner, "Ada Bianchi", time.Hour)
			require.NoError(t, err)
			tab.Go(address + "/office/setup#" + v.Token.Reveal())
			tab.Click("form[data-passkey] button")
			tab.Wait("#codes")
			for name, path := range w.shownPages() {
				tab.Go(address + w.in(path))
				tab.Check()
				tab.Screenshot("office-" + name + "-" + look.language)
			}
		})
	}
}

// Who signed in a while ago shows once more who he is before he adds a passkey, and is back where he was.
func TestSigningInOnceMoreInABrowser(t *testing.T) {
	b := browsertest.Open(t)
	w, address := served(t)
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Owner, "Ada Bianchi", time.Hour)
	require.NoError(t, err)
	tab := b.Tab(t, browsertest.Desktop, "en")
	tab.Authenticator()
	tab.Go(address + "/office/setup#" + v.Token.Reveal())
	tab.Click("form[data-passkey] button")
	tab.Wait("#codes")
	w.mu.Lock()
	w.now = w.now.Add(identity.FreshFor + time.Minute)
	w.mu.Unlock()
	tab.Go(address + "/office/account")
	tab.Click("form[data-passkey] button")
	tab.WaitText("Sign in once more")
	tab.Wait("form[action='/office/signin']")
	tab.Check()
	tab.Click("form[data-passkey] button")
	tab.Wait("#own-name")
	tab.Check()
}
