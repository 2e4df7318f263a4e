package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
)

var places = regexp.MustCompile(`\{[^}]*\}`)

// placesOf returns the places of a text in order, so that two languages can be compared.
func placesOf(text string) []string {
	found := places.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestLanguagesHaveTheSameKeysAndPlaces(t *testing.T) {
	english := speakers()[0].texts
	for _, w := range speakers()[1:] {
		require.Equal(t, english.keys(), w.texts.keys(), w.lang)
		for key, e := range w.texts {
			first := english[key]
			assert.Equal(t, first.One == "", e.One == "", "%s: plural in one language alone: %s", w.lang, key)
			assert.Equal(t, placesOf(first.Other), placesOf(e.Other), "%s: %s", w.lang, key)
			assert.Equal(t, placesOf(first.One), placesOf(e.One), "%s: %s", w.lang, key)
		}
	}
}

// TestItalianIsNoCopyOfEnglish finds texts that nobody translated; names and words that both languages share are listed.
func TestItalianIsNoCopyOfEnglish(t *testing.T) {
	shared := regexp.MustCompile(`^(date\.day|date\.month\..*|.*\.same)$`)
	for key, e := range speakers()[1].texts {
		if english := speakers()[0].texts[key].Other; strings.Count(english, " ") >= 2 && !shared.MatchString(key) {
			assert.NotEqual(t, english, e.Other, key)
		}
	}
}

func TestTextsAreTypeset(t *testing.T) {
	for _, w := range speakers() {
		for key, e := range w.texts {
			for _, text := range []string{e.One, e.Other} {
				assert.NotContains(t, text, "'", "%s: %s: a straight apostrophe", w.lang, key)
				assert.NotContains(t, text, "  ", "%s: %s: two spaces", w.lang, key)
				assert.Equal(t, strings.TrimSpace(text), text, "%s: %s: space at an end", w.lang, key)
				assert.NotContains(t, text, "...", "%s: %s: three dots", w.lang, key)
			}
		}
	}
}

// validationCodes reads the answers out of package validation's source, so that one that is added there is missed here.
func validationCodes(t *testing.T) (codes []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../validation/verdict.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			codes = append(codes, code)
		}
		return true
	})
	require.GreaterOrEqual(t, len(codes), 15)
	return codes
}

func TestEveryVerdictHasWords(t *testing.T) {
	codes := append(validationCodes(t), "login_required", "too_many", "ledger_unavailable", "uncertain", "checking", "unsigned_exhausted", "unsigned_challenge", "unsigned_contradicted")
	for _, w := range speakers() {
		for _, code := range codes {
			text := w.Verdict(code)
			for _, part := range []string{text.Title, text.Means, text.Next} {
				assert.NotContains(t, part, "verdict.", "%s: %s", w.lang, code)
			}
			assert.LessOrEqual(t, len([]rune(text.Title)), 36, "%s: %s: a title is read at one glance", w.lang, code)
		}
	}
}

// TestConsoleAndWebsiteKnowTheSameCodes holds the sentences of the command line against those of the website.
func TestConsoleAndWebsiteKnowTheSameCodes(t *testing.T) {
	for _, code := range validationCodes(t) {
		means, next := console.Sentence(code)
		assert.NotEmpty(t, means, code)
		assert.NotEmpty(t, next, code)
		assert.True(t, For("", "en").Has("verdict."+code+".title"), code)
		if code != "valid" && code != "recorded" {
			_, known := For("", "en").Problem(code)
			assert.True(t, known, "a problem of the API: %s", code)
		}
	}
}

func TestEveryProblemIsWhole(t *testing.T) {
	require.NotEmpty(t, Problems())
	assert.True(t, slices.IsSorted(Problems()))
	for _, w := range speakers() {
		for _, code := range Problems() {
			text, known := w.Problem(code)
			assert.True(t, known)
			for _, part := range []string{text.Title, text.Means, text.Next} {
				assert.NotContains(t, part, "problem.", "%s: %s", w.lang, code)
			}
		}
		_, known := w.Problem("made_up")
		assert.False(t, known)
	}
}

func TestVerdictsDoNotSpeakOfCommands(t *testing.T) {
	for _, w := range speakers() {
		for key, e := range w.texts {
			if strings.HasPrefix(key, "verdict.") {
				assert.NotRegexp(t, `(?i)productid|--|ledger|url|counter`, e.Other, "%s: %s speaks to whoever holds a phone", w.lang, key)
			}
		}
	}
}

