package gs1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/gs1"
)

const article = "https://e.example/01/09520123456788"

// good are URIs with what they are in the form that String and Canonical write.
var good = []struct{ uri, text, canonical string }{
	{article, article, "/01/09520123456788"},
	{"https://e.example/01/9520123456788", article, "/01/09520123456788"},
	{"https://e.example/01/614141123452", "https://e.example/01/00614141123452", "/01/00614141123452"},
	{"https://e.example/01/96385074", "https://e.example/01/00000096385074", "/01/00000096385074"},
	{"HTTPS://E.Example/01/09520123456788", article, "/01/09520123456788"},
	{"http://127.0.0.1:8080/01/09520123456788", "http://127.0.0.1:8080/01/09520123456788", "/01/09520123456788"},
	{"https://[2001:DB8::1]:8443/01/09520123456788", "https://[2001:db8::1]:8443/01/09520123456788", "/01/09520123456788"},
	{"https://e.example/my/shop/01/09520123456788", "https://e.example/my/shop/01/09520123456788", "/01/09520123456788"},
	{"https://e.example/01/x/01/09520123456788", "https://e.example/01/x/01/09520123456788", "/01/09520123456788"},
	{"https://e.example/21/x/01/09520123456788/21/y", "https://e.example/21/x/01/09520123456788/21/y", "/01/09520123456788/21/y"},
	{"https://e.example/a%2Fb/01/09520123456788", "https://e.example/a%2Fb/01/09520123456788", "/01/09520123456788"},
	{article + "/22/2A/10/L-7/21/4711", article + "/22/2A/10/L-7/21/4711", "/01/09520123456788/22/2A/10/L-7/21/4711"},
	{article + "/10/a%2fb/21/%2B%25", article + "/10/a%2Fb/21/%2B%25", "/01/09520123456788/10/a%2Fb/21/%2B%25"},
	{article + "/21/%2D%41%5F", article + "/21/-A_", "/01/09520123456788/21/-A_"},
	{article + "/21/a%22b", article + "/21/a%22b", "/01/09520123456788/21/a%22b"},
	{article + "/21/a%252F", article + "/21/a%252F", "/01/09520123456788/21/a%252F"}, // decoded once
	{article + "/21/01", article + "/21/01", "/01/09520123456788/21/01"},
	{article + "/21/21", article + "/21/21", "/01/09520123456788/21/21"},
	{article + "/21/...", article + "/21/...", "/01/09520123456788/21/..."},
	{article + "/21/sCwcVia7OYj7c-_W?c=0000002A&s=ab-_", article + "/21/sCwcVia7OYj7c-_W?c=0000002A&s=ab-_", "/01/09520123456788/21/sCwcVia7OYj7c-_W"},
	{article + "/21/4711?i=sCwcVia7OYj7c7jW&c=0000002A&s=ab", article + "/21/4711?i=sCwcVia7OYj7c7jW&c=0000002A&s=ab", "/01/09520123456788/21/4711"},
	{article + "?x&17=271231&utm=a;b&&11=260101&linkType=gs1:pip", article + "?17=271231&11=260101&x&utm=a;b&linkType=gs1:pip", "/01/09520123456788?11=260101&17=271231"},
	{article + "?%31%37=271231", article + "?17=271231", "/01/09520123456788?17=271231"},
	{article + "?10=a%2Bb", article + "?10=a%2Bb", "/01/09520123456788?10=a%2Bb"},
	{"HTTPS://Shop.Example/x/01/9520123456788/10/a%2fb?utm=1&17=271231", "https://shop.example/x/01/09520123456788/10/a%2Fb?17=271231&utm=1", "/01/09520123456788/10/a%2Fb?17=271231"},
	{article + "?", article, "/01/09520123456788"},
	{article + "#top", article, "/01/09520123456788"},
	{article + "?a=1#?17=2", article + "?a=1", "/01/09520123456788"},
	{"https://e.example/00/376104250021234569", "https://e.example/00/376104250021234569", "/00/376104250021234569"},
	{"https://e.example/414/9520123456788/254/32a%2Fb", "https://e.example/414/9520123456788/254/32a%2Fb", "/414/9520123456788/254/32a%2Fb"},
	{"https://e.example/8003/09520123456788abc", "https://e.example/8003/09520123456788abc", "/8003/09520123456788abc"},
	{"https://e.example/8004/9520123A", "https://e.example/8004/9520123A", "/8004/9520123A"},
	{"https://e.example/8004/9520123A?7003=2712312359", "https://e.example/8004/9520123A?7003=2712312359", "/8004/9520123A?7003=2712312359"},
}

