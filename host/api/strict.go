package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
)

// checkParameters refuses a parameter that is there and empty, or there twice, which huma would take for one that is not there, or for
// one of the two: an Idempotency-Key that got lost on the way must not make a request one without a key.
func checkParameters(r *http.Request, op *huma.Operation) error {
	f := &fault{code: wire.CodeInvalidRequest}
	query := r.URL.Query()
	for _, p := range op.Parameters {
		var values []string
		switch p.In {
		case "query":
			values = query[p.Name]
		case "header":
			values = r.Header.Values(p.Name)
		}
		switch {
		case len(values) > 1:
			f.fields = append(f.fields, wire.Field{Location: p.In + "." + p.Name, Message: "there more than once"})
		case len(values) == 1 && values[0] == "":
			f.fields = append(f.fields, wire.Field{Location: p.In + "." + p.Name, Message: "there and empty"})
		}
	}
	if f.fields == nil {
		return nil
	}
	return f
}

// checkNulls refuses null where the schema wants something: huma would take it for a member that is not there.
func (a *API) checkNulls(op *huma.Operation, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return &fault{code: wire.CodeMalformedRequest} // never: it was read before
	}
	f := &fault{code: wire.CodeInvalidRequest}
	a.findNulls(op.RequestBody.Content["application/json"].Schema, v, "body", f)
	if f.fields == nil {
		return nil
	}
	return f
}

func (a *API) findNulls(s *huma.Schema, v any, at string, f *fault) {
	if s != nil && s.Ref != "" {
		s = a.openapi.Components.Schemas.SchemaFromRef(s.Ref)
	}
	if s == nil || s.Type == "" { // any value
		return
	}
	switch v := v.(type) {
	case nil:
		f.fields = append(f.fields, wire.Field{Location: at, Message: "null, where a " + s.Type + " is wanted"})
	case map[string]any:
		for name, member := range v {
			inner := s.Properties[name]
			if more, ok := s.AdditionalProperties.(*huma.Schema); ok && inner == nil {
				inner = more
			}
			a.findNulls(inner, member, at+"."+name, f)
		}
	case []any:
		for i, item := range v {
			a.findNulls(s.Items, item, fmt.Sprintf("%s[%d]", at, i), f)
		}
	}
}
