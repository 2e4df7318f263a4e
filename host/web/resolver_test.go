package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

const (
	onPackage = "https://tap.example.com/01/09506000134352"
	oilPage   = "https://borgo.example.com/oil"
)

// addCard registers a card whose URLs are of a template, and puts it in service.
func (w *world) addCard(name, serial string, template tap.Template) *taptest.Card {
	w.t.Helper()
	require.NoError(w.t, template.Check())
	card := taptest.NewCard(name)
	card.Template = template
	author, err := w.authors.Taps(w.issuer, card.ID())
	require.NoError(w.t, err)
	require.NoError(w.t, w.ledger.List(w.t.Context(), w.issuer, author.Channel()))
	registered := recordtest.Registered(card, w.issuer, author.Channel())
	registered.Serial = serial
	w.say(w.chain.Say(recordtest.Body(registered)))
	m, err := author.Sign(channel.Draft{Time: w.now, Body: recordtest.Body(recordtest.InService(card.Counter))})
	require.NoError(w.t, err)
	w.say(m)
	require.NoError(w.t, w.registry.Sync(w.t.Context()))
	return card
}

// TestTapsOnDigitalLinksAreTaps: with the card's id as serial number, and with one beside it.
func TestTapsOnDigitalLinksAreTaps(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	for name, template := range map[string]tap.Template{
		"its id is the serial": {Prefix: onPackage + "/21/", Middle: "?c="},
		"behind a lot":         {Prefix: onPackage + "/10/A%2F7/21/", Middle: "?c="},
		"a serial of its own":  {Prefix: onPackage + "/21/4711?i=", Middle: "&c="},
		"below a path":         {Prefix: "https://tap.example.com/shop/01/09506000134352/21/", Middle: "?c="},
	} {
		card := w.addCard(name, "4711", template)
		tapped := card.Tap()
		p := w.phone()
		assert.Contains(t, p.get(tapped).text, "<h1>Genuine so far</h1>", name)
		assert.Contains(t, p.post(tapped).text, "<h1>Genuine</h1>", name)
		assert.Contains(t, w.phone().get(tapped).text, "<h1>Used before</h1>", name)
		w.says(t, w.phone().post(strings.Replace(card.Tap(), "09506000134352", "09520123456788", 1)), name)
		genuine, signature, _ := strings.Cut(card.Tap(), "&s=")
		forged := w.phone().post(genuine + "&s=AAAA" + signature[4:])
		assert.Contains(t, forged.text, "<h1>Not genuine</h1>", name)
	}
}

// says: what a card is fixed to its registration says, and not the address, which nobody signs.
func (w *world) says(t *testing.T, r reply, name string) {
	t.Helper()
	assert.Contains(t, r.text, "<h1>Genuine</h1>", name)
	assert.Contains(t, r.text, "09506000134352", name)
	assert.NotContains(t, r.text, ">09520123456788<", name)
}

// TestAPrintedCodeLeadsToTheProductAndProvesNothing is the way of a phone that scans a package.
func TestAPrintedCodeLeadsToTheProductAndProvesNothing(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	id, before := w.card.ID().String(), w.size()
	for address, where := range map[string]string{
		onPackage: "/product/09506000134352",
		"https://tap.example.com/01/9506000134352":           "/product/09506000134352",
		onPackage + "/10/A%2F7/21/" + id:                     "/product/09506000134352?10=A%2F7&21=" + id,
		onPackage + "/22/2A/21/7?17=271231&utm_source=box":   "/product/09506000134352?21=7",
		"https://tap.example.com/shop/01/09506000134352":     "/product/09506000134352",
		onPackage + "?linkType=gs1:defaultLink":              "/product/09506000134352",
		onPackage + "?linkType=gs1:pip":                      oilPage,
		onPackage + "?linkType=https://gs1.org/voc/pip":      oilPage,
		onPackage + "/21/7?linkType=gs1%3AcertificationInfo": "/c/" + id,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := w.phone().send(method, address, nil)
			assert.Equal(t, http.StatusTemporaryRedirect, r.Code, address)
			assert.Equal(t, where, r.Header().Get("Location"), address)
			assert.Equal(t, "public, max-age=300", r.Header().Get("Cache-Control"))
			assert.Equal(t, "*", r.Header().Get("Access-Control-Allow-Origin"))
			assert.Contains(t, r.Header().Values("Vary"), "Accept")
			assert.Contains(t, r.Header().Get("Link"), `?linkType=linkset>; rel="linkset"; type="application/linkset+json"`)
		}
		if strings.HasPrefix(where, "/product/") {
			shown := w.phone().get("https://tap.example.com" + where)
			assert.Equal(t, http.StatusOK, shown.Code, where)
			assert.Contains(t, shown.text, "A printed code proves nothing", where)
			assert.Contains(t, shown.text, "Cold pressed from Taggiasca olives", where)
			assert.Contains(t, shown.text, "Oleificio Borgo", where)
			assert.NotContains(t, strings.ToLower(shown.text), "genuine", where)
			assert.Contains(t, shown.text, `href="`+oilPage+`"`, where)
			assert.Equal(t, strings.Contains(where, "21="), strings.Contains(shown.text, `href="/c/`+id+`"`), where)
		}
	}
	assert.Equal(t, before, w.size(), "looking writes nothing")
	italian := w.phone()
	italian.language = "it"
	assert.Contains(t, italian.get("https://tap.example.com/product/09506000134352?10=A%2F7").text, "<dt>Lotto</dt><dd class=\"mono\">A/7</dd>")
}

