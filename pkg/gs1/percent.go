package gs1

import (
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// encode writes a value so that it can stand in a path or a query: what RFC 3986 §2.3 does not leave as it is, is percent-coded.
func encode(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; isUnreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// decode undoes percent-coding, once. It refuses a percent sign without two hexadecimal digits behind it, and what may stand
// neither in a segment of a path nor in a query (RFC 3986 §3.3, §3.4).
func decode(text string) (string, error) {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '%':
			if i+2 >= len(text) || hexDigit(text[i+1]) < 0 || hexDigit(text[i+2]) < 0 {
				return "", fmt.Errorf("%w: a percent sign without two hexadecimal digits", ErrMalformed)
			}
			b = append(b, byte(hexDigit(text[i+1])<<4|hexDigit(text[i+2])))
			i += 2
		case isUnreserved(c), strings.IndexByte("!$&'()*+,;=:@/?", c) >= 0:
			b = append(b, c)
		default:
			return "", fmt.Errorf("%w: the character %q may not stand in a URI", ErrMalformed, c)
		}
	}
	return string(b), nil
}

// decodeSegment decodes one segment of a path. It refuses those by which a browser would go to another address than the one that
// stands there (RFC 3986 §5.2.4), and one that is empty.
func decodeSegment(segment string) (string, error) {
	value, err := decode(segment)
	if err != nil {
		return "", err
	}
	if value == "" || value == "." || value == ".." {
		return "", fmt.Errorf("%w: %q cannot be a segment of a path", ErrMalformed, value)
	}
	return value, nil
}

// isEncoded reports whether everything that means something in a URI is percent-coded, as GS1 wants it in values: then '+' can be
// taken for no blank (URI Syntax §4.1).
func isEncoded(raw string) bool {
	return all(raw, func(c byte) bool { return isUnreserved(c) || c == '%' })
}

func isUnreserved(c byte) bool {
	return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("-._~", c) >= 0
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
