package edge

import (
	"net/url"
	"strings"
)

// cut stands where something was taken out.
const cut = "…"

// longest is how many characters in a row that could be part of a secret may stand in a log: the 16 of a card's id do, and no secret
// is as short.
const longest = 19

// secretNames are the parameters whose values are secrets whatever they look like: a tap's signature, a redirect's token, what an
// OpenID provider sends back.
var secretNames = map[string]bool{"s": true, "productid": true, "token": true, "code": true, "state": true, "key": true, "secret": true}

// Redact returns a URL, or what a client sent in place of one, without its secrets: the values of parameters that bear them, also
// where the name is percent-encoded or in capitals, and every run of 20 or more characters that base64url or percent-encoding could
// have made, wherever it stands. So no 20 characters of a signature, a token or a key remain, and whatever is not ASCII is left as
// it is.
func Redact(address string) string {
	path, query, asked := strings.Cut(address, "?")
	if !asked {
		return cutRuns(path)
	}
	var b strings.Builder
	b.WriteString(cutRuns(path))
	b.WriteByte('?')
	for rest, more := query, true; more; {
		end := strings.IndexAny(rest, "&;?")
		pair := rest
		if more = end >= 0; more {
			pair = rest[:end]
		}
		b.WriteString(redactPair(pair))
		if more {
			b.WriteByte(rest[end])
			rest = rest[end+1:]
		}
	}
	return b.String()
}

// redactPair is Redact of one parameter.
func redactPair(pair string) string {
	name, value, valued := strings.Cut(pair, "=")
	switch {
	case !valued:
		return cutRuns(name)
	case secretNames[strings.ToLower(strings.TrimSpace(plain(name)))] && value != "":
		return cutRuns(name) + "=" + cut
	}
	return cutRuns(name) + "=" + cutRuns(value)
}

// plain undoes percent-encoding as often as it was done, within reason; where that is malformed the text stays as it is.
func plain(text string) string {
	for range 4 {
		decoded, err := url.QueryUnescape(text)
		if err != nil || decoded == text {
			break
		}
		text = decoded
	}
	return text
}

// cutRuns cuts each long run that may be a secret.
func cutRuns(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && mayBeSecret(text[end]) {
			end++
		}
		if end-i > longest {
			b.WriteString(cut)
		} else {
			b.WriteString(text[i:end])
		}
		if end < len(text) {
			b.WriteByte(text[end])
			end++
		}
		i = end
	}
	return b.String()
}

// mayBeSecret holds for the characters of base64url, standard base64 apart from the slash, and percent-encoding.
func mayBeSecret(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '%' || c == '+'
}
