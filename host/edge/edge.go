// Package edge is where requests from the network come in: it listens, ends TLS, and puts around every handler what each of them
// needs and none should have to think of.
//
// [Handler] gives a request its id and its client's address, limits its body, refuses forms that other sites send, answers for a
// handler that panics, sets the security headers, measures, and logs. [Listen] decides what may be spoken where: plain HTTP stays on
// the machine itself or behind a proxy. [Serve] runs the server and lets it end in peace. A [Limiter] says who asks too often.
//
// # What a log holds
//
// The signature of a tap's URL is as good as the card until somebody has used it, so it never reaches a log, and neither do other
// secrets that travel in URLs: see [Redact]. Of the client's address the log keeps the network.
//
// # Concurrency
//
// Everything here may be used by many goroutines.
package edge

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// MaxBody is the largest body of a request, in bytes, where Options.Body says nothing else.
const MaxBody = 64 << 10

// Options say what a Handler does beside calling the next one.
type Options struct {
	// BehindProxy takes the client's address from the right-most entry of X-Forwarded-For: what the proxy itself has seen. Without
	// it every such header is what a client made up.
	BehindProxy bool
	// Secure says that people come by https, here or at the proxy: browsers are told to come no other way (HSTS).
	Secure bool
	// Origins are those whose pages may send forms although they are not the request's own host: the public one, where a proxy
	// gives another host on. Each is scheme://host[:port].
	Origins []string
	// Body returns the largest body that this request may have, in bytes; nil or 0 stands for MaxBody.
	Body func(*http.Request) int64
	// Problem writes the answer where no handler can: a panic, a body that is too large, a form of another site. Its code is one of
	// CodeInternal, CodeTooLarge and CodeCrossOrigin. nil stands for a plain page, or problem+json for who asked for JSON.
	Problem func(w http.ResponseWriter, r *http.Request, status int, code string)
	Log     *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil measures nothing
	Now     func() time.Time
	Random  io.Reader // request ids
}

// Handler puts everything that the package comment names around next. It panics at once for an entry of Origins that is no origin.
func Handler(next http.Handler, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Problem == nil {
		o.Problem = PlainProblem
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	e := &edge{Options: o}
	return e.watch(e.headers(e.recover(e.limitBody(e.sameOrigin(next)))))
}

type edge struct{ Options }

// sameOrigin refuses what a browser sends on behalf of another site's page, unless it only reads.
func (e *edge) sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	for _, origin := range e.Origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic("edge: " + err.Error())
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.Problem(w, r, http.StatusForbidden, CodeCrossOrigin)
	}))
	return p.Handler(next)
}

// limitBody refuses a body that says it is too large, and cuts off one that is without saying so: reading it is
// *http.MaxBytesError then.
func (e *edge) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(MaxBody)
		if e.Body != nil {
			if n := e.Body(r); n > 0 {
				limit = n
			}
		}
		if r.ContentLength > limit {
			w.Header().Set("Connection", "close") // rather than read on to where the next request begins
			e.Problem(w, r, http.StatusRequestEntityTooLarge, CodeTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
