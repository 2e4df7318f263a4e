package api_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateGolden = flag.Bool("update", false, "write openapi.json anew")

// TestDocumentIsTheCommittedOne: clients are generated from openapi.json, so a change to it is seen in a commit.
func TestDocumentIsTheCommittedOne(t *testing.T) {
	w := newWorld(t)
	served := w.ask(http.MethodGet, "/openapi.json", "", nil)
	require.Equal(t, http.StatusOK, served.Code)
	require.Equal(t, "application/openapi+json;version=3.1", served.Header().Get("Content-Type"))
	if *updateGolden {
		require.NoError(t, os.WriteFile("openapi.json", served.Body.Bytes(), 0o644))
	}
	committed, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	requireSame(t, string(committed), served.Body.String())
	requireSame(t, string(committed), string(w.api.OpenAPI()))
}

// requireSame names the first line that differs: all of both would fill screens.
func requireSame(t *testing.T, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	old, lines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(old), len(lines)) {
		require.Equal(t, old[i], lines[i], "openapi.json, line %d: go test ./host/api -update writes it anew", i+1)
	}
	require.Equal(t, len(old), len(lines), "lines of openapi.json: go test ./host/api -update writes it anew")
}

// What edge refuses, and what another installation's secrets make impossible, is in the description.
func TestDocumentKnowsRefusalsOfOtherRooms(t *testing.T) {
	var d struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	require.NoError(t, json.Unmarshal(newWorld(t).api.OpenAPI(), &d))
	for path, operations := range d.Paths {
		for method, o := range operations {
			if method != "get" {
				require.Contains(t, o.Responses, "403", "%s %s: cross_origin", method, path)
			}
		}
	}
	require.Contains(t, d.Paths["/v1/cards/{id}/settings"]["get"].Responses, "409", "elsewhere, not_in_service")
	require.Contains(t, d.Paths["/v1/issuers/{issuer}/keys"]["post"].Responses, "409", "elsewhere")
}
