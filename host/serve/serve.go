// Package serve is the service as a whole: it opens what the rooms keep, mounts them on one address, and runs what goes on behind them,
// until it is told to end.
//
// # How it ends
//
// When its context ends, it first says that it is not ready any more, then refuses connections, and lets the requests that run finish.
// A database that can take no more writes, or a ledger that is not what it was, ends it too, with that error: what goes on after either
// would be worth nothing.
//
// # Several of them
//
// Any number may run on one PostgreSQL ledger: each has the whole service, and work that only one has to do passes between them.
package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/office"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// House is an installation that somebody has opened, and closes when the service has ended.
type House struct {
	Ledger     ledger.Ledger
	List       registry.Lister
	Log        *tlog.Log // nil where the ledger is no log of the installation's own
	Registry   *registry.Registry
	Validation *validation.Service
	Authors    *secrets.Authors
	Master     channel.Seed
	Safe       sandbox.Safe // where the installation's secrets are
	// Issuers are those that the installation has the secrets of, and that people work for.
	Issuers []channel.ID
	// Store names the database of a room, as for store.Open.
	Store func(room string) string
	// Bundle makes the file that proves everything about a card.
	Bundle func(ctx context.Context, card tap.CardID) ([]byte, error)
}

// Options say what is served where.
type Options struct {
	House    House
	Listener *edge.Listener
	// Base is the public address: scheme and host, and nothing below. Taps are checked, and people sign in, under it.
	Base *url.URL
	// BehindProxy takes clients' addresses from what the proxy says of them.
	BehindProxy bool
	// Metrics, when set, accepts those who read the metrics, and nobody else is shown them; else they are shown to this machine.
	Metrics net.Listener
	// Rate is how many requests a second a client's network may make on the long run; 0 stands for 20.
	Rate float64
	// Providers are the OpenID providers that people may sign in through.
	Providers []identity.Provider
	// Mail says how alarms are mailed; nil for not at all.
	Mail *notify.Mail
	// Alarms says from where on something is strange; what is zero there is as in host/alarm.
	Alarms alarm.Limits
	// AllowPrivateWebhooks lets operators name webhooks in this network: for development.
	AllowPrivateWebhooks bool
	// Jobs run beside the rooms' own, and end the service when they fail.
	Jobs []Job
	Log  *slog.Logger

	Now    func() time.Time
	Random io.Reader
}

// Service is the opened service.
type Service struct {
	Options
	rooms    *rooms
	metrics  *metrics
	limits   limits
	handler  http.Handler
	ready    readiness
	ending   atomic.Bool
	synced   atomic.Pointer[time.Time] // when the registry was last level with the ledger
	prepared *prometheus.Registry
}

// Open opens the rooms. The listener is the service's from now on, also when the error is not nil.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Rate <= 0 {
		o.Rate = 20
	}
	s := &Service{Options: o, prepared: prometheus.NewRegistry()}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the service: %w", err), s.Close())
	}
	return s, nil
}

func (s *Service) open(ctx context.Context) (err error) {
	if err := CheckBase(s.Base); err != nil {
		return err
	}
	now := s.Now()
	s.synced.Store(&now)
	s.metrics, s.limits = newMetrics(s), newLimits(s.Rate, s.Now)
	if s.rooms, err = openRooms(ctx, s); err != nil {
		return err
	}
	s.ready.checks = s.checks()
	s.handler = edge.Handler(s.routes(), edge.Options{
		BehindProxy: s.BehindProxy, Secure: s.Base.Scheme == "https", Origins: []string{s.Base.Scheme + "://" + s.Base.Host}, Body: office.Body(), Problem: s.problem,
		Log: s.Log, Metrics: edge.NewMetrics(s.prepared), Now: s.Now, Random: s.Random,
	})
	return nil
}

// Handler is the whole service, for who listens himself.
func (s *Service) Handler() http.Handler { return s.handler }

// Close closes the rooms and stops listening. Run is to have returned.
func (s *Service) Close() error {
	var errs []error
	if s.rooms != nil {
		errs = append(errs, s.rooms.close())
	}
	if s.Listener != nil {
		_ = s.Listener.Close() // Run has, unless it never ran
	}
	if s.Metrics != nil {
		_ = s.Metrics.Close()
	}
	return errors.Join(errs...)
}

// ErrBase refuses a base URL that nothing can be served under.
var ErrBase = errors.New("not a base URL")

// CheckBase refuses what is not scheme and host alone. The error is ErrBase.
func CheckBase(u *url.URL) error {
	switch {
	case u == nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: it is neither https://HOST nor http://HOST", ErrBase)
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return fmt.Errorf("%w: it is more than scheme and host", ErrBase)
	}
	return nil
}
