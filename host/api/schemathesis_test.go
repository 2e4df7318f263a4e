package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
)

// TestSchemathesis asks a running service, in a fixed order, what its OpenAPI document allows and much that it does not: no answer
// is a server error, each is documented in status, type and schema, and what does not follow the schema is refused.
func TestSchemathesis(t *testing.T) {
	if testing.Short() {
		t.Skip("schemathesis takes a minute")
	}
	program := schemathesis(t)
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	spare := w.addCard(w.sandbox, "to be revoked")
	w.sandbox.card.Counter += 50 // an alarm, and a report
	require.Equal(t, http.StatusOK, w.ask(http.MethodPost, "/v1/taps", w.key(w.sandbox, identity.RecordTaps), update(w.sandbox.card.Tap())).Code)
	_, err := w.alarms.Report(t.Context(), alarm.Report{Issuer: w.sandbox.id, Text: "it came off"})
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "schemathesis.toml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, schemathesisConfig, w.sandbox.id, w.sandbox.card.ID(), w.sandbox.id, spare.ID()), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--config-file", config, "run", server.URL+"/openapi.json", "--no-color",
		"--workers", "1", "--seed", "20261124", "--max-examples", "25", "--generation-database", "none",
		"-H", "Authorization: Bearer "+w.keptKey(w.sandbox))
	c.Dir = t.TempDir()
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, summary, _ := strings.Cut(string(out), "WARNINGS")
	t.Log(summary)
}

// schemathesisConfig names what there is, so that requests reach more than a 404. A card that was revoked before, a tap that was made
// up, an expired token and a key that would have expired already follow the schema and are refused all the same.
const schemathesisConfig = `
[parameters]
"path.issuer" = "%s"
"path.id" = "%s"
"path.channel" = "%s"
"path.alarm" = "1"
"path.report" = "1"

[[operations]]
include-operation-id = ["revokeCard", "associateCard"]
parameters = { "path.id" = "%s" }
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "422"]

[[operations]]
include-operation-id = ["tapAction", "verifyRedirect", "createKey", "putCardSettings", "addWebhook"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "422"]
`

// keptKey makes a key with all scopes that the API does not revoke, whatever it is asked.
func (w *world) keptKey(of issuer) string {
	token := w.key(of, identity.Scopes()...)
	_, k, err := w.identity.Authenticate(w.t.Context(), token)
	require.NoError(w.t, err)
	w.kept = k.ID
	return token
}

// schemathesis is where scripts/setup.sh puts it.
func schemathesis(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	program := filepath.Join(cache, "productid", "schemathesis-4.32.5", "bin", "schemathesis")
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatalf("schemathesis is not installed: scripts/setup.sh does it")
		}
		t.Skip("schemathesis is not installed: scripts/setup.sh does it")
	}
	return program
}
