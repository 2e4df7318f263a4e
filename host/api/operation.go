package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
)

// operation is what is fixed about one thing that the API does. Its id is stable: clients are generated from it.
type operation struct {
	id, method, path string
	tag              string
	summary, text    string
	scope            identity.Scope  // what whoever asks must be allowed; empty when everybody is
	open             bool            // everybody may ask; scope is for a part of the answer, or of what is done
	costly           string          // the kind of key for Options.Limit under which it is limited beside all others; empty when it is not
	act              string          // how the audit log names it; empty when nothing is administered
	status           int             // of success; 0 is 200
	refusals         []int           // statuses beside those that all operations have
	file             *huma.MediaType // of an answer that is a file
	media            string          // its media type
}

// empty is an answer or a request without members.
type empty struct{}

// body is an answer that is one JSON object.
type body[T any] struct{ Body T }

// answer wraps what an operation found.
func answer[T any](v T) *body[T] { return &body[T]{v} }

// handle registers an operation.
func handle[I, O any](a *API, h huma.API, op operation, do func(context.Context, *call, *I) (*O, error)) {
	a.byID[op.id] = op
	huma.Register(h, op.document(a), func(ctx context.Context, in *I) (*O, error) {
		c := callOf(ctx)
		out, err := do(ctx, c, in)
		if err == nil && op.scope != "" && !op.open && !c.asked {
			err = fmt.Errorf("%s was done without asking who may", op.id)
		}
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// document is the operation as openapi.json has it.
func (o operation) document(a *API) huma.Operation {
	d := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Tags: []string{o.tag}, Summary: o.summary, Description: o.text,
		DefaultStatus: o.status, MaxBodyBytes: wire.MaxBody + 1, Responses: map[string]*huma.Response{},
	}
	for _, status := range o.statuses() {
		d.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{wire.MediaProblem: {Schema: &huma.Schema{Ref: problemRef}}},
		}
	}
	if o.media != "" {
		d.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{o.media: o.file}}
	}
	key, session := map[string][]string{schemeKey: {}}, map[string][]string{schemeSession: {}}
	d.Security = []map[string][]string{key, session}
	if o.scope == "" || o.open {
		d.Security = append([]map[string][]string{{}}, d.Security...)
	}
	if o.scope != "" {
		d.Description = strings.TrimSpace(d.Description + "\n\nScope: `" + string(o.scope) + "`" + o.scopeOf())
	}
	return d
}

func (o operation) scopeOf() string {
	if o.open {
		return ", for what is not public."
	}
	return "."
}

// statuses are those of all the problems that the operation can end with.
func (o operation) statuses() []int {
	all := append([]int{401, 422, 429, 500, 503}, o.refusals...)
	if o.scope != "" || o.method != http.MethodGet { // what another site's page asks for is refused by edge
		all = append(all, 403)
	}
	if o.act != "" { // the issuer's audit channel may be another installation's
		all = append(all, 409)
	}
	if strings.Contains(o.path, "{") {
		all = append(all, 404)
	}
	if o.method == http.MethodPost || o.method == http.MethodPut {
		all = append(all, 400, 413, 415)
	}
	if o.method != http.MethodGet {
		all = append(all, 504)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
