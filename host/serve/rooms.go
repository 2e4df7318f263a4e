package serve

import (
	"context"
	"errors"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/office"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/web"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// redirectSeed names the key that signs the tokens of visitors who are sent on. It follows from the installation's master, so that every
// process which serves it has the same one.
const redirectSeed = "redirect"

// rooms is what was opened, and how it is closed.
type rooms struct {
	people   *identity.Identity
	products *product.Products
	redirect *redirect.Service
	notify   *notify.Service
	alarm    *alarm.Watch
	audit    *audit.Log
	settings *settings.Service
	sandbox  *sandbox.Sandbox
	life     *lifecycle.Service
	desk     *desk.Desk
	api      *api.API
	office   *office.Office
	web      *web.Site
	assets   *page.Assets

	jobs    []Job
	checks  []check
	closing []func() error // in the order of opening
}

func openRooms(ctx context.Context, s *Service) (_ *rooms, err error) {
	r := &rooms{}
	for _, open := range []func(context.Context, *Service) error{
		r.openSandbox, r.openPeople, r.openProducts, r.openRedirect, r.openNotices, r.openDesk, r.openPages,
	} {
		if err := open(ctx, s); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	return r, nil
}

// close closes what was opened last first. What was answered is durable already.
func (r *rooms) close() error {
	var errs []error
	for i := len(r.closing) - 1; i >= 0; i-- {
		errs = append(errs, r.closing[i]())
	}
	return errors.Join(errs...)
}

// opened notes how a room is closed, and how one sees that its database answers.
func (r *rooms) opened(name string, closing func() error, answers func(context.Context) error) {
	r.closing = append(r.closing, closing)
	r.checks = append(r.checks, check{name, answers})
}

func (r *rooms) openSandbox(ctx context.Context, s *Service) error {
	h := s.House
	template, err := tap.PlainTemplate("https://" + s.Base.Host + "/t") // as a card's are, also where the service is tried out by http
	if err != nil {
		return err
	}
	r.sandbox, err = sandbox.Open(ctx, h.Store("sandbox"), sandbox.Options{
		Ledger: h.Ledger, List: h.List, Registry: h.Registry, Authors: h.Authors, Safe: h.Safe, Template: template, Now: s.Now, Random: s.Random,
	})
	if err != nil {
		return err
	}
	r.opened("sandbox", r.sandbox.Close, func(ctx context.Context) error {
		_, err := r.sandbox.Cards(ctx)
		return err
	})
	return nil
}

func (r *rooms) openPeople(ctx context.Context, s *Service) (err error) {
	r.people, err = identity.Open(ctx, s.House.Store("identity"), identity.Options{
		Origin: s.Base, Master: s.House.Master, Providers: s.Providers, IsTest: r.sandbox.IsTest, Fail: s.noSession, Now: s.Now, Random: s.Random,
	})
	if err != nil {
		return err
	}
	r.opened("people", r.people.Close, func(ctx context.Context) error {
		_, err := r.people.Invitations(ctx, s.House.Issuers[0])
		return err
	})
	return nil
}

func (r *rooms) openProducts(ctx context.Context, s *Service) (err error) {
	local := s.Base.Scheme == "http"
	r.products, err = product.Open(ctx, s.House.Store("product"), product.Options{
		Master: s.House.Master, Now: s.Now, Random: s.Random, AllowLocal: local,
		Report: func(t product.Tampered) { s.Log.ErrorContext(ctx, "a row was altered", "found", t.String()) },
	})
	if err != nil {
		return err
	}
	r.opened("products", r.products.Close, func(ctx context.Context) error {
		_, err := r.products.Face(ctx, s.House.Issuers[0])
		return err
	})
	return nil
}

func (r *rooms) openRedirect(ctx context.Context, s *Service) (err error) {
	key := channel.DeriveSeed(s.House.Master, 0, redirectSeed)
	r.redirect, err = redirect.Open(ctx, s.House.Store("redirect"), redirect.Options{
		Key: key, Issuer: s.Base.String(), AllowLocal: s.Base.Scheme == "http", Now: s.Now, Random: s.Random,
	})
	if err != nil {
		return err
	}
	r.closing = append(r.closing, r.redirect.Close)
	return nil
}

func (r *rooms) openNotices(ctx context.Context, s *Service) (err error) {
	r.notify, err = notify.Open(ctx, s.House.Store("notify"), notify.Options{
		Master: s.House.Master, Mail: s.mail(), AllowPrivate: s.AllowPrivateWebhooks, Now: s.Now, Random: s.Random, Log: s.Log,
	})
	if err != nil {
		return err
	}
	r.opened("notices", r.notify.Close, func(ctx context.Context) error {
		_, err := r.notify.Endpoints(ctx, s.House.Issuers[0])
		return err
	})
	r.alarm, err = alarm.Open(ctx, s.House.Store("alarm"), alarm.Options{Master: s.House.Master, Publish: r.notify, Limits: s.Alarms, Now: s.Now, Log: s.Log})
	if err != nil {
		return err
	}
	r.opened("alarms", r.alarm.Close, func(ctx context.Context) error {
		_, _, err := r.alarm.Alarms(ctx, alarm.Filter{Issuer: s.House.Issuers[0], N: 1})
		return err
	})
	r.jobs = append(r.jobs, r.notify.Run, r.alarm.Run)
	return nil
}

// openDesk joins the rooms that decide and that keep nothing of their own.
func (r *rooms) openDesk(_ context.Context, s *Service) error {
	h := s.House
	r.audit = audit.New(audit.Options{Ledger: h.Ledger, List: h.List, Authors: h.Authors, Now: s.Now, Random: s.Random})
	r.settings = settings.New(settings.Options{Ledger: h.Ledger, List: h.List, Registry: h.Registry, Authors: h.Authors, Now: s.Now, Random: s.Random})
	r.life = lifecycle.New(lifecycle.Options{
		Ledger: h.Ledger, List: h.List, Registry: h.Registry, Authors: h.Authors, Now: s.Now, Revoked: r.alarm.Revoked,
		ListURL: func(issuer channel.ID) string {
			return s.Base.JoinPath("v1", "issuers", issuer.String(), "status-list").String()
		},
	})
	r.desk = desk.New(desk.Options{
		Validation: h.Validation, Registry: h.Registry, Settings: r.settings, Ledger: h.Ledger, Authors: h.Authors, Product: r.products, Redirect: r.redirect,
		Observe: s.observe, IsTest: r.sandbox.IsTest, Limit: s.limits.allow, Now: s.Now, Log: s.Log,
	})
	r.api = api.New(api.Options{Base: s.Base, Limit: s.limits.allow, Now: s.Now, Logger: s.Log, Rooms: api.Rooms{
		Desk: r.desk, Keys: r.people, Audit: r.audit, Redirect: r.redirect, Faces: r.products, Webhooks: r.notify, Alarms: r.alarm,
		Ledger: h.Ledger, Log: r.checkpoints(s), Registry: h.Registry, Settings: r.settings, Lifecycle: r.life, Bundle: h.Bundle, Sandbox: r.sandbox,
	}})
	return nil
}

// checkpoints is nil, and no nil log, where the ledger is no log of ours.
func (r *rooms) checkpoints(s *Service) api.Checkpoints {
	if s.House.Log == nil {
		return nil
	}
	return s.House.Log
}

// openPages makes what people see.
func (r *rooms) openPages(_ context.Context, s *Service) (err error) {
	if r.assets, err = page.NewAssets(office.Static()); err != nil {
		return err
	}
	h := s.House
	r.office, err = office.New(office.Options{
		Origin: s.Base, People: r.people, Registry: h.Registry, Ledger: h.Ledger, Settings: r.settings, Authors: h.Authors, Lifecycle: r.life,
		Products: r.products, Alarms: r.alarm, Notices: r.notify, Audit: r.audit, Assets: r.assets, Now: s.Now, Log: s.Log,
		Sandbox: func(issuer channel.ID) bool { return r.sandbox.IsTest(context.Background(), issuer) },
	})
	if err != nil {
		return err
	}
	r.web, err = web.New(web.Options{
		Base: s.Base, Desk: r.desk, Reports: r.alarm, Cards: h.Registry, Bundle: h.Bundle, Assets: r.assets, Master: h.Master,
		Limit: s.limits.allow, Now: s.Now, Random: s.Random, Log: s.Log,
	})
	return err
}
