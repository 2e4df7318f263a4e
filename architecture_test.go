// Package productid holds the rules of the house as tests: which package may import which, who may use a foreign module, how
// long a function may be. docs/architecture.md gives the reasons.
package productid

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/productid/productid"

// floors is the house: a package may import only packages of a lower floor. Packages below a listed one (test suites, internal
// parts) live on its floor.
var floors = map[string]int{
	"pkg/apdu": 0, "pkg/ndef": 0, "pkg/tap": 0, "pkg/channel": 0, "pkg/stardust": 0, "pkg/gs1": 0,
	"docs/snippets/redirect": 0, "docs/snippets/webhooks": 0,
	"pkg/t4t": 1, "pkg/card": 1, "pkg/ledger": 1,
	"host/pcsc": 1, "host/simcard": 1, "host/store": 1, "host/devnet": 1, "host/edge": 1, "host/words": 1,
	"host/cardbench":   2,
	"host/ledger/tlog": 2, "host/ledger/stardust": 2, "host/secrets": 2, "pkg/record": 2,
	"host/registry": 3, "host/ledger/tiles": 3, "host/ledger/anchor": 3, "pkg/bundle": 3,
	"host/identity":      3,
	"host/product":       3,
	"host/notify":        3,
	"host/redirect":      3,
	"host/ledger/mirror": 4, "host/validation": 4, "host/station": 4, "host/settings": 4, "host/move": 4, "host/recovery": 4,
	"host/alarm": 4,
	"host/audit": 4,
	"host/page":  5,
	"host/desk":  5, "host/lifecycle": 4, "host/sandbox": 4,
	"host/api":     6,
	"host/console": 7, "host/vectors": 7, "host/serve": 7, "host/demo": 7,
	"host/office":   6,
	"host/web":      6,
	"cmd/productid": 8,
}

// importers names, for each foreign module, the only packages whose code (not tests) may import it.
var importers = map[string][]string{
	"github.com/ebfe/scard":           {"host/pcsc"},
	"modernc.org/sqlite":              {"host/store"},
	"github.com/jackc/pgx":            {"host/store"},
	"github.com/spf13":                {"cmd/productid"},
	"github.com/pelletier/go-toml":    {"cmd/productid"},
	"golang.org/x/term":               {"host/console"},
	"golang.org/x/crypto":             {"pkg/channel", "pkg/stardust", "host/devnet", "host/edge"},
	"golang.org/x/image":              {"host/product"},
	"golang.org/x/oauth2":             {"host/identity"},
	"golang.org/x/text":               {"host/words"},
	"golang.org/x/time":               {"host/edge"},
	"github.com/iotaledger":           {"host/ledger/stardust", "pkg/stardust/stardusttest"},
	"google.golang.org/grpc":          {"host/ledger/stardust"},
	"golang.org/x/mod":                {"pkg/ledger", "pkg/bundle", "host/ledger/tlog", "host/ledger/tiles", "host/ledger/mirror", "host/secrets", "host/vectors", "cmd/productid"},
	"filippo.io/age":                  {"host/secrets"},
	"github.com/alexedwards/scs":      {"host/identity"},
	"github.com/coreos/go-oidc":       {"host/identity"},
	"github.com/danielgtaylor/huma":   {"host/api"},
	"github.com/go-jose/go-jose":      {"host/redirect", "host/lifecycle"},
	"github.com/go-webauthn/webauthn": {"host/identity"},
	"github.com/prometheus":           {"host/edge", "host/serve"},
	"github.com/wneessen/go-mail":     {"host/notify"},
	"rsc.io/qr":                       {"host/page"},
	"github.com/chromedp":             {"host/page/browsertest"},
	"github.com/stretchr/testify":     {"pkg/ledger/ledgertest", "pkg/stardust/stardusttest"},
	"pgregory.net/rapid":              {"pkg/ledger/ledgertest"},
	"github.com/rogpeppe/go-internal": {},
}

const (
	maxFunctionLines = 60
	maxFileLines     = 400
)

// source is one parsed Go file of the module.
type source struct {
	file string // slash path from the root
	dir  string
	test bool
	own  bool // of a module of its own inside this one: comments and budgets hold there, floors and importers do not
	ast  *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || d.Name() == "target") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		slash := filepath.ToSlash(name)
		all = append(all, source{file: slash, dir: path.Dir(slash), test: strings.HasSuffix(name, "_test.go"),
			own: strings.HasPrefix(slash, "scripts/devnet/"), ast: f, fset: fset})
		return err
	})
	require.NoError(t, err)
	return all
}

