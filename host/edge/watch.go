package edge

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// maxLogged is how much of a URL and of a client's name for itself the log keeps, in bytes.
const maxLogged = 300

// watch begins a visit, and measures and logs how it ended.
func (e *edge) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := e.Now()
		v := &visit{id: e.newID(), client: client(r, e.BehindProxy)}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		a := &answer{ResponseWriter: w}
		e.Metrics.running.Inc()
		defer func() {
			e.Metrics.running.Dec()
			took := e.Now().Sub(begun)
			if v.route == "" {
				v.route = r.Pattern
			}
			e.Metrics.observe(v.route, r.Method, a.code(), took)
			e.log(r, v, a, took)
		}()
		next.ServeHTTP(a, r)
	})
}

// newID makes a request's id: 128 random bits in hex.
func (e *edge) newID() string {
	var b [16]byte
	_, _ = io.ReadFull(e.Random, b[:]) // an id that is not random still names the request
	return hex.EncodeToString(b[:])
}

// log writes one line for each request. Probes, which come every second, are for who looks closely.
func (e *edge) log(r *http.Request, v *visit, a *answer, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics" {
		level = slog.LevelDebug
	}
	e.Log.LogAttrs(r.Context(), level, "request",
		slog.String("id", v.id), slog.String("network", Network(v.client)),
		slog.String("method", short(Redact(r.Method))), slog.String("url", short(Redact(r.RequestURI))), slog.String("route", v.route),
		slog.Int("status", a.code()), slog.Int64("bytes", a.bytes), slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.String("agent", short(Redact(r.UserAgent()))))
}

func short(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + cut
	}
	return text
}

// Route notes the pattern that mux found for a request, for metrics and log: for a mux that stands behind a handler which passes on
// another *http.Request than it was given.
func Route(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if r.Pattern != "" {
				visitOf(r.Context()).route = r.Pattern
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

// recover answers for a handler that panicked, counts it, and lets the process live. An answer that was begun is broken off.
func (e *edge) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			switch {
			case p == nil:
				return
			case p == http.ErrAbortHandler: // how a handler breaks off on purpose
				panic(p)
			}
			e.Metrics.panics.Inc()
			e.Log.ErrorContext(r.Context(), "a handler panicked", "id", RequestID(r.Context()), "panic", Redact(fmt.Sprint(p)), "stack", string(debug.Stack()))
			if a, ok := w.(*answer); ok && a.status != 0 {
				panic(http.ErrAbortHandler)
			}
			for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Set-Cookie", "Location", "ETag", "Last-Modified"} {
				w.Header().Del(name)
			}
			w.Header().Set("Cache-Control", "no-store")
			e.Problem(w, r, http.StatusInternalServerError, CodeInternal)
		}()
		next.ServeHTTP(w, r)
	})
}

// answer notes what was answered.
type answer struct {
	http.ResponseWriter
	status int // 0 before the header was written
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // 1xx come before the answer
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
