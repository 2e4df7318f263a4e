package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/words"
)

// problem is a wire.Problem on its way out, with the headers that belong to it.
type problem struct {
	wire.Problem
	header http.Header
}

// Error is for logs.
func (p *problem) Error() string { return p.Code + ": " + p.Title }

// GetStatus gives huma the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders gives huma the headers.
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType gives huma the media type.
func (p *problem) ContentType(string) string { return wire.MediaProblem }

// problem puts an error into the form in which it is answered. What is the service's own fault is logged, and the caller is told no
// more of it than the request's id.
func (a *API) problem(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	f := faultOf(err)
	status, text := statuses[f.code], english(f.code)
	if f.detail != "" {
		text.Means = f.detail
	}
	if status >= http.StatusInternalServerError {
		a.Logger.LogAttrs(ctx, slog.LevelError, "api: "+f.code, slog.String("request", a.requestID(ctx)), slog.Any("error", err))
	}
	p := &problem{header: f.header.Clone(), Problem: wire.Problem{
		Type: a.problemType(f.code), Title: text.Title, Status: status, Code: f.code, Detail: text.Means, Next: text.Next,
		RequestID: a.requestID(ctx), Errors: f.fields, Verdict: f.verdict,
	}}
	if p.header == nil {
		p.header = http.Header{}
	}
	if status == http.StatusUnauthorized {
		p.header.Set("WWW-Authenticate", challenge(f.code))
	}
	wait := f.wait
	if wait == 0 && status == http.StatusServiceUnavailable {
		wait = retryLater
	}
	if wait > 0 {
		p.RetryAfter = int(math.Ceil(wait.Seconds()))
		p.header.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return p
}

// english is what is said about a code to machines and those who read their logs; the page of the problem speaks the reader's language.
func english(code string) words.Text {
	text, _ := words.For("", "en").Problem(code)
	return text
}

// retryLater is when to ask again a service that cannot answer now.
const retryLater = 5 * time.Second

// problemType is the address of a problem's page.
func (a *API) problemType(code string) string { return a.Base.JoinPath("problems", code).String() }

// challenge says how to authenticate (RFC 9110 §11.6.1, RFC 6750 §3).
func challenge(code string) string {
	switch code {
	case wire.CodeInvalidKey, wire.CodeExpiredKey, wire.CodeRevokedKey:
		return `Bearer realm="productid", error="invalid_token"`
	}
	return `Bearer realm="productid"`
}

// write answers with a problem where huma is not at work.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", wire.MediaProblem)
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(p.Problem) // whoever asked has gone, if it fails
}

// ours turns what huma refuses by itself into a problem of ours: a request that does not follow its schema, since everything else is
// refused before huma sees it.
func (a *API) ours(ctx huma.Context, _ string, v any) (any, error) {
	switch v := v.(type) {
	case *problem:
		return v.Problem, nil
	case *huma.ErrorModel:
		f := &fault{code: wire.CodeInvalidRequest}
		if v.Status >= http.StatusInternalServerError {
			f.code = wire.CodeInternal
		}
		for _, e := range v.Errors {
			f.fields = append(f.fields, wire.Field{Location: e.Location, Message: e.Message})
		}
		return a.problem(ctx.Context(), f).Problem, nil
	}
	return v, nil
}