// room finds the listed package that dir belongs to, or "".
func room(dir string) string {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if _, ok := floors[dir]; ok {
			return dir
		}
	}
	return ""
}

func (s source) imports() []string {
	var paths []string
	for _, i := range s.ast.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func TestEveryPackageStandsOnItsFloor(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "." || s.test || s.own {
			continue
		}
		from := room(s.dir)
		if !assert.NotEmpty(t, from, "%s: package %s has no floor in this test", s.file, s.dir) {
			continue
		}
		for _, p := range s.imports() {
			to, ours := strings.CutPrefix(p, module+"/")
			if !ours || room(to) == from {
				continue
			}
			assert.Less(t, floors[room(to)], floors[from], "%s imports %s: arrows point down", s.file, p)
		}
	}
}

func TestPkgStaysPure(t *testing.T) {
	forbidden := map[string]bool{"os": true, "net": true, "net/http": true, "os/exec": true, "database/sql": true, "syscall": true, "unsafe": true}
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.dir, "pkg/") || strings.HasSuffix(s.dir, "test") {
			continue
		}
		for _, p := range s.imports() {
			assert.False(t, forbidden[p], "%s imports %s: pkg/ has no hardware, socket or file", s.file, p)
			foreign := strings.Contains(strings.Split(p, "/")[0], ".")
			own := strings.HasPrefix(p, module+"/pkg/") || strings.HasPrefix(p, "golang.org/x/")
			assert.True(t, !foreign || own, "%s imports %s: pkg/ stays on the standard library and golang.org/x", s.file, p)
		}
	}
}

func TestForeignModulesHaveOneDoor(t *testing.T) {
	for _, s := range sources(t) {
		for _, p := range s.imports() {
			if !strings.Contains(strings.Split(p, "/")[0], ".") || strings.HasPrefix(p, module) || s.test || s.own {
				continue
			}
			assert.True(t, mayImport(s.dir, p), "%s imports %s: not in the table of importers", s.file, p)
		}
	}
}

func mayImport(dir, foreign string) bool {
	for prefix, dirs := range importers {
		if foreign != prefix && !strings.HasPrefix(foreign, prefix+"/") {
			continue
		}
		for _, d := range dirs {
			if d == dir {
				return true
			}
		}
	}
	return false
}

func TestEveryDependencyHasItsReason(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	assert.NotRegexp(t, `(?m)^\s*replace\b`, string(mod), "go.mod replaces a module")
	reasons, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)
	for _, m := range direct.FindAllStringSubmatch(string(mod), -1) {
		assert.Contains(t, string(reasons), "`"+m[1]+"`", "docs/architecture.md gives no reason for %s", m[1])
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	comments := map[string]int{}
	for _, s := range sources(t) {
		if s.test && s.dir != "." {
			continue
		}
		comments[s.dir] += 0
		if s.ast.Doc != nil {
			comments[s.dir]++
		}
	}
	for dir, n := range comments {
		assert.Equal(t, 1, n, "package comments in %s", dir)
	}
}

func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		lines := s.fset.File(s.ast.Pos()).LineCount()
		assert.LessOrEqual(t, lines, maxFileLines, "%s is too long", s.file)
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			length := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			assert.LessOrEqual(t, length, maxFunctionLines, "%s: %s is too long", s.file, f.Name.Name)
			assert.NotEqual(t, "init", f.Name.Name, "%s hides wiring in init", s.file)
		}
	}
}

func TestExportedNamesOfPkgAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.dir, "pkg/") {
			continue
		}
		for _, d := range s.ast.Decls {
			for _, name := range undocumented(d) {
				assert.Fail(t, "no doc comment", "%s: %s", s.file, name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that no comment explains; a comment on a group covers its members.
func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		var names []string
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(spec)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(spec ast.Spec) []string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil {
			return []string{spec.Name.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc == nil && spec.Comment == nil && spec.Names[0].IsExported() {
			return []string{spec.Names[0].Name}
		}
	}
	return nil
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// TestNoRoomIsMissing fails when the table above names a package that is gone.
func TestNoRoomIsMissing(t *testing.T) {
	var gone []string
	for dir := range floors {
		if _, err := os.Stat(dir); err != nil {
			gone = append(gone, dir)
		}
	}
	sort.Strings(gone)
	assert.Empty(t, gone)
}
