package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/console"
	stage "github.com/productid/productid/host/demo"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// website is a service as a process of its own, with cards, a shop, and a browser to come with.
type website struct {
	t       *testing.T
	data    string
	base    string // of the service
	setup   string // the first owner's link
	shop    string
	issuer  string // channel of the issuer
	browser *browsertest.Browser
}

// putTogether makes an installation with these cards, each a product of a shop, and serves it.
func putTogether(t *testing.T, cards ...*readCard) *website {
	t.Helper()
	w := &website{t: t, data: filepath.Join(t.TempDir(), "data"), browser: browsertest.Open(t)}
	t.Setenv("XDG_STATE_HOME", filepath.Join(t.TempDir(), "state"))
	shop := httptest.NewUnstartedServer(nil)
	t.Cleanup(shop.Close)
	w.shop = "http://" + strings.Replace(shop.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	for _, c := range cards {
		c.make(w)
	}
	w.putProduct(cards)
	first := serveProcess(t, filepath.Dir(w.data), "--data", w.data)
	w.base, w.setup = first.URL, first.Setup[0].Link
	shop.Config.Handler = w.openShop()
	shop.Start()
	return w
}

// openShop is the shop that good taps lead to.
func (w *website) openShop() http.Handler {
	asked, err := client.New(client.Options{Server: w.base})
	require.NoError(w.t, err)
	assets, err := stage.Assets()
	require.NoError(w.t, err)
	at, err := url.Parse(w.shop)
	require.NoError(w.t, err)
	s, err := stage.NewShop(stage.ShopOptions{Service: asked, Origin: at, Assets: assets, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	require.NoError(w.t, err)
	return edge.Handler(s, edge.Options{})
}

// putProduct has all cards lead to the shop.
func (w *website) putProduct(cards []*readCard) {
	t := w.t
	a := &app{streams: streams{strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer), os.Getenv}}
	a.console, a.flags.data, a.quiet = a.openConsole(), w.data, true
	h, err := a.openHouse(t.Context(), existing)
	require.NoError(t, err)
	defer h.Close()
	issuer := h.secrets.Issuers[0].Author().Channel()
	w.issuer = issuer.String()
	products, err := product.Open(t.Context(), filepath.Join(w.data, "product.db"), product.Options{Master: h.secrets.Master, Now: time.Now, Random: rand.Reader, AllowLocal: true})
	require.NoError(t, err)
	defer products.Close()
	require.NoError(t, products.PutFace(t.Context(), product.Face{Issuer: issuer, Name: stage.ShopName, Support: "help@alba.example"}))
	watch, err := products.Put(t.Context(), product.Product{Issuer: issuer, Name: stage.ProductName, Text: stage.ProductText(), URL: w.shop + "/"})
	require.NoError(t, err)
	for _, c := range cards {
		require.NoError(t, products.Assign(t.Context(), issuer, c.id, watch.ID))
	}
}

// cli runs a command line on the installation, and returns what it printed.
func (w *website) cli(args ...string) string {
	w.t.Helper()
	return runCLI(w.t, append([]string{"--data", w.data}, args...)...)
}

func runCLI(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	code := run(t.Context(), args, streams{strings.NewReader(""), &out, &talk, os.Getenv})
	require.Equal(t, console.OK, code, "%v: %s", args, talk.String())
	return out.String()
}

// tab is a phone or a desk with a browser that nobody knows.
func (w *website) tab(d browsertest.Device, language string) *browsertest.Tab {
	return w.browser.Tab(w.t, d, language)
}

// at is where a card's URL is opened here: its path and query, at the service.
func (w *website) at(served string) string {
	u, err := url.Parse(served)
	require.NoError(w.t, err)
	return w.base + u.EscapedPath() + "?" + u.RawQuery
}

// serveProcess runs productid serve in a folder, on a free port, as a process of its own until the test ends, and returns what it
// says first.
func serveProcess(t *testing.T, folder string, args ...string) serviceView {
	t.Helper()
	c := exec.Command("productid", append([]string{"--json", "serve", "--listen", "127.0.0.1:0", "--rate", "100000"}, args...)...)
	c.Dir = folder
	var talk bytes.Buffer
	c.Stderr = &talk
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGINT)
		assert.NoError(t, c.Wait())
		if t.Failed() {
			t.Logf("the service said:\n%s", talk.String())
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var v serviceView
	require.NoError(t, json.Unmarshal(line, &v))
	return v
}

// readCard is a card in software on a reader of its own.
type readCard struct {
	name     string
	settings []string // of productid card settings put
	reader   string   // its address
	t        *testing.T
	id       tap.CardID
}

// make personalises the card in the installation.
func (c *readCard) make(w *website) {
	c.t = w.t
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(c.t, err)
	c.t.Cleanup(func() { l.Close() })
	go (&cardServer{card: cardtest.New(c.name)}).serve(l)
	c.reader = l.Addr().String()
	w.cli("card", "personalise", "--yes", "--reader", "sim:"+c.reader, "--issuer-name", "Alba", "--template", "https://tap.example.com/t")
	u, err := tap.Parse(c.tap())
	require.NoError(c.t, err)
	c.id = u.ID
	if c.settings != nil {
		w.cli(append(append([]string{"card", "settings", "put"}, c.settings...), "--", c.id.String())...)
	}
}

// tap returns the URL that the card serves to a phone.
func (c *readCard) tap() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	r, err := simcard.Dial(ctx, c.reader)
	require.NoError(c.t, err)
	defer r.Close()
	served, err := readURL(r)
	require.NoError(c.t, err)
	return served
}

// says is what the tap page says for a code, in a language.
func says(language, code string) string { return words.For("", language).Verdict(code).Means }