func TestParseReadsAndStringWrites(t *testing.T) {
	for _, row := range good {
		l, err := gs1.Parse(row.uri)
		require.NoError(t, err, row.uri)
		assert.Equal(t, row.text, l.String())
		assert.Equal(t, "https://id.gs1.org"+row.canonical, l.Canonical(), row.uri)
		assert.True(t, strings.HasPrefix(row.canonical, l.Path()), row.uri)
		again, err := gs1.Parse(l.String())
		require.NoError(t, err, row.uri)
		assert.Equal(t, l, again, row.uri)
	}
}

func TestParseTellsTheParts(t *testing.T) {
	l, err := gs1.Parse(article + "/22/v/10/l/21/s?17=271231&c=1")
	require.NoError(t, err)
	assert.Equal(t, gs1.Link{
		Stem: "https://e.example", Key: gs1.Element{AI: gs1.KeyGTIN, Value: "09520123456788"},
		Qualifiers: []gs1.Element{{AI: gs1.Variant, Value: "v"}, {AI: gs1.Lot, Value: "l"}, {AI: gs1.Serial, Value: "s"}},
		Attributes: []gs1.Element{{AI: "17", Value: "271231"}}, Extra: []string{"c=1"},
	}, l)
	assert.Equal(t, "", l.Value(gs1.GLNExtension))
}

// bad are URIs that nobody should take for a GS1 Digital Link.
var bad = []string{
	"", "x", "//e.example/01/09520123456788", "ftp://e.example/01/09520123456788", "https:///01/09520123456788", "urn:gs1:01:09520123456788",
	"https://u@e.example/01/09520123456788", "https://u:p@e.example/01/09520123456788", "https://e.example:123456/01/09520123456788", "https://e example/01/09520123456788",
	"https://e.example", "https://e.example/", "https://e.example/01", "https://e.example/01/", "https://e.example/shop/x",
	"https://e.example/01/09520123456787", "https://e.example/01/0952012345678", "https://e.example/01/0952012345678x", "https://e.example/gtin/09520123456788",
	article + "/", article + "//", article + "/21", article + "/21/", article + "/21//10/x", "https://e.example//01/09520123456788", "https://e.example/./01/09520123456788",
	article + "/10/./21/x", article + "/10/../21/x", article + "/21/%2E%2e", article + "/21/.",
	article + "/21/x/10/y", article + "/10/x/22/y", article + "/10/x/10/y", article + "/10/x/y", article + "/254/x", article + "/99/x", article + "/17/271231",
	"https://e.example/00/376104250021234569/21/x", "https://e.example/8004/9520123A/21/x", "https://e.example/414/9520123456788/21/x", "https://e.example/21/x", "https://e.example/10/x/21/y",
	article + "/10/" + strings.Repeat("x", 21), article + "/21/%", article + "/21/%2", article + "/21/%zz", article + "/21/a%", article + "/21/%C3%A4", article + "/21/%00", article + "/21/ä",
	article + "/21/a+b", article + "/21/a:b", article + "/21/a!b", article + "/21/a(b)", article + "/21/a*b", article + "/21/a'b", article + "/21/a,b", article + "/21/a;b", article + "/21/a=b", article + "/21/a&b",
	article + "/21/a~b", article + `/21/a"b`, article + "/21/a b", article + "/21/a%20b", article + "/21/a<b", article + `/21/a\b`, article + "/21/a@b", article + "/21/a$b", article + "/21/a%7Eb",
	article + "?17=2712", article + "?17", article + "?17=", article + "?17=271231&17=271231", article + "?17=271231;10=x", article + "?12345=1", article + "?1=1", article + "?60=1", article + "?01=09520123456788",
	article + "/10/x?10=y", article + "?a=%", article + "?%=a", article + "?10=a+b", article + `?a="`, article + "?a=[", article + "?a=ä", article + "?%31%37=2", article + "?%3=1",
	"https://e.example/00/376104250021234568", "https://e.example/414/9520123456789", "https://e.example/8003/09520123456787", "https://e.example/8003/19520123456785", "https://e.example/8004/" + strings.Repeat("1", 31),
	"https://e.example/a%/01/09520123456788", "https://e.example/%2E%2E/01/09520123456788", article + "?a=" + strings.Repeat("x", maxAddress),
}

