package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

// call is one request to one operation.
type call struct {
	api     *API
	op      operation
	actor   identity.Actor
	network string
	asked   bool // whether it was asked what the actor may do
}

type callKey struct{}

// callOf returns the call of a context that an operation is handed.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// may says whether the caller may do this operation for this issuer: the one place where that is decided.
func (c *call) may(issuer channel.ID) error {
	c.asked = true
	return c.actor.May(issuer, c.op.scope)
}

// act is may for what is administered: it also writes down, on the ledger, that it is about to be done. Nothing is done before it
// has returned nil.
func (c *call) act(ctx context.Context, issuer channel.ID, subject, detail string) error {
	if err := c.may(issuer); err != nil {
		return err
	}
	return c.api.Audit.Act(ctx, issuer, audit.Act{By: c.actor.ID, Act: c.op.act, Subject: subject, Detail: detail})
}

// scope names whose Idempotency-Key a key is: two callers never mean one request by the same key.
func (c *call) scope() string { return "api:" + string(c.actor.Kind) + ":" + c.actor.ID }

// adapter puts operations on the API's mux, each behind its gate.
type adapter struct{ api *API }

// Handle registers an operation.
func (d adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	d.api.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		r, err := d.api.enter(w, r, op)
		if err != nil {
			d.api.problem(r.Context(), err).write(w)
			return
		}
		handler(humago.NewContext(op, r, w))
	})
}

// ServeHTTP answers a request.
func (d adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.api.mux.ServeHTTP(w, r) }

// enter lets a request in: it tells who asks, refuses who asks too often or has to say who he is, and reads the body.
func (a *API) enter(w http.ResponseWriter, r *http.Request, op *huma.Operation) (*http.Request, error) {
	ctx := r.Context()
	c := &call{api: a, op: a.byID[op.OperationID], network: edge.Network(edge.Client(ctx))}
	if wait, ok := a.Limit("net:" + c.network); !ok {
		return r, &fault{code: wire.CodeTooMany, wait: wait}
	}
	if c.op.costly != "" {
		if wait, ok := a.Limit(c.op.costly + ":" + c.network); !ok {
			return r, &fault{code: wire.CodeTooMany, wait: wait}
		}
	}
	var err error
	if c.actor, err = a.authenticate(r); err != nil {
		return r, err
	}
	if c.op.scope != "" && !c.op.open && c.actor.Kind == identity.Anonymous {
		return r, identity.ErrUnauthenticated
	}
	if c.actor.Kind == identity.Machine {
		if wait, ok := a.Limit("key:" + c.actor.ID); !ok {
			return r, &fault{code: wire.CodeTooMany, wait: wait}
		}
	}
	r = r.WithContext(context.WithValue(identity.WithActor(ctx, c.actor), callKey{}, c))
	if err := checkParameters(r, op); err != nil || op.RequestBody == nil {
		return r, err
	}
	body, err := readBody(w, r)
	if err == nil {
		err = a.checkNulls(op, body)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r, err
}

// authenticate says who asks. A key that is shown decides alone, whatever session there is beside it.
func (a *API) authenticate(r *http.Request) (identity.Actor, error) {
	shown := r.Header.Values("Authorization")
	if len(shown) == 0 {
		return identity.From(r.Context()), nil
	}
	scheme, token, _ := strings.Cut(shown[0], " ")
	if len(shown) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return identity.Actor{}, &fault{code: wire.CodeUnauthenticated, detail: "the header Authorization is not one Bearer token"}
	}
	actor, _, err := a.Keys.Authenticate(r.Context(), strings.TrimSpace(token))
	return actor, err
}

// readBody reads a body that is one JSON value as I-JSON wants it: two readers of one request must not see two things.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &fault{code: wire.CodeMediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &fault{code: wire.CodeTooLarge}
	}
	if err != nil {
		return nil, &fault{code: wire.CodeMalformedRequest, detail: "the body broke off"}
	}
	if err := record.CheckIJSON(body); err != nil {
		return nil, &fault{code: wire.CodeMalformedRequest, detail: fmt.Sprintf("the body is not one JSON value: %v", err)}
	}
	return body, nil
}
