package api_test

import (
	"flag"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateGolden = flag.Bool("update", false, "write openapi.json anew")

// TestDocumentIsTheCommittedOne: clients are generated from openapi.json, so a change to it is seen in a commit.
func TestDocumentIsTheCommittedOne(t *testing.T) {
	w := newWorld(t)
	served := w.ask(http.MethodGet, "/openapi.json", "", nil)
	require.Equal(t, http.StatusOK, served.Code)
	if *updateGolden {
		require.NoError(t, os.WriteFile("openapi.json", served.Body.Bytes(), 0o644))
	}
	committed, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	assert.Equal(t, string(committed), served.Body.String(), "go test ./host/api -update writes it anew")
	assert.Equal(t, string(committed), string(w.api.OpenAPI()))
}
