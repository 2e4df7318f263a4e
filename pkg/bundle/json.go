package bundle

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/productid/productid/pkg/record"
)

// maxNumber is the greatest integer of I-JSON (RFC 7493 §2.2).
const maxNumber = 1<<53 - 1

// reader reads what a bundle is made of, and nothing else of JSON: objects whose
// members are known and there once, lists, text, and numbers from 0 to 2^53-1. So it
// never looks at a byte twice, however hostile the file is, and two readers of
// one file see the same. The first error stays, and everything after it reads as empty.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: "+format, append([]any{ErrMalformed, r.at}, args...)...)
	}
}

// peek returns the next byte that is no white space, and 0 at the end or after an error.
func (r *reader) peek() byte {
	for r.err == nil && r.at < len(r.b) {
		switch c := r.b[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
	return 0
}

func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) want(c byte) {
	if !r.take(c) {
		r.fail("want %q", c)
	}
}

// object reads an object and returns the names of its members. member reads the
// value of one, and reports whether it knows the name.
func (r *reader) object(member func(name string) bool) names {
	seen := names{}
	r.want('{')
	for first := true; r.err == nil && !r.take('}'); first = false {
		if !first {
			r.want(',')
		}
		name := r.text()
		r.want(':')
		if r.err == nil && (seen[name] || !member(name)) {
			r.fail("member %.40q is unknown or repeated", name)
		}
		seen[name] = true
	}
	return seen
}

// exactly reads an object that has all of these members.
func (r *reader) exactly(members []string, member func(name string) bool) {
	seen := r.object(member)
	for _, name := range members {
		if !seen[name] {
			r.fail("member %q is missing", name)
		}
	}
}

// names are those of an object's members.
type names map[string]bool

// are reports whether there are these and no more.
func (n names) are(members ...string) bool {
	for _, name := range members {
		if !n[name] {
			return false
		}
	}
	return len(n) == len(members)
}

func (r *reader) list(element func()) {
	r.want('[')
	for first := true; r.err == nil && !r.take(']'); first = false {
		if !first {
			r.want(',')
		}
		element()
	}
}

// number reads an integer up to a greatest one, which is written as its digits.
func (r *reader) number(most uint64) uint64 {
	c := r.peek()
	from := r.at
	for r.at < len(r.b) && '0' <= r.b[r.at] && r.b[r.at] <= '9' {
		r.at++
	}
	n, err := strconv.ParseUint(string(r.b[from:r.at]), 10, 64)
	if err != nil || n > most || c == '0' && r.at > from+1 {
		r.fail("want a number from 0 to %d", most)
		return 0
	}
	return n
}

// text reads a string by the rules that package record has for them.
func (r *reader) text() string {
	r.want('"')
	from, plain := r.at, true
	for r.err == nil {
		if r.at >= len(r.b) || r.b[r.at] < ' ' {
			r.fail("text does not end")
			return ""
		}
		switch r.b[r.at] {
		case '"':
			r.at++
			return r.decode(from, plain)
		case '\\':
			plain = false
			r.at++
		default:
			plain = plain && r.b[r.at] < utf8.RuneSelf
		}
		r.at++
	}
	return ""
}

func (r *reader) decode(from int, plain bool) string {
	if plain {
		return string(r.b[from : r.at-1])
	}
	quoted := r.b[from-1 : r.at]
	var text string
	if err := record.CheckIJSON(quoted); err != nil {
		r.fail("%v", err)
	} else if err := json.Unmarshal(quoted, &text); err != nil {
		r.fail("%v", err)
	}
	return text
}

// bytes reads text in base64url without padding and stray bits.
func (r *reader) bytes() []byte {
	text := r.text()
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(text) { // the decoder skips line breaks
		r.fail("not unpadded base64url")
		return nil
	}
	return b
}

// end wants nothing more.
func (r *reader) end() {
	if r.peek() != 0 || r.at < len(r.b) {
		r.fail("something follows")
	}
}