// linkset returns what a resolver's answer says of the one thing that it is about.
func linkset(t testing.TB, r reply) gs1.LinkContext {
	t.Helper()
	require.Equal(t, http.StatusOK, r.Code, r.text)
	assert.Equal(t, "application/linkset+json", r.Header().Get("Content-Type"))
	assert.Equal(t, "*", r.Header().Get("Access-Control-Allow-Origin"))
	l, err := gs1.ParseLinkset([]byte(r.text))
	require.NoError(t, err)
	require.Len(t, l, 1)
	return l[0]
}

func TestAllLinksAreALinkset(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	both := []string{"en", "it"}
	want := gs1.LinkContext{Anchor: onPackage + "/21/7", Description: "Extra virgin olive oil, 0.5 l", Links: map[string][]gs1.Target{
		gs1.DefaultLink:       {{Href: "https://tap.example.com/product/09506000134352?21=7", Type: "text/html", Hreflang: both}},
		gs1.PIP:               {{Href: oilPage, Title: "Extra virgin olive oil, 0.5 l", Type: "text/html"}},
		gs1.CertificationInfo: {{Href: "https://tap.example.com/c/" + w.card.ID().String(), Type: "text/html", Hreflang: both}},
	}}
	assert.Equal(t, want, linkset(t, w.phone().get(onPackage+"/21/7?linkType=linkset")))
	assert.Equal(t, want, linkset(t, w.phone().get("https://tap.example.com/01/9506000134352/21/7?linkType=all&lang=it")))
	machine := w.phone()
	machine.header.Set("Accept", "text/html;q=0.5, application/linkset+json ; q=0.9")
	assert.Equal(t, want, linkset(t, machine.get(onPackage+"/21/7")))
	machine.header.Set("Accept", "application/linkset+json;q=0.0, */*")
	assert.Equal(t, http.StatusTemporaryRedirect, machine.get(onPackage).Code)
	machine.header.Set("Accept", "application/linkset+json")
	assert.Equal(t, oilPage, machine.get(onPackage+"?linkType=gs1:pip").Header().Get("Location"), "one link is asked for by its name")
	assert.Equal(t, "https://tap.example.com/shop/01/09506000134352", linkset(t, w.phone().get("https://tap.example.com/shop/01/09506000134352?linkType=linkset")).Anchor)
}

func TestResolverRefusesInWords(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	for address, want := range map[string]struct {
		status int
		words  string
	}{
		"https://tap.example.com/01/09520123456788":                {404, "GTIN 09520123456788"},
		"https://tap.example.com/01/09520123456788/21/x":           {404, "GTIN 09520123456788"},
		"https://tap.example.com/00/376104250021234569":            {404, "SSCC 376104250021234569"},
		"https://tap.example.com/8004/9520123A":                    {404, "GIAI 9520123A"},
		onPackage + "?linkType=gs1:recallStatus":                   {404, "gives no link of this kind"},
		onPackage + "?linkType=" + url.QueryEscape(mark):           {404, "gives no link of this kind"},
		onPackage + "?linkType=https%3A%2F%2Fevil.example":         {404, "gives no link of this kind"},
		onPackage + "?linkType=gs1:certificationInfo":              {404, "gives no link of this kind"},
		"https://tap.example.com/01/09506000134353":                {400, "Its last digit should be 2"},
		"https://tap.example.com/01/1":                             {400, "do not follow their rules"},
		"https://tap.example.com/01/09506000134352/10/a/22/b":      {400, "do not follow their rules"},
		"https://tap.example.com/01/09506000134352/21/%3Czq%3E%20": {400, "do not follow their rules"},
		"https://tap.example.com/product/09506000134353":           {400, "Its last digit should be 2"},
		"https://tap.example.com/product/x":                        {400, "do not follow their rules"},
		"https://tap.example.com/product/09520123456788":           {404, "GTIN 09520123456788"},
	} {
		r := w.phone().get(address)
		assert.Equal(t, want.status, r.Code, address)
		assert.Contains(t, r.text, want.words, address)
		withstands(t, r.ResponseRecorder, address)
	}
	posted := w.phone().post(onPackage + "/21/x")
	assert.Equal(t, http.StatusMethodNotAllowed, posted.Code)
	assert.Equal(t, "GET, HEAD, OPTIONS", posted.Header().Get("Allow"))
	asked := w.phone().send(http.MethodOptions, onPackage, nil)
	assert.Equal(t, http.StatusNoContent, asked.Code)
	assert.Equal(t, "GET, HEAD, OPTIONS", asked.Header().Get("Access-Control-Allow-Methods"))
	hidden := w.phone().get("https://tap.example.com/product/09506000134352?10=" + url.QueryEscape(mark) + "&21=" + url.QueryEscape(mark))
	withstands(t, hidden.ResponseRecorder, mark)
}

