package api_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conformance holds answers against the document: each test's requests go through it, so that what is documented is what is answered
// in all the stories that are told here.
type conformance struct {
	mu       sync.Mutex
	document map[string]any
	compiler *jsonschema.Compiler
}

func newConformance(t testing.TB, text []byte) *conformance {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := &conformance{document: v.(map[string]any), compiler: jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	require.NoError(t, c.compiler.AddResource("openapi.json", v))
	return c
}

// check fails the test for an answer whose status, media type or content is not documented.
func (c *conformance) check(t testing.TB, method, path string, answer *httptest.ResponseRecorder) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	template, operation := c.find(method, path)
	if operation == nil {
		return // there is no such operation, and the answer says so
	}
	status := strconv.Itoa(answer.Code)
	response, documented := operation["responses"].(map[string]any)[status].(map[string]any)
	if !assert.True(t, documented, "%s %s does not document status %s: %s", method, template, status, answer.Body) {
		return
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		assert.Empty(t, answer.Body.String(), "%s %s %s", method, template, status)
		return
	}
	media, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	if !assert.Contains(t, content, media, "%s %s %s", method, template, status) || !strings.HasSuffix(media, "json") {
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	schema, err := c.compiler.Compile(fmt.Sprintf("openapi.json#/paths/%s/%s/responses/%s/content/%s/schema",
		escape.Replace(template), strings.ToLower(method), status, escape.Replace(strings.ReplaceAll(media, "+", "%2B"))))
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer.Body.Bytes()))
	require.NoError(t, err, answer.Body.String())
	assert.NoError(t, schema.Validate(v), "%s %s %s: %s", method, template, status, answer.Body)
}

// find returns the operation of a path, with the template that the path follows.
func (c *conformance) find(method, path string) (string, map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	for template, item := range c.document["paths"].(map[string]any) {
		if follows(path, template) {
			operation, _ := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
			return template, operation
		}
	}
	return "", nil
}

func follows(path, template string) bool {
	is, want := strings.Split(path, "/"), strings.Split(template, "/")
	if len(is) != len(want) {
		return false
	}
	for i := range is {
		if is[i] != want[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

// TestConformanceFindsWhatIsNotDocumented: a check that passes everything would be worth nothing.
func TestConformanceFindsWhatIsNotDocumented(t *testing.T) {
	w := newWorld(t)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"status":  {Code: 418, Body: bytes.NewBufferString("{}")},
		"media":   {Code: 200, Body: bytes.NewBufferString("{}")},
		"member":  recorded(200, "application/json", `{"kind":1}`),
		"missing": recorded(404, "application/problem+json", `{"title":"x"}`),
	} {
		found := &testing.T{}
		w.conformance.check(found, "GET", "/v1/cards/"+w.bell.card.ID().String(), answer)
		assert.True(t, found.Failed(), name)
	}
}

func recorded(code int, media, body string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	r.Header().Set("Content-Type", media)
	r.WriteHeader(code)
	r.WriteString(body)
	return r
}