func TestParseRefuses(t *testing.T) {
	for _, uri := range bad {
		l, err := gs1.Parse(uri)
		assert.ErrorIs(t, err, gs1.ErrMalformed, "%s is read as %v", uri, l)
	}
}

// TestCheckRefusesWhatCannotBeWritten: links that nobody parsed.
func TestCheckRefusesWhatCannotBeWritten(t *testing.T) {
	sound := func() gs1.Link {
		return gs1.Link{Stem: "https://e.example", Key: gs1.Element{AI: gs1.KeyGTIN, Value: "09520123456788"}}
	}
	require.NoError(t, sound().Check())
	for _, stem := range []string{"", "https://e.example/shop", "http://localhost:8080", "https://e.example/a%20b"} {
		l := sound()
		l.Stem = stem
		assert.NoError(t, l.Check(), stem)
	}
	for _, stem := range []string{"https://e.example/", "https://E.example", "HTTPS://e.example", "https://e.example/a/", "https://e.example//a", "https://e.example/..", "https://e.example/a?b", "https://e.example?b",
		"https://e.example#b", "https://e.example/a#b", "e.example", "https://u@e.example", "https://e.example/%", "https://e.example/a b", "/"} {
		l := sound()
		l.Stem = stem
		assert.ErrorIs(t, l.Check(), gs1.ErrMalformed, stem)
	}
	for _, extra := range []string{"", "a&b", "17=271231", "%31%37=271231", "a=%", "a#b", "a b", "ä=1"} {
		l := sound()
		l.Extra = []string{extra}
		assert.ErrorIs(t, l.Check(), gs1.ErrMalformed, extra)
	}
	l := sound()
	l.Qualifiers = []gs1.Element{{AI: gs1.Lot, Value: ".."}}
	assert.ErrorIs(t, l.Check(), gs1.ErrMalformed)
	l = sound()
	l.Attributes = []gs1.Element{{AI: gs1.KeyGTIN, Value: "09520123456788"}}
	assert.ErrorIs(t, l.Check(), gs1.ErrMalformed, "twice")
	assert.ErrorIs(t, gs1.Link{Stem: "https://e.example"}.Check(), gs1.ErrMalformed, "no key")
}

// FuzzParse: what is read is written and read again as the same, and its canonical form is one.
func FuzzParse(f *testing.F) {
	for _, row := range good {
		f.Add(row.uri)
	}
	for _, uri := range bad {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		l, err := gs1.Parse(uri)
		if err != nil {
			require.ErrorIs(t, err, gs1.ErrMalformed)
			return
		}
		again, err := gs1.Parse(l.String())
		require.NoError(t, err, l.String())
		require.Equal(t, l, again)
		if len(l.Canonical()) > maxAddress { // id.gs1.org is longer than the host that was there
			return
		}
		canonical, err := gs1.Parse(l.Canonical())
		require.NoError(t, err, l.Canonical())
		require.Equal(t, l.Canonical(), canonical.Canonical())
		require.Equal(t, l.Path(), canonical.Path())
	})
}

// FuzzParseGTIN: what is taken has 14 digits, and is taken again as itself.
func FuzzParseGTIN(f *testing.F) {
	for _, text := range []string{"09520123456788", "9520123456788", "614141123452", "96385074", "09520123456789", "", "0952012345678x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := gs1.ParseGTIN(text)
		if err != nil {
			require.ErrorIs(t, err, gs1.ErrMalformed)
			return
		}
		require.Len(t, string(g), 14)
		require.True(t, strings.HasSuffix(string(g), text))
		again, err := gs1.ParseGTIN(string(g))
		require.NoError(t, err)
		require.Equal(t, g, again)
	})
}
