package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	config := filepath.Join(t.TempDir(), "schemathesis.toml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, schemathesisConfig, w.sandbox.id, w.sandbox.card.ID(), w.sandbox.id), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--config-file", config, "run", server.URL+"/openapi.json", "--no-color",
		"--workers", "2", "--seed", "20261124", "--max-examples", "25", "--generation-database", "none",
		"-H", "Authorization: Bearer "+w.key(w.sandbox, identity.Scopes()...))
	c.Dir = t.TempDir()
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, summary, _ := strings.Cut(string(out), "SUMMARY")
	t.Log(summary)
}

// schemathesisConfig names what there is, so that requests reach more than a 404.
const schemathesisConfig = `
[parameters]
"path.issuer" = "%s"
"path.id" = "%s"
"path.channel" = "%s"
`

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
