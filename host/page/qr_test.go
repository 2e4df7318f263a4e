package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// links are URLs of every form that a QR code of ours may lead to, from the shortest to the longest.
func links() map[string]string {
	p256, rsa := taptest.NewCard("card"), taptest.NewRSACard("card")
	const host = "https://a.long.name.of.a.host.example.com:8443/with/a/path"
	longest := tap.Template{Prefix: host + "?lang=en&i=", Middle: "&from=" + strings.Repeat("m", 36) + "&c="}
	id := p256.ID().String()
	all := map[string]string{
		"shortest":        "https://h/",
		"certificate":     "https://id.example.com/c/" + id,
		"bundle":          "https://id.example.com/c/" + id + "/bundle",
		"GS1":             "https://id.example.com/01/09520123456788/21/" + id,
		"GS1 with lot":    "https://id.example.com/01/09520123456788/10/LOT%2F2026%21A/21/" + id,
		"invitation":      "https://id.example.com/join#" + strings.Repeat("A1b2_-", 8),
		"P-256 tap":       p256.Tap(),
		"RSA tap":         rsa.Tap(),
		"percent, others": "https://id.example.com/p?name=Olio%20d%E2%80%99oliva&x=~.-_!$'()*+,;=:@/?",
	}
	for _, card := range []*taptest.Card{p256, rsa} {
		card.Template = longest
		all["longest "+card.Key().Algorithm().String()+" tap"] = card.Tap()
	}
	return all
}

// TestQRCodesAreReadByOthers looks at codes as a page shows them, and lets zbarimg read them.
func TestQRCodesAreReadByOthers(t *testing.T) {
	browser := browsertest.Open(t)
	statics, pages := assets(t), renderer(t)
	all := links()
	mux := http.NewServeMux()
	mux.HandleFunc("/code/{name}", func(w http.ResponseWriter, q *http.Request) {
		pages.Render(w, q, http.StatusOK, "code", all[q.PathValue("name")])
	})
	mux.Handle("/", statics)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	tab := browser.Tab(t, browsertest.Phone, "en")
	for _, device := range []browsertest.Device{browsertest.Phone, browsertest.Narrow, browsertest.Desktop} {
		tab.On(device)
		for _, dark := range []bool{false, true} {
			tab.Dark(dark)
			for name, text := range all {
				tab.Go(server.URL + "/code/" + strings.ReplaceAll(name, " ", "%20"))
				assert.Equal(t, text, tab.QR(), "%s (%d bytes) on a %s, dark %t", name, len(text), device.Name, dark)
			}
		}
	}
}
