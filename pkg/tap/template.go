package tap

import (
	"fmt"
	"regexp"
	"strings"
)

// maxTemplate is the room for prefix and middle together, in bytes.
const maxTemplate = 120

// Template is the part of the tap URL that is the same at each tap:
//
//	Prefix ‖ card id ‖ Middle ‖ counter ‖ "&s=" ‖ signature
//
// It is written to the card before it is locked and cannot be changed after.
type Template struct{ Prefix, Middle string }

// PlainTemplate makes the usual template of an address such as https://tap.example.com/t. Parameters that the address has are
// kept. The error is that of Check.
func PlainTemplate(address string) (Template, error) {
	base, query, hasQuery := strings.Cut(address, "?")
	if host, found := strings.CutPrefix(base, templateScheme); found && !strings.Contains(host, "/") {
		base += "/"
	}
	prefix := base + "?i="
	if hasQuery && query != "" {
		prefix = base + "?" + query + "&i="
	}
	t := Template{Prefix: prefix, Middle: "&c="}
	return t, t.Check()
}

// URL returns what a card with this template serves.
func (t Template) URL(id CardID, counter uint32, signature []byte) string {
	return fmt.Sprintf("%s%v%s%08X&s=%s", t.Prefix, id, t.Middle, counter, base64url.EncodeToString(signature))
}

// UnsignedURL returns what a card with this template serves that does not sign; reason is Exhausted or ChallengeOnly.
func (t Template) UnsignedURL(id CardID, reason string) string {
	return fmt.Sprintf("%s%v%s%08X&x=%s", t.Prefix, id, t.Middle, 0, reason)
}

const templateScheme = "https://" // NDEF identifier code 04: the card stores it as one byte

// Check refuses what must not get on a card, by the rules that the card has too: a template that is not https, longer than 120
// bytes, with a fragment, user name, malformed percent sign or character outside RFC 3986, with a parameter i, c, s, v, k, n or x
// of its own or one whose name begins with a percent sign, or one whose URLs do not parse to the id and counter that were put in.
// The error is ErrMalformed.
func (t Template) Check() error {
	if len(t.Prefix)+len(t.Middle) > maxTemplate {
		return fmt.Errorf("%w: template of %d bytes: want at most %d", ErrMalformed, len(t.Prefix)+len(t.Middle), maxTemplate)
	}
	if !strings.HasPrefix(t.Prefix, templateScheme) {
		return fmt.Errorf("%w: template does not begin with https://", ErrMalformed)
	}
	for _, part := range []string{t.Prefix, t.Middle} {
		if err := checkCharacters(part); err != nil {
			return err
		}
	}
	if err := checkAuthority(t.Prefix[len(templateScheme):]); err != nil {
		return err
	}
	if err := t.checkSeams(); err != nil {
		return err
	}
	return t.checkSample()
}

// authority is what stands between https:// and the path: a host name of letters, digits and hyphens (RFC 1123 §2.1; other
// scripts in their ASCII form) or an IPv4 address, and perhaps a port. It is spelt out, so that every reader comes to the same
// answer.
const authority = `^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?$`

func checkAuthority(rest string) error {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if matched, err := regexp.MatchString(authority, rest[:end]); err != nil || !matched {
		return fmt.Errorf("%w: template: %.40q is no host name", ErrMalformed, rest[:end])
	}
	return nil
}

// checkSeams wants id and counter where they are looked for: the id as the value of i, or as the serial of a GS1 Digital Link
// (/21/ before any query), the counter as the value of c.
func (t Template) checkSeams() error {
	asParameter := endsWithParameter(t.Prefix, "i=") && strings.HasPrefix(t.Middle, "&")
	asSerial := strings.HasSuffix(t.Prefix, serialSegment) && !strings.Contains(t.Prefix, "?") && strings.HasPrefix(t.Middle, "?")
	if !asParameter && !asSerial {
		return fmt.Errorf("%w: template: the id is neither parameter i nor the serial after %s", ErrMalformed, serialSegment)
	}
	if !endsWithParameter(t.Middle, "c=") {
		return fmt.Errorf("%w: template: the counter is not parameter c", ErrMalformed)
	}
	return nil
}

func endsWithParameter(part, parameter string) bool {
	return strings.HasSuffix(part, "?"+parameter) || strings.HasSuffix(part, "&"+parameter)
}

// checkCharacters lets the characters of RFC 3986 §2 through, without '#', '[' and ']'.
func checkCharacters(part string) error {
	for i := range len(part) {
		switch c := part[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~:/?@!$&'()*+,;=", c) >= 0:
		case c == '%' && i+2 < len(part) && hexDigit(part[i+1]) >= 0 && hexDigit(part[i+2]) >= 0:
		case c == '%':
			return fmt.Errorf("%w: template: a percent sign without two hexadecimal digits", ErrMalformed)
		default:
			return fmt.Errorf("%w: template: character %q", ErrMalformed, c)
		}
	}
	return nil
}

// checkSample reads a URL of this template back as a verifier would.
func (t Template) checkSample() error {
	sample := URL{ID: CardID{1, 2, 3}, Counter: 0x89ABCDEF, Signature: make([]byte, P256.SignatureLen())}
	text := t.URL(sample.ID, sample.Counter, sample.Signature)
	read, err := Parse(text)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	if read.ID != sample.ID || read.Counter != sample.Counter {
		return fmt.Errorf("%w: template: id or counter is not where it is looked for", ErrMalformed)
	}
	return checkParameters(text)
}

// checkParameters refuses what Parse lets pass: those of our parameters that no template needs, and names in percent-encoding.
func checkParameters(text string) error {
	_, query, _ := strings.Cut(text, "?")
	for _, pair := range strings.Split(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		letter, _, ours := reservedKey(key)
		if ours && strings.IndexByte("vknx", letter) >= 0 || strings.HasPrefix(key, "%") {
			return fmt.Errorf("%w: template has a parameter %q of its own", ErrMalformed, key)
		}
	}
	return nil
}
