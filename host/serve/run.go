package serve

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// Job is work that goes on until its context ends, and returns that context's error then.
type Job func(context.Context) error

// Together runs jobs until one fails or ctx ends, waits for all, and returns what was first. An interruption is how they end.
func Together(ctx context.Context, jobs ...Job) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error)
	for _, j := range jobs {
		go func() { done <- j(ctx) }()
	}
	var first error
	for range jobs {
		if err := <-done; first == nil && err != nil {
			first = err
			cancel(err)
		}
	}
	if errors.Is(first, context.Canceled) {
		return nil
	}
	return first
}

const (
	// syncEvery is how often the registry looks for what others wrote on the ledger.
	syncEvery = time.Second
	// notice is how long a service that is to end goes on taking requests, for who balances loads to see that it is not ready.
	notice = time.Second
)

// Run serves until ctx ends; the error is nil then. Else it is what the service cannot go on after.
func (s *Service) Run(ctx context.Context) error {
	jobs := append([]Job{s.serve, s.sync, s.watch}, s.Jobs...)
	jobs = append(jobs, s.rooms.jobs...)
	if s.Metrics != nil {
		jobs = append(jobs, s.serveMetrics)
	}
	return Together(ctx, jobs...)
}

// serve answers requests.
func (s *Service) serve(ctx context.Context) error {
	o := edge.Serving{Ending: func() { s.ending.Store(true) }, Log: s.Log}
	if s.BehindProxy || s.Listener.TLS {
		o.Notice = notice
	}
	if err := edge.Serve(ctx, s.Listener, s.handler, o); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// serveMetrics answers those who read the metrics.
func (s *Service) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metricsHandler())
	if err := edge.Serve(ctx, &edge.Listener{Listener: s.Metrics}, mux, edge.Serving{Log: s.Log}); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// sync keeps the registry level with the ledger, and with it what the installation has of its issuers. A ledger that does not answer is tried again.
func (s *Service) sync(ctx context.Context) error {
	every := time.NewTicker(syncEvery)
	defer every.Stop()
	failing, n := false, newcomers{map[channel.ID]bool{}}
	for {
		err := s.House.Registry.Sync(ctx)
		if err == nil {
			err = n.welcome(ctx, s.House)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			now := s.Now()
			s.synced.Store(&now)
			if failing {
				s.Log.InfoContext(ctx, "the ledger answers again")
			}
		case final(err):
			return err
		case !failing:
			s.Log.WarnContext(ctx, "the registry cannot follow the ledger; going on", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
	}
}

// final reports whether nothing that is answered after this error is worth anything.
func final(err error) bool {
	for _, end := range []error{store.ErrBroken, tlog.ErrCorrupt, tlog.ErrForked, tlog.ErrRolledBack, registry.ErrOtherHistory} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// watch ends the service when a database of this process takes no more writes.
func (s *Service) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-store.Broken():
		return err
	}
}
