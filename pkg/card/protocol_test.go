package card_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is a line of a table in PROTOCOL.md: | `INS_INFO` | `01` |, with more columns or without quotes too.
var row = regexp.MustCompile("(?m)^\\|\\s*`?([A-Z][A-Z0-9_]+)`?\\s*\\|\\s*`?(?:0x)?([0-9A-Fa-f]+)`?\\s*\\|")

// documented reads all tables of numbers in PROTOCOL.md.
func documented(t *testing.T) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile("../../applet/PROTOCOL.md")
	require.NoError(t, err)
	numbers := map[string]int64{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseInt(m[2], 16, 64)
		require.NoError(t, err)
		numbers[m[1]] = value
	}
	return numbers
}

// fold is where the Java and the Go spelling of a name meet: INS_GENERATE_KEY and insGenerateKey.
func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// constants reads the integer constants of a Go file, by their folded names.
func constants(t *testing.T, file string) map[string]int64 {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	numbers := map[string]int64{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			literal := spec.Values[0].(*ast.BasicLit)
			value, err := strconv.ParseInt(literal.Value, 0, 64)
			require.NoError(t, err)
			numbers[fold(spec.Names[0].Name)] = value
		}
		return true
	})
	return numbers
}

func TestConstantsAreThoseOfTheProtocol(t *testing.T) {
	want := map[string]int64{}
	for name, value := range documented(t) {
		want[fold(name)] = value
	}
	for _, file := range []string{"protocol.go", "cardtest/protocol.go"} {
		got := constants(t, file)
		require.NotEmpty(t, got)
		for name, value := range got {
			require.Contains(t, want, name, "%s has it, PROTOCOL.md does not", file)
			assert.Equal(t, want[name], value, "%s: %s", file, name)
		}
	}
}

// The client knows each instruction, item, state and field that the applet has.
func TestClientKnowsTheWholeProtocol(t *testing.T) {
	groups := regexp.MustCompile("^(INS|ITEM|STATE|INFO_OFF|CAPABILITIES_OFF)_")
	elsewhere := []string{"INS_SELECT", "INS_READ_BINARY", "CAPABILITIES_OFF_RESERVED"} // in package apdu; never read
	client := constants(t, "protocol.go")
	for name := range documented(t) {
		if groups.MatchString(name) && !slices.Contains(elsewhere, name) {
			assert.True(t, hasFolded(client, name), "PROTOCOL.md has %s, the client does not", name)
		}
	}
}

func hasFolded(constants map[string]int64, name string) bool {
	_, found := constants[fold(name)]
	return found
}
