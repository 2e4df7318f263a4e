package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// What a browser keeps for us: a random name for repeating requests, receipts of what it recorded, and what was typed into a form
// that could not be recorded. The first two are worth something to a cheat, so the name is random and receipts are signed.
const (
	browserCookie  = "browser"
	receiptsCookie = "receipts"
	draftCookie    = "draft"

	browserAge  = 24 * time.Hour
	receiptsAge = 30 * 24 * time.Hour
	draftAge    = 10 * time.Minute

	browserSize = 16
	maxReceipts = 20
	maxDraft    = 3000 // bytes of the cookie's value: browsers take 4096 with its name
)

var cookieText = base64.RawURLEncoding.Strict()

// cookie returns the value of a cookie of ours, decoded, or nil.
func (s *Site) cookie(r *http.Request, name string) []byte {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil || len(c.Value) > maxDraft {
		return nil
	}
	value, err := cookieText.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	return value
}

// setCookie keeps a value in the browser; nil takes it away.
func (s *Site) setCookie(w http.ResponseWriter, name string, value []byte, age time.Duration) {
	c := &http.Cookie{Name: s.cookieName(name), Value: cookieText.EncodeToString(value), Path: "/", MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode}
	if value == nil {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (s *Site) secure() bool { return s.Base.Scheme == "https" }

// cookieName has the prefix that keeps a neighbouring host from setting our cookies (RFC 6265bis, 4.1.3.2).
func (s *Site) cookieName(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// browser returns the random name of the reader's browser, which it gets when it has none.
func (s *Site) browser(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if name := s.cookie(r, browserCookie); len(name) == browserSize {
		return name, nil
	}
	name := make([]byte, browserSize)
	if _, err := io.ReadFull(s.Random, name); err != nil {
		return nil, fmt.Errorf("naming a browser: %w", err)
	}
	s.setCookie(w, browserCookie, name, browserAge)
	return name, nil
}

// retryKey is the key of one browser's request for one tap. It follows from the browser's name, so that a page that was loaded anew
// asks under the same key.
func (s *Site) retryKey(browser []byte, id tap.CardID, counter uint32) string {
	key := channel.DeriveKey(s.Master, "web retry")
	mac := hmac.New(sha256.New, key[:])
	mac.Write(browser)
	mac.Write(id[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, counter))
	return cookieText.EncodeToString(mac.Sum(nil))
}

// retry names the request: by the browser, or where it keeps no cookies, by what its page brought along. It is nil where there is
// neither.
func (s *Site) retry(r *http.Request, t tap.URL) *validation.Retry {
	key := r.PostForm.Get(keyField)
	if name := s.cookie(r, browserCookie); len(name) == browserSize {
		key = s.retryKey(name, t.ID, t.Counter)
	}
	if len(key) != cookieText.EncodedLen(sha256.Size) {
		return nil
	}
	return &validation.Retry{Scope: "web", Key: key}
}

// receipt says that this browser recorded a tap, and when.
type receipt struct {
	card    tap.CardID
	counter uint32
	at      time.Time
}

const receiptSize = 12 + 4 + 8

func (e receipt) bytes() []byte {
	b := binary.BigEndian.AppendUint32(append([]byte(nil), e.card[:]...), e.counter)
	return binary.BigEndian.AppendUint64(b, uint64(e.at.UnixMilli()))
}

// receipts returns those that the browser holds, the newest first. What we did not sign is none.
func (s *Site) receipts(r *http.Request) (all []receipt) {
	value := s.cookie(r, receiptsCookie)
	signed := len(value) - sha256.Size
	if signed < 0 || signed%receiptSize != 0 || !hmac.Equal(value[signed:], s.signReceipts(value[:signed])) {
		return nil
	}
	for part := value[:signed]; len(part) > 0; part = part[receiptSize:] {
		e := receipt{counter: binary.BigEndian.Uint32(part[12:]), at: time.UnixMilli(int64(binary.BigEndian.Uint64(part[16:])))}
		copy(e.card[:], part)
		if s.Now().Sub(e.at) < receiptsAge {
			all = append(all, e)
		}
	}
	return all
}

func (s *Site) signReceipts(list []byte) []byte {
	key := channel.DeriveKey(s.Master, "web receipts")
	mac := hmac.New(sha256.New, key[:])
	mac.Write(list)
	return mac.Sum(nil)
}

// receiptOf returns the browser's receipt of a tap.
func (s *Site) receiptOf(r *http.Request, card tap.CardID, counter uint32) (receipt, bool) {
	for _, e := range s.receipts(r) {
		if e.card == card && e.counter == counter {
			return e, true
		}
	}
	return receipt{}, false
}

// addReceipt gives the browser one more receipt. Of too many it keeps the newest.
func (s *Site) addReceipt(w http.ResponseWriter, r *http.Request, added receipt) {
	list := added.bytes()
	for i, e := range s.receipts(r) {
		if i+1 < maxReceipts && (e.card != added.card || e.counter != added.counter) {
			list = append(list, e.bytes()...)
		}
	}
	s.setCookie(w, receiptsCookie, append(list, s.signReceipts(list)...), receiptsAge)
}

// draft is what was typed into the form of a card whose tap was lost to another: it waits for the next tap. It comes back from the
// browser as anybody's input.
type draft struct {
	Card   tap.CardID
	Values map[string]string
}

func (s *Site) draftOf(r *http.Request, card tap.CardID) map[string]string {
	var d draft
	if value := s.cookie(r, draftCookie); value == nil || json.Unmarshal(value, &d) != nil || d.Card != card {
		return nil
	}
	return d.Values
}

// keepDraft reports whether the browser was given the draft: one that is too long for a cookie is not kept.
func (s *Site) keepDraft(w http.ResponseWriter, d draft) bool {
	value, err := json.Marshal(d)
	if err != nil || cookieText.EncodedLen(len(value)) > maxDraft {
		return false
	}
	s.setCookie(w, draftCookie, value, draftAge)
	return true
}
