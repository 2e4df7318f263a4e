package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) serve() *cobra.Command {
	var f serviceFlags
	c := &cobra.Command{
		Use: "serve", Short: "Run the service: the website that taps lead to, the API, the operators' pages",
		Long: `Runs the whole service until it is interrupted, on the installation in the data folder, which it begins where there is none. While
an issuer has no owner it prints a link that makes whoever opens it the first one: once, within half an hour; the next start prints a
new one, and the old one is void.

Plain HTTP stays on this machine, or behind a proxy that ends TLS (--behind-proxy). Elsewhere a certificate comes by itself with
--domain, or from --tls-cert and --tls-key, which are read again when they change. Any number of processes may serve one PostgreSQL
ledger. docs/operations.md says how to run it for good.`,
		Example: `  productid serve                                                    http://localhost:8080
  productid serve --domain tap.example.com --http-listen :80
  productid serve --listen :8080 --behind-proxy --base-url https://tap.example.com`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			a.log = a.console.Logger(slog.LevelInfo)
			a.witnesses = f.witnessKeys
			return a.runService(c.Context(), f)
		},
	}
	f.declare(c)
	c.Flags().StringVar(&a.flags.issuerName, "issuer-name", "unnamed issuer", "`name` of the issuer, when this begins an installation")
	c.Flags().StringVar(&a.flags.issuerURL, "issuer-url", "", "the issuer's `address`, likewise")
	return c
}

// runService opens what is served, says where, and serves.
func (a *app) runService(ctx context.Context, f serviceFlags) error {
	h, err := a.openHouse(ctx, create)
	if err != nil {
		return err
	}
	defer h.Close()
	jobs, an, err := a.serviceJobs(ctx, h, f)
	if err != nil {
		return err
	}
	if an != nil {
		defer an.Close() // what it recorded is final
	}
	listener, err := edge.Listen(ctx, f.listening(a.flags.data, a.sayProblem))
	switch {
	case errors.Is(err, edge.ErrPlain), errors.Is(err, edge.ErrCertificate):
		return err
	case err != nil:
		return cannotListen("serving on "+f.address(), err)
	}
	served, err := a.servedHouse(ctx, h)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if an != nil {
		served.Ledger = anchored{served.Ledger, an}
	}
	o := serve.Options{
		House: served, Listener: listener, Base: f.base(listener.Addr()), BehindProxy: f.behindProxy, Rate: f.rate,
		Jobs: jobs, Log: a.log, AllowPrivateWebhooks: f.privateHooks, Alarms: f.alarms,
	}
	if o.Providers, err = f.providers(); err != nil {
		return errors.Join(err, listener.Close())
	}
	if o.Mail, err = f.mail(); err != nil {
		return errors.Join(err, listener.Close())
	}
	if f.metrics != "" {
		if o.Metrics, err = (&net.ListenConfig{}).Listen(ctx, "tcp", f.metrics); err != nil {
			return errors.Join(cannotListen("serving metrics on "+f.metrics, err), listener.Close())
		}
	}
	s, err := serve.Open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close() // what was answered is durable
	if err := a.sayService(ctx, s, f); err != nil {
		return err
	}
	return s.Run(ctx)
}

// servedHouse is the installation as the service sees it.
func (a *app) servedHouse(ctx context.Context, h *house) (serve.House, error) {
	p, err := a.ledgerPlace()
	if err != nil {
		return serve.House{}, err
	}
	safe, err := a.safe(ctx)
	s := serve.House{
		Safe:   safe,
		Ledger: h.ledger, List: h.ledger, Log: h.ledger.log, Registry: h.registry, Validation: h.validation, Authors: h.authors, Master: h.secrets.Master,
		Store: func(room string) string { return a.roomName(p, room) },
		Bundle: func(ctx context.Context, card tap.CardID) ([]byte, error) {
			return h.bundle(ctx, card, ledger.Final, func(string, ...any) {})
		},
	}
	for _, i := range h.secrets.Issuers {
		if !i.Sandbox { // nobody owns that
			s.Issuers = append(s.Issuers, i.Author().Channel())
		}
	}
	return s, err
}

// anchored is a ledger whose Info tells how its anchor does.
type anchored struct {
	ledger.Ledger
	anchor *anchor.Anchor
}

// Info is the ledger's, with the anchor's warnings.
func (l anchored) Info(ctx context.Context) (ledger.Info, error) { return l.anchor.Info(ctx) }

// serviceJobs are what takes the log's checkpoints to others. The anchor is nil for none; it is to be closed when they have ended.
func (a *app) serviceJobs(ctx context.Context, h *house, f serviceFlags) (jobs []serve.Job, an *anchor.Anchor, err error) {
	const what = "serving"
	if len(f.witnesses) == 0 && !f.anchor.given() {
		return nil, nil, nil
	}
	log, err := h.ledger.ownLog(what)
	if err != nil {
		return nil, nil, err
	}
	if len(f.witnesses) > 0 {
		p, err := a.publisher(ctx, log, f.witnesses, f.witnessKeys)
		if err != nil {
			return nil, nil, console.Misuse(what, err.Error(), "give --witness URL and --witness-key as the witness's owner shows them")
		}
		jobs = append(jobs, p.Run)
	}
	if !f.anchor.given() {
		return jobs, nil, nil
	}
	if an, err = a.openAnchor(ctx, log, f.anchor); err != nil {
		return nil, nil, err
	}
	start, cancel := context.WithTimeout(ctx, anchorPatience)
	defer cancel()
	if err := an.Compare(start); anchor.Refutes(err) {
		return nil, nil, errors.Join(err, an.Close())
	}
	return append(jobs, an.Run), an, nil
}

// serviceView is what the service tells before its first request.
type serviceView struct {
	URL   string      `json:"url"`
	Setup []setupView `json:"setup,omitempty"`
}

// setupView is a link for an issuer's first owner. It is a secret, shown to who started the service and to nobody else.
type setupView struct {
	Issuer  channel.ID `json:"issuer"`
	Link    string     `json:"link"`
	Expires time.Time  `json:"expires"`
}

func (a *app) sayService(ctx context.Context, s *serve.Service, f serviceFlags) error {
	links, err := s.Setup(ctx)
	if err != nil {
		return err
	}
	v := serviceView{URL: s.Base.String()}
	for _, l := range links {
		v.Setup = append(v.Setup, setupView{l.Issuer, l.URL.Reveal(), l.Expires})
	}
	if f.setupFile != "" {
		if err := writeSetup(f.setupFile, v.Setup); err != nil {
			return err
		}
		v.Setup = nil
	}
	return a.console.Answer(v, func(w io.Writer) {
		console.Fields(w, "serving", v.URL)
		for _, l := range v.Setup {
			console.Fields(w, "first owner", l.Link, "", "opens once, until "+l.Expires.Local().Format("15:04")+"; issuer pidc1:"+l.Issuer.String())
		}
	})
}

// writeSetup leaves the links where only the file's owner reads them; without links no file stays.
func writeSetup(path string, links []setupView) error {
	const what = "writing the set-up link"
	if len(links) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	var text strings.Builder
	for _, l := range links {
		fmt.Fprintln(&text, l.Link)
	}
	if err := tiles.WriteFile(path, []byte(text.String())); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
