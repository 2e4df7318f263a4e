package office_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	describes = regexp.MustCompile(`<\w+ [^>]*aria-describedby="([^"]*)"[^>]*>`)
	stacked   = regexp.MustCompile(`(?s)<table class="stack".*?</table>`)
	inTable   = regexp.MustCompile(`<(?:table|thead|tbody|tr|th|td)(?:[^a-z][^>]*)?>`)
)

// TestWhatIsWrongIsReadWithItsField: whoever hears a page and not sees it is told what is wrong where he is.
func TestWhatIsWrongIsReadWithItsField(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	card := "/cards/" + w.bell.cards[1].ID().String()
	for path, c := range map[string]struct {
		form   url.Values
		fields []string
	}{
		"/people":           {url.Values{"role": {"king"}}, []string{"name", "role"}},
		"/keys":             {url.Values{"life": {"forever"}}, []string{"name", "scope", "life"}},
		"/notices/webhooks": {url.Values{"url": {"http://x"}}, []string{"url", "kind"}},
		"/products/new":     {url.Values{"name": {"Oil"}, "gtin": {"1"}}, []string{"gtin"}},
		"/issuer":           {url.Values{"website": {"ftp://x"}}, []string{"website"}},
		card + "/settings":  {url.Values{"url": {"http://x"}}, []string{"url"}},
		card + "/revoke":    {url.Values{"confirm": {"yes"}}, []string{"reason", "confirm"}},
	} {
		answer := b.post(w.in(path), c.form)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Code, path)
		body := answer.Body.String()
		var named []string
		for _, tag := range describes.FindAllStringSubmatch(body, -1) {
			for _, id := range strings.Fields(tag[1]) {
				assert.Equal(t, 1, strings.Count(body, ` id="`+id+`"`), "%s: %s", path, tag[0])
				if field, problem := strings.CutSuffix(id, "-problem"); problem {
					named = append(named, field)
				}
			}
		}
		assert.Equal(t, strings.Count(body, `class="error"`), len(named), path)
		for _, field := range named {
			assert.Contains(t, c.fields, field, path)
		}
		assert.NotEmpty(t, named, path)
		for _, tag := range regexp.MustCompile(`<[^>]*aria-invalid="true"[^>]*>`).FindAllString(body, -1) {
			assert.Regexp(t, `aria-describedby="[^"]*-problem"`, tag, path)
		}
	}
}

// TestTablesStayTables: where there is no room the stylesheet shows them as lists, for which some browsers forget what they are.
func TestTablesStayTables(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, table := range stacked.FindAllString(string(text), -1) {
			found++
			for _, tag := range inTable.FindAllString(table, -1) {
				assert.Contains(t, tag, ` role="`, "%s: %s", file, tag)
			}
		}
	}
	assert.Greater(t, found, 8)
}