func TestReaderGetsHisLanguage(t *testing.T) {
	for _, test := range []struct{ header, chosen, want string }{
		{"", "", "en"},
		{"it", "", "it"},
		{"it-CH, de;q=0.8", "", "it"},
		{"de-DE, it;q=0.5, en;q=0.4", "", "it"},
		{"de, fr;q=0.9", "", "en"},
		{"en-GB, it;q=0.9", "", "en"},
		{"en", "it", "it"},
		{"it", "en", "en"},
		{"it", "xx", "it"},
		{"it", "../it", "it"},
		{"\x00\xff;;q=,,", "", "en"},
		{strings.Repeat("it,", 5000), "", "en"},
	} {
		assert.Equal(t, test.want, For(test.header, test.chosen).Lang(), "%.40q, chosen %q", test.header, test.chosen)
	}
}

func TestNumbersAndPlurals(t *testing.T) {
	en, it := For("", "en"), For("", "it")
	for _, n := range []any{1, int64(1), uint32(1), uint64(1)} {
		assert.Equal(t, "1 minute ago", en.N("ago.minutes", n))
		assert.Equal(t, "1 minuto fa", it.N("ago.minutes", n))
	}
	assert.Equal(t, "0 minutes ago", en.N("ago.minutes", 0))
	assert.Equal(t, "21 minutes ago", en.N("ago.minutes", 21))
	assert.Equal(t, "4,294,967,295 minutes ago", en.N("ago.minutes", uint32(1<<32-1)))
	assert.Equal(t, "12.000 minuti fa", it.N("ago.minutes", 12000))
	assert.Equal(t, "10.000.001 minuti fa", it.N("ago.minutes", 10000001))
	assert.Equal(t, "18.446.744.073.709.551.615 giorni fa", it.N("ago.days", uint64(1<<64-1)))
}

func TestPlacesAreFilledOnce(t *testing.T) {
	w := For("", "en")
	assert.Equal(t, "a {2} c", w.fill("a {1} c", []any{"{2}", "no"}))
	assert.Equal(t, "{3} {0} {-1} {x} { {}", w.fill("{3} {0} {-1} {x} { {}", []any{"no"}))
	assert.Equal(t, "2 1", w.fill("{2} {1}", []any{1, 2}))
	assert.Equal(t, "no.such.key", w.T("no.such.key", 1))
	assert.Equal(t, "no.such.key", w.N("no.such.key", 1))
}

func TestDatesInBothLanguages(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	require.NoError(t, err)
	at := time.Date(2026, 11, 30, 23, 5, 0, 0, time.UTC)
	assert.Equal(t, "30 November 2026, 23:05 UTC", For("", "en").Date(at, time.UTC))
	assert.Equal(t, "1º dicembre 2026, 00:05 CET", For("", "it").Date(at, rome))
}

func TestAgoAndWait(t *testing.T) {
	w, now := For("", "en"), time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for passed, want := range map[time.Duration]string{
		-time.Hour: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 119 * time.Minute: "1 hour ago",
		25 * time.Hour: "1 day ago", 400 * 24 * time.Hour: "400 days ago",
	} {
		assert.Equal(t, want, w.Ago(now.Add(-passed), now))
	}
	assert.Equal(t, "1 second", w.Wait(0))
	assert.Equal(t, "3 seconds", w.Wait(2100*time.Millisecond))
	assert.Equal(t, "2 minutes", w.Wait(61*time.Second))
}

func TestCatalogueRefusesWhatIsAmbiguous(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"nothing":    {},
		"twice":      {"en/a.json": {Data: []byte(`{"k":"1"}`)}, "en/b.json": {Data: []byte(`{"k":"2"}`)}},
		"no JSON":    {"en/a.json": {Data: []byte(`{`)}},
		"a number":   {"en/a.json": {Data: []byte(`{"k":1}`)}},
		"one form":   {"en/a.json": {Data: []byte(`{"k":{"one":"x"}}`)}},
		"third form": {"en/a.json": {Data: []byte(`{"k":{"one":"x","other":"y","few":"z"}}`)}},
	} {
		_, err := read(files, "en")
		assert.Error(t, err, name)
	}
}

// FuzzFor gives any header: there is always an answer in one of the languages.
func FuzzFor(f *testing.F) {
	f.Add("it-IT,it;q=0.9", "")
	f.Add("*;q=0", "it")
	f.Fuzz(func(t *testing.T, header, chosen string) {
		assert.Contains(t, Languages(), For(header, chosen).Lang())
	})
}
