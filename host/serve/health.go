package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	// checkLimit is how long all checks of readiness may take together.
	checkLimit = 3 * time.Second
	// checkAgain is how long an answer about readiness holds, so that asking costs nothing.
	checkAgain = 500 * time.Millisecond
	// behindLimit is how far the registry may be behind the ledger before it counts.
	behindLimit = 30 * time.Second
)

// check is one thing that has to work for requests to be answered.
type check struct {
	name string
	run  func(context.Context) error
}

// checkView is how a check went. Why it failed is in the log: it is not the world's to read.
type checkView struct {
	OK bool `json:"ok"`
	// Seconds since the registry was last level with the ledger.
	Age *float64 `json:"age,omitempty"`
}

// readyView answers /readyz.
type readyView struct {
	Ready  bool                 `json:"ready"`
	Ending bool                 `json:"ending,omitempty"`
	Checks map[string]checkView `json:"checks"`
}

// readiness remembers the newest answer.
type readiness struct {
	checks []check

	mu     sync.Mutex
	asked  time.Time
	newest readyView
}

// checks are what requests need: the ledger, a registry that is level with it, and each room's database.
func (s *Service) checks() []check {
	all := []check{
		{"ledger", func(ctx context.Context) error {
			_, err := s.House.Ledger.Info(ctx)
			return err
		}},
		{"registry", func(context.Context) error {
			if s.behind() > behindLimit {
				return errors.New("the registry is behind the ledger")
			}
			return nil
		}},
	}
	return append(all, s.rooms.checks...)
}

// behind is how long ago the registry was last level with the ledger.
func (s *Service) behind() time.Duration { return s.Now().Sub(*s.synced.Load()) }

// look runs the checks, unless somebody did just now.
func (s *Service) look(ctx context.Context) readyView {
	r := &s.ready
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := s.Now(); r.newest.Checks == nil || now.Sub(r.asked) >= checkAgain || now.Before(r.asked) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit) // the answer is not the first asker's alone
		defer cancel()
		v := readyView{Ready: true, Checks: map[string]checkView{}}
		for _, c := range r.checks {
			err := c.run(ctx)
			if err != nil {
				v.Ready = false
				s.Log.WarnContext(ctx, "not ready", "check", c.name, "error", err)
			}
			v.Checks[c.name] = checkView{OK: err == nil}
		}
		age := s.behind().Seconds()
		v.Checks["registry"] = checkView{v.Checks["registry"].OK, &age}
		r.newest, r.asked = v, s.Now()
	}
	return r.newest
}

// readyz says whether requests can be answered: 200 or 503.
func (s *Service) readyz(w http.ResponseWriter, r *http.Request) {
	v := s.look(r.Context())
	if s.ending.Load() {
		v.Ready, v.Ending = false, true
	}
	status := http.StatusOK
	if !v.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// healthz says that the process is alive, whatever else is not.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("alive\n"))
}
