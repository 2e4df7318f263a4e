package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

const manual = "../../docs/api.md"

// TestExamplesOfTheManualAreTrue runs the shell of docs/api.md, block after block, and compares what comes out with what stands there.
func TestExamplesOfTheManualAreTrue(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("PRODUCTID_REQUIRE") == "all" {
			t.Fatal("curl is not installed")
		}
		t.Skip("curl is not installed")
	}
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	const mark = "--next block--"
	var script strings.Builder
	var wanted []string // of the block of shell with that number; "" when it shows nothing
	for _, b := range blocks {
		if b[1] == "json" {
			wanted[len(wanted)-1] = b[2]
			continue
		}
		wanted = append(wanted, "")
		script.WriteString(b[2] + "echo '" + mark + "'\n")
	}
	c := exec.CommandContext(t.Context(), "sh", "-eu")
	c.Stdin = strings.NewReader(script.String())
	c.Env = append(os.Environ(), "SERVER="+server.URL, "KEY="+w.key(w.sandbox, identity.UseSandbox, identity.RecordTaps, identity.ReadCards))
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	answers := strings.Split(string(out), mark)
	shown := 0
	for i, want := range wanted {
		if want == "" {
			continue
		}
		shown++
		var promised, got any
		require.NoError(t, json.Unmarshal([]byte(want), &promised), want)
		require.NoError(t, json.Unmarshal([]byte(answers[i]), &got), answers[i])
		requirePromised(t, promised, got, "answer")
	}
	require.Equal(t, 4, shown)
}

// requirePromised wants all members that the manual shows; "…" stands for any text.
func requirePromised(t *testing.T, promised, got any, at string) {
	t.Helper()
	if want, ok := promised.(map[string]any); ok {
		have, ok := got.(map[string]any)
		require.True(t, ok, "%s is no object: %v", at, got)
		for name, v := range want {
			require.Contains(t, have, name, at)
			requirePromised(t, v, have[name], at+"."+name)
		}
		return
	}
	if promised == "…" {
		assert.IsType(t, "", got, at)
		return
	}
	if _, number := promised.(float64); number {
		assert.IsType(t, promised, got, at) // a counter or an index, which depends on what was before
		return
	}
	assert.Equal(t, promised, got, at)
}

// TestManualNamesEveryScope: a scope that nobody reads of is asked for by nobody.
func TestManualNamesEveryScope(t *testing.T) {
	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	for _, s := range identity.Scopes() {
		assert.Contains(t, string(text), "`"+string(s)+"`")
	}
}
