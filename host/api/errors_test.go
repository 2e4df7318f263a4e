package api

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/host/words"
	"github.com/productid/productid/pkg/ledger"
)

// constants reads the texts of the constants of a source file that keep accepts.
func constants(t *testing.T, file string, keep func(name string, spec *ast.ValueSpec) bool) (texts []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !keep(spec.Names[0].Name, spec) {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		texts = append(texts, text)
		return true
	})
	require.NotEmpty(t, texts)
	return texts
}

func TestEveryVerdictThatIsNoHasAStatus(t *testing.T) {
	codes := constants(t, "../validation/verdict.go", func(_ string, s *ast.ValueSpec) bool {
		kind, ok := s.Type.(*ast.Ident)
		return ok && kind.Name == "Code"
	})
	for _, code := range codes {
		if !validation.Code(code).OK() {
			assert.NotZero(t, statuses[code], code)
		}
	}
}

func TestEveryProblemHasAStatusAndWordsInAllLanguages(t *testing.T) {
	codes := constants(t, "wire/problem.go", func(name string, _ *ast.ValueSpec) bool { return len(name) > 4 && name[:4] == "Code" })
	for _, code := range codes {
		assert.NotZero(t, statuses[code], code)
	}
	for code, status := range statuses {
		assert.GreaterOrEqual(t, status, http.StatusBadRequest, code)
		for _, lang := range words.Languages() {
			text, known := words.For("", lang).Problem(code)
			assert.True(t, known && text.Title != "" && text.Means != "" && text.Next != "", "%s in %s", code, lang)
		}
	}
	for _, code := range words.Problems() {
		assert.NotZero(t, statuses[code], "%s is a problem that nobody has", code)
	}
}

func TestManualHasEveryProblemAtItsStatus(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	for code, status := range statuses {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| [0-9, ]*\\b%d\\b[0-9, ]* \\|.*`%s`", status, code))
		assert.True(t, row.Match(text), "docs/api.md has no %s at status %d", code, status)
	}
}

func TestEveryCauseIsAProblem(t *testing.T) {
	for _, c := range causes() {
		assert.NotZero(t, statuses[c.code], c.err)
	}
}

func TestWhatMayHaveBeenDoneIsNeverCalledUndone(t *testing.T) {
	both := fmt.Errorf("%w: %w", ledger.ErrUnavailable, ledger.ErrUncertain)
	assert.Equal(t, wire.CodeUncertain, codeOf(both))
	assert.Equal(t, wire.CodeUncertain, codeOf(fmt.Errorf("%w: %w", store.ErrBusy, store.ErrUncertain)))
	assert.Equal(t, wire.CodeInternal, codeOf(fmt.Errorf("out of memory")))
}
