package office_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden pages anew")

var (
	mainPart = regexp.MustCompile(`(?s)<main.*</main>`)
	hashed   = regexp.MustCompile(`/static/(\w+)\.[0-9a-f]{12}`) // changes with each change of the stylesheet
)

// TestPagesInBothLanguages holds the main part of each page, in both languages, against testdata. Change them with -update only.
func TestPagesInBothLanguages(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	for _, lang := range []string{"en", "it"} {
		b.lang = lang
		for name, path := range w.shownPages() {
			body := b.get(w.in(path)).Body.String()
			main := hashed.ReplaceAllString(mainPart.FindString(body), "*")
			require.NotEmpty(t, main, path)
			file := filepath.Join("testdata", lang, name+".html")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(main+"\n"), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), main+"\n", "%s: the page changed; look at it, then run the test with -update", file)
			assert.NotRegexp(t, `office\.[a-z_]+\.|verdict\.[a-z_]+|\{[0-9n]\}|%!|ZgotmplZ|<nil>`, main, "%s: something was not said", file)
			assert.NotRegexp(t, `<script>|<style|\sstyle=|\son[a-z]+=|javascript:|src="http`, body, "%s: the site's policy allows files only", file)
		}
	}
}
