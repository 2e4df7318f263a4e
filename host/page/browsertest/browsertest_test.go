package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/page/browsertest"
)

// recorder is a testing.TB that keeps what a check reports.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, strings.TrimSpace(format))
}

func (r *recorder) Helper() {}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	b := browsertest.Open(t)
	pages := map[string]struct {
		body  string
		wrong bool
	}{
		"good":       {`<h1>Good</h1><p>Nothing is wrong here.</p>`, false},
		"no label":   {`<h1>Form</h1><input name="a">`, true},
		"too wide":   {`<h1>Wide</h1><div class="wide">x</div>`, true},
		"inline":     {`<h1>Script</h1><p onclick="alert(1)">x</p><script>1</script>`, true},
		"other host": {`<h1>Host</h1><img alt="dot" src="http://127.0.0.1:9/dot.png">`, true},
	}
	for name, p := range pages {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/style.css" {
					w.Header().Set("Content-Type", "text/css")
					w.Write([]byte(`.wide { width: 3000px }`))
					return
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src *")
				w.Write([]byte(`<!doctype html><html lang="en"><head><title>T</title><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/style.css"></head><body><main>` + p.body + `</main></body></html>`))
			}))
			defer s.Close()
			r := &recorder{TB: t}
			tab := b.Tab(r, browsertest.Phone, "en")
			tab.Go(s.URL)
			tab.Check()
			if p.wrong {
				assert.NotEmpty(t, r.errors)
			} else {
				assert.Empty(t, r.errors)
			}
		})
	}
}
