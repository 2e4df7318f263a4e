package identity_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

// TestRolesAreAsTheDocumentSays reads the table of docs/people.md.
func TestRolesAreAsTheDocumentSays(t *testing.T) {
	text, err := os.ReadFile("../../docs/people.md")
	require.NoError(t, err)
	roles := []identity.Role{identity.Owner, identity.Operator, identity.Auditor}
	var seen []identity.Scope
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		scope := identity.Scope(strings.Split(cells[1], "`")[1])
		seen = append(seen, scope)
		for at, role := range roles {
			assert.Equal(t, slices.Contains(role.Scopes(), scope), strings.TrimSpace(cells[at+2]) == "yes", "%s of an %s", scope, role)
		}
	}
	assert.Equal(t, identity.Scopes(), seen)
}
