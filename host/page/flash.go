package page

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/productid/productid/host/words"
)

const (
	flashName    = "flash"
	maxFlash     = 1000 // bytes of the cookie
	flashSeconds = 60
)

// The tones of a flash message, a badge and a verdict. They choose colour and icon; the words say the same.
const (
	Good = "good" // yes
	Care = "care" // look twice
	Bad  = "bad"  // no
	Open = "open" // not known
)

// Flash is a message that one request leaves for the page that the reader sees next.
type Flash struct{ Tone, Text string }

// note is a Flash before it has a language. What comes back from a browser may be anybody's: it can choose among our texts only,
// and what it puts into their places is text.
type note struct {
	Tone string
	Key  string
	Args []string
}

// LeaveFlash leaves a text of package words, with args in its places, to be said once, on the next page of this browser. A message
// that is too long for a cookie is not left.
func (r *Renderer) LeaveFlash(w http.ResponseWriter, tone, key string, args ...string) {
	data, err := json.Marshal(note{tone, key, args})
	value := base64.RawURLEncoding.EncodeToString(data)
	if err != nil || len(value) > maxFlash {
		r.Log.Warn("message for the next page is too long", "key", key)
		return
	}
	r.setFlash(w, value, flashSeconds)
}

// flashCookie has the prefix that keeps a neighbouring host from setting it (RFC 6265bis, 4.1.3.2): what stands over a page is ours, and
// a shop beside us is not to put our "all is well" over the answer to a tap.
func (r *Renderer) flashCookie() string {
	if r.Secure {
		return "__Host-" + flashName
	}
	return flashName
}

func (r *Renderer) setFlash(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: r.flashCookie(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: r.Secure, SameSite: http.SameSiteLaxMode})
}

// takeFlash returns the message that was left for this browser, or nil, and removes it there.
func (r *Renderer) takeFlash(w http.ResponseWriter, q *http.Request, speak *words.Words) *Flash {
	c, err := q.Cookie(r.flashCookie())
	if err != nil {
		return nil
	}
	r.setFlash(w, "", -1)
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(c.Value) > maxFlash {
		return nil
	}
	var n note
	if json.Unmarshal(data, &n) != nil || !speak.Has(n.Key) {
		return nil
	}
	args := make([]any, len(n.Args))
	for i, a := range n.Args {
		args[i] = a
	}
	switch n.Tone {
	case Good, Care, Bad:
	default:
		n.Tone = Open
	}
	return &Flash{n.Tone, speak.T(n.Key, args...)}
}
