package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

// TestServiceFollowsItsDocument has schemathesis ask a running service, in a fixed order, what its OpenAPI document allows and much that
// it does not: no answer is a server error, each is documented in status, type and schema, and what does not follow the schema is
// refused.
func TestServiceFollowsItsDocument(t *testing.T) {
	t.Parallel() // it mostly waits: no key may ask more often
	program := schemathesis(t)
	s := newSite(t)
	cards := s.makeCards(2)
	token, _ := s.makeFullKey()
	_, spare := s.makeFullKey()
	s.start(s.at, "--alarm-gap", "2")
	for range 3 {
		tapped(t, cards[0]) // and nobody records it: an alarm
	}
	s.records(cards[0])
	id, revoked := cardIn(t, tapped(t, cards[0])), cardIn(t, tapped(t, cards[1]))
	r, err := http.PostForm("http://"+s.at+"/report", url.Values{"text": {"it came off"}, "card": {id.String()}})
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, http.StatusOK, r.StatusCode)
	config := filepath.Join(t.TempDir(), "schemathesis.toml")
	issuer := s.onlyIssuer()
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, schemathesisConfig, issuer, id, issuer, spare, revoked), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "--config-file", config, "run", "http://"+s.at+"/openapi.json", "--url", "http://"+s.at, "--no-color",
		"--workers", "1", "--rate-limit", "45/s", "--seed", "20261124", "--max-examples", "15", "--generation-database", "none", "-H", "Authorization: Bearer "+token)
	c.Dir = t.TempDir()
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, summary, _ := strings.Cut(string(out), "SUMMARY")
	t.Log(summary)
}

// schemathesisConfig names what there is, so that requests reach more than a 404. A card that was revoked before, a tap that was made
// up, an expired token and a key that would have expired already follow the schema and are refused all the same; who asks about one
// card again and again is told to wait.
const schemathesisConfig = `
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "429"]

[parameters]
"path.issuer" = "%s"
"path.id" = "%s"
"path.channel" = "%s"
"path.key" = "%s"
"path.alarm" = "1"
"path.report" = "1"

[[operations]]
include-operation-id = ["revokeCard", "associateCard"]
parameters = { "path.id" = "%s" }
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "422", "429"]

[[operations]]
include-operation-id = ["tapAction", "verifyRedirect", "createKey", "putCardSettings", "addWebhook"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "410", "422", "429"]
`

// makeFullKey makes a key with all scopes.
func (s *site) makeFullKey() (token, id string) {
	s.t.Helper()
	arguments := []string{"--json", "keys", "api", "create", "--name", "test"}
	for _, scope := range identity.Scopes() {
		arguments = append(arguments, "--scope", string(scope))
	}
	var made struct{ ID, Token string }
	require.NoError(s.t, json.Unmarshal([]byte(s.do(nil, arguments...)), &made))
	require.NotEmpty(s.t, made.Token)
	return made.Token, made.ID
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
