package t4ttest_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/t4t/t4ttest"
)

var update = flag.Bool("update", false, "write the rules into docs/conformance.md anew")

// TestDocumentListsTheRules holds the table of docs/conformance.md against the suite.
func TestDocumentListsTheRules(t *testing.T) {
	const path, head = "../../../docs/conformance.md", "| rule | says | source |\n|---|---|---|\n"
	var table strings.Builder
	listed := map[string]bool{}
	for _, serves := range []t4ttest.Serves{t4ttest.Taps, t4ttest.Notice, t4ttest.Nothing} {
		for _, rule := range t4ttest.Rules(serves) {
			if !listed[rule.Name] {
				fmt.Fprintf(&table, "| `%s` | %s | %s |\n", rule.Name, rule.Text, rule.Source)
				listed[rule.Name] = true
			}
		}
	}
	document, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(document), head)
	require.True(t, found, "%s has no table of rules", path)
	rows := ""
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		rows += line
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+head+table.String()+rest[len(rows):]), 0o644))
		return
	}
	assert.Equal(t, table.String(), rows, "run the test with -update")
}
