package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/productid/productid/host/api/client"
	stage "github.com/productid/productid/host/demo"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/pkg/tap"
)

// demoSite is the website of the demonstration: the service, the table with the card, and the shop, each at an address of its own.
type demoSite struct {
	service *serve.Service
	table   *stage.Table

	tableURL, shopURL *url.URL
	setup             []serve.SetupLink

	ending context.CancelCauseFunc
	ended  chan error
}

// openSite serves everything on free ports of this machine, until close. When something of it fails, that is the cause of the returned
// context's end.
func (d *demo) openSite(ctx context.Context) (context.Context, error) {
	at, err := listenLocally(ctx)
	if err != nil {
		return ctx, cannotListen("serving the demonstration", err)
	}
	log := d.console.Logger(slog.LevelError)
	s := &demoSite{tableURL: local(at[1]).JoinPath("demo"), shopURL: local(at[2]).JoinPath("/"), ended: make(chan error, 1)}
	house, err := d.servedHouse(ctx, d.house)
	if err == nil {
		err = d.putProduct(ctx, house.Store("product"), s.shopURL)
	}
	if err != nil {
		return ctx, errors.Join(err, at[0].Close(), at[1].Close(), at[2].Close())
	}
	if s.service, err = serve.Open(ctx, serve.Options{House: house, Listener: at[0], Base: local(at[0]), Rate: demoRate, Log: log}); err != nil {
		return ctx, errors.Join(err, at[1].Close(), at[2].Close())
	}
	shop, err := d.openStage(s, log)
	if err == nil {
		s.setup, err = s.service.Setup(ctx)
	}
	if err != nil {
		return ctx, errors.Join(err, s.service.Close(), at[1].Close(), at[2].Close())
	}
	ctx, s.ending = context.WithCancelCause(ctx)
	d.site = s
	go func() {
		err := serve.Together(ctx, s.service.Run, answering(at[1], s.table), answering(at[2], shop))
		s.ending(err)
		s.ended <- err
	}()
	return ctx, nil
}

// listenLocally takes three ports of this machine: for the service, the table and the shop.
func listenLocally(ctx context.Context) (at [3]*edge.Listener, err error) {
	for i := range at {
		if at[i], err = edge.Listen(ctx, edge.Listening{Address: "127.0.0.1:0"}); err != nil {
			for _, l := range at[:i] {
				err = errors.Join(err, l.Close())
			}
			return at, err
		}
	}
	return at, nil
}

// demoRate is how many requests a second one may make: who tries the demonstration is alone with it.
const demoRate = 1000

// openStage opens table and shop.
func (d *demo) openStage(s *demoSite, log *slog.Logger) (shop *stage.Shop, err error) {
	assets, err := stage.Assets()
	if err != nil {
		return nil, err
	}
	s.table, err = stage.NewTable(stage.TableOptions{Card: d, Service: s.service.Base, Shop: s.shopURL, Assets: assets, Now: now, Log: log})
	if err != nil {
		return nil, err
	}
	asked, err := client.New(client.Options{Server: s.service.Base.String(), Agent: "productid-demo/1"})
	if err != nil {
		return nil, err
	}
	return stage.NewShop(stage.ShopOptions{Service: asked, Origin: origin(s.shopURL), Assets: assets, Now: now, Log: log})
}

// putProduct has the card lead to the shop.
func (d *demo) putProduct(ctx context.Context, store string, shop *url.URL) error {
	products, err := product.Open(ctx, store, product.Options{Master: d.house.secrets.Master, Now: now, Random: rand.Reader, AllowLocal: true})
	if err != nil {
		return err
	}
	defer products.Close() // what was put is durable
	u, err := tap.Parse(d.Last())
	if err != nil {
		return err
	}
	card, err := d.house.registry.Card(ctx, u.ID)
	if err != nil {
		return err
	}
	if err := products.PutFace(ctx, product.Face{Issuer: card.Issuer, Name: stage.ShopName, Website: shop.String(), Hosts: []string{shop.Host}}); err != nil {
		return err
	}
	watch, err := products.Put(ctx, product.Product{Issuer: card.Issuer, Name: stage.ProductName, Text: stage.ProductText(), URL: shop.String()})
	if err != nil {
		return err
	}
	return products.Assign(ctx, card.Issuer, u.ID, watch.ID)
}

// close ends the website and says how it ended.
func (s *demoSite) close() error {
	s.ending(nil)
	err := <-s.ended
	if closed := s.service.Close(); err == nil {
		err = closed
	}
	return err
}

// answering is a site as a job of the service's.
func answering(l *edge.Listener, h http.Handler) serve.Job {
	return func(ctx context.Context) error {
		if err := edge.Serve(ctx, l, edge.Handler(h, edge.Options{}), edge.Serving{}); err != nil {
			return err
		}
		return context.Cause(ctx)
	}
}

// local is where a browser of this machine finds a listener: passkeys want a name.
func local(l *edge.Listener) *url.URL {
	return (&serviceFlags{}).base(l.Addr())
}

// origin is scheme and host of an address.
func origin(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host} }

// tapWebsite taps the card and opens its URL in a browser without scripts: the website records it, and tells somebody else that it was
// used.
func (d *demo) tapWebsite(ctx context.Context) (string, error) {
	url, err := d.Read(ctx)
	if err != nil {
		return "", err
	}
	opened, err := d.site.table.Opened(url)
	if err != nil {
		return "", err
	}
	d.visitor = stage.NewVisitor()
	looked, err := d.visitor.Open(ctx, opened.String())
	if err != nil {
		return "", err
	}
	if d.page, err = d.visitor.Press(ctx, looked); err != nil {
		return "", err
	}
	other, err := stage.NewVisitor().Open(ctx, opened.String())
	if err != nil {
		return "", err
	}
	if !looked.Says("valid") || !d.page.Says("recorded") || !other.Says("already_used") {
		return "", fmt.Errorf("%w: the website answers otherwise (%d, %d, %d)", errStory, looked.Status, d.page.Status, other.Status)
	}
	return "valid, recorded by its button, already used for a second browser; " + d.site.service.Base.String(), nil
}

// visitShop goes on to the shop from the tap's page, twice by the same address.
func (d *demo) visitShop(ctx context.Context) (string, error) {
	first, err := d.visitor.Open(ctx, d.page.Onward())
	if err != nil {
		return "", err
	}
	again, err := d.visitor.Open(ctx, first.At.String())
	if err != nil {
		return "", err
	}
	if !first.Special() || again.Special() || !again.Generic() {
		return "", fmt.Errorf("%w: the shop at %s shows something else", errStory, d.site.shopURL)
	}
	return "its certificate is for who comes from the tap, its token accepted once; " + d.site.shopURL.String(), nil
}

// sayWebsite tells where the website is.
func (d *demo) sayWebsite() {
	d.console.Say(`
The website runs until you end. Open it in a browser of this machine:
  table      %s   a button taps the card and opens what it serves
  shop       %s   where good taps lead`, d.site.tableURL, d.site.shopURL)
	for _, l := range d.site.setup {
		d.console.Say("  operators  %s   opens once, until %s: it makes you the first", l.URL.Reveal(), l.Expires.Local().Format("15:04"))
	}
}
