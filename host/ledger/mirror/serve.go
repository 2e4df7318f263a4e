package mirror

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	pathAdd  = "/add-checkpoint"
	typeSize = "text/x.tlog.size"
	typeText = "text/plain; charset=utf-8"
)

// ServeHTTP is the witness on the web, C2SP tlog-witness: POST /add-checkpoint, and
// GET /<SHA-256 of the origin>/checkpoint.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("Content-Type", typeText)
	origin, monitored := w.monitored(r.URL.Path)
	switch {
	case r.URL.Path == pathAdd && r.Method != http.MethodPost:
		rw.Header().Set("Allow", "POST")
		http.Error(rw, "a checkpoint is added with POST", http.StatusMethodNotAllowed)
	case r.URL.Path == pathAdd:
		w.serveAdd(rw, r)
	case monitored && r.Method != http.MethodGet && r.Method != http.MethodHead:
		rw.Header().Set("Allow", "GET, HEAD")
		http.Error(rw, "a checkpoint is read with GET", http.StatusMethodNotAllowed)
	case monitored:
		w.serveLatest(rw, r, origin)
	default:
		http.Error(rw, "there is no such resource", http.StatusNotFound)
	}
}

// monitored returns the origin of whose checkpoint a path is.
func (w *Witness) monitored(path string) (origin string, ok bool) {
	for origin := range w.logs {
		if path == pathLatest(origin) {
			return origin, true
		}
	}
	return "", false
}

// pathLatest is where the newest checkpoint of a log stands.
func pathLatest(origin string) string {
	return fmt.Sprintf("/%x/checkpoint", sha256.Sum256([]byte(origin)))
}

func (w *Witness) serveLatest(rw http.ResponseWriter, r *http.Request, origin string) {
	text, err := w.Latest(r.Context(), origin)
	switch {
	case err != nil:
		http.Error(rw, "the witness cannot answer now", http.StatusServiceUnavailable)
	case text == nil:
		http.Error(rw, "nothing was cosigned of this log yet", http.StatusNotFound)
	default:
		_, _ = rw.Write(text)
	}
}

func (w *Witness) serveAdd(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxRequest))
	if err != nil {
		http.Error(rw, "the request is too long or was cut off", http.StatusBadRequest)
		return
	}
	request, err := ParseRequest(body)
	if err == nil {
		// Whoever hangs up does not leave a transaction undecided.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
		defer cancel()
		body, err = w.Add(ctx, request)
	}
	conflict, conflicts := errors.AsType[*Conflict](err)
	switch {
	case err == nil:
		_, _ = rw.Write(body)
	case conflicts:
		rw.Header().Set("Content-Type", typeSize)
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", conflict.Size)
	case errors.Is(err, ErrMalformed):
		http.Error(rw, "malformed request", http.StatusBadRequest)
	case errors.Is(err, ErrUnknownLog):
		http.Error(rw, ErrUnknownLog.Error(), http.StatusNotFound)
	case errors.Is(err, ErrUnsigned):
		http.Error(rw, ErrUnsigned.Error(), http.StatusForbidden)
	case errors.Is(err, ErrInconsistent):
		http.Error(rw, ErrInconsistent.Error(), http.StatusUnprocessableEntity)
	default:
		http.Error(rw, "the witness cannot answer now", http.StatusServiceUnavailable)
	}
}
