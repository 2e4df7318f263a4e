package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
)

// version is the API's own: members are added without a new one.
const version = "1.0.0"

const (
	problemRef    = "#/components/schemas/Problem"
	schemeKey     = "apiKey"
	schemeSession = "session"
)

const about = `Check and record the taps of ProductID cards, and read what their ledger says.

Every answer that is no success is a problem (RFC 9457) with a stable code; its type is a page that says what to do.
A request that records a tap takes an Idempotency-Key: with it a repetition gets the first answer again, without it
the repetition is already_used.`

// document is the part of openapi.json that no operation adds.
func (a *API) document() *huma.OpenAPI {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.Schema(reflect.TypeFor[wire.Problem](), true, "")
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "ProductID", Version: version, Description: about},
		Servers: []*huma.Server{{URL: "/", Description: "The service that serves this document."}},
		Tags: []*huma.Tag{
			{Name: "taps", Description: "Is this tap genuine, and is it the first of its URL?"},
			{Name: "cards", Description: "What the ledger says of a card, and what the card is set to."},
			{Name: "issuers", Description: "Who lists cards."},
			{Name: "ledger", Description: "What everybody can check for himself."},
			{Name: "office", Description: "What an issuer's own people and machines do."},
			{Name: "sandbox", Description: "Software cards, to build against without a card."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				schemeKey:     {Type: "http", Scheme: "bearer", BearerFormat: "pid_live_… or pid_test_…", Description: "An API key."},
				schemeSession: {Type: "apiKey", In: "cookie", Name: "__Host-productid", Description: "The session of a browser in which somebody has signed in."},
			},
		},
	}
}

// finish tidies what huma has made of the operations, and writes it down.
func (a *API) finish() []byte {
	schemas := a.openapi.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own form of errors, which nobody ever sees
	delete(schemas, "ErrorDetail")
	asked := a.requested()
	for name, s := range schemas {
		if !asked[name] && s.AdditionalProperties == false {
			s.AdditionalProperties = nil // members may be added to answers
		}
		for _, p := range s.Properties {
			plainNumbers(p)
		}
	}
	for _, op := range a.operations() {
		for _, p := range op.Parameters {
			plainNumbers(p.Schema)
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	compact, err := json.Marshal(a.openapi)
	if err == nil {
		var v any
		if err = json.Unmarshal(compact, &v); err == nil {
			e.SetIndent("", "  ")
			err = e.Encode(v) // members in the order of their names
		}
	}
	if err != nil {
		panic("api: writing openapi.json: " + err.Error()) // it is the same in every process, and a test has seen it
	}
	return text.Bytes()
}

// plainNumbers takes formats from integers: ours are unsigned, for which OpenAPI has none.
func plainNumbers(s *huma.Schema) {
	if s.Type == huma.TypeInteger {
		s.Format = ""
	}
	if s.Items != nil {
		plainNumbers(s.Items)
	}
}

// requested names the schemas that requests are made of, which take no members that are not in them.
func (a *API) requested() map[string]bool {
	found := map[string]bool{}
	for _, op := range a.operations() {
		if op.RequestBody != nil {
			a.reach(op.RequestBody.Content["application/json"].Schema, found)
		}
	}
	return found
}

// operations are all, in no order.
func (a *API) operations() (all []*huma.Operation) {
	for _, p := range a.openapi.Paths {
		for _, op := range []*huma.Operation{p.Get, p.Post, p.Put, p.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}

// reach adds the names of all schemas that s is made of.
func (a *API) reach(s *huma.Schema, found map[string]bool) {
	if s == nil {
		return
	}
	if name := strings.TrimPrefix(s.Ref, "#/components/schemas/"); s.Ref != "" && !found[name] {
		found[name] = true
		a.reach(a.openapi.Components.Schemas.SchemaFromRef(s.Ref), found)
	}
	a.reach(s.Items, found)
	for _, p := range s.Properties {
		a.reach(p, found)
	}
}