// TestAProductPageIsOnTheMakersHosts: what is not allowed after a tap is no link of the resolver either.
func TestAProductPageIsOnTheMakersHosts(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	require.NoError(t, w.products.PutFace(t.Context(), product.Face{Issuer: w.issuer, Name: "Oleificio Borgo", Hosts: []string{"shop.example.com"}}))
	assert.Equal(t, "/product/09506000134352", w.phone().get(onPackage+"?linkType=gs1:pip").Header().Get("Location"))
	assert.NotContains(t, w.phone().get("https://tap.example.com/product/09506000134352").text, oilPage)
}

// TestSeveralMakersOfOneNumber: the reader sees all of them and is led to none.
func TestSeveralMakersOfOneNumber(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	_, err := w.products.Put(t.Context(), product.Product{Issuer: channel.ID{9}, GTIN: "9506000134352", Name: "Another oil", URL: "https://other.example/"})
	require.NoError(t, err)
	assert.Len(t, linkset(t, w.phone().get(onPackage+"?linkType=linkset")).Links[gs1.PIP], 2)
	assert.Equal(t, "/product/09506000134352", w.phone().get(onPackage+"?linkType=gs1:pip").Header().Get("Location"))
	shown := w.phone().get("https://tap.example.com/product/09506000134352").text
	assert.Contains(t, shown, "Another oil")
	assert.Contains(t, shown, "Extra virgin olive oil")
	mine := w.phone().get("https://tap.example.com/product/09506000134352?21=7").text
	assert.NotContains(t, mine, "Another oil", "the serial number tells whose it is")
}

func TestTestProductsAreCalledSo(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	w.test = true
	assert.Contains(t, w.phone().get("https://tap.example.com/product/09506000134352").text, "Test card: this is a trial")
}

func TestResolverSaysWhatItDoes(t *testing.T) {
	w := newWorld(t)
	r := w.phone().get("https://tap.example.com/.well-known/gs1resolver")
	require.Equal(t, http.StatusOK, r.Code)
	assert.Equal(t, "application/json", r.Header().Get("Content-Type"))
	assert.Equal(t, "*", r.Header().Get("Access-Control-Allow-Origin"))
	var says map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.text), &says))
	assert.Equal(t, map[string]any{
		"name": "ProductID", "resolverRoot": "https://tap.example.com", "supportedPrimaryKeys": []any{"01"},
		"supportedLinkType": []any{map[string]any{"namespace": "https://gs1.org/voc/", "prefix": "gs1:"}}, "linkTypeDefaultCanBeLinkset": false,
	}, says)
}

// TestAPhoneScansAPackage looks at the page as a phone shows it, by way of the resolver.
func TestAPhoneScansAPackage(t *testing.T) {
	browser := browsertest.Open(t)
	w := newWorld(t)
	w.sell(false)
	w.set(record.Settings{})
	server := w.serve()
	p := browser.Tab(t, browsertest.Phone, "en")
	p.Go(server + "/01/9506000134352/10/L-2026-11/21/" + w.card.ID().String())
	p.WaitText("Taggiasca")
	assert.Equal(t, "A printed code proves nothing", p.Text("h1"))
	p.Check()
	p.Screenshot("package")
	p.Dark(true)
	p.Check()
	p.Screenshot("package-dark")
	narrow := browser.Tab(t, browsertest.Narrow, "it")
	narrow.Go(server + "/01/09520123456788")
	narrow.WaitText("Numero sconosciuto")
	narrow.Check()
	narrow.Screenshot("package-unknown-it")
}
