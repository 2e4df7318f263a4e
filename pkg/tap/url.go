package tap

import (
	"fmt"
	"strings"
)

const (
	maxURL      = 2048
	counterText = 8
)

// Why a card served a URL without a signature, as URL.Unsigned says it.
const (
	// Exhausted: the card's counter came to its end.
	Exhausted = "exhausted"
	// ChallengeOnly: the card was set to answer challenges only.
	ChallengeOnly = "challenge"
)

// URL is what a card said in a tap URL.
type URL struct {
	ID        CardID
	Counter   uint32 // 1 and up; 0 when unsigned
	Signature []byte // raw form, see Algorithm; nil when unsigned
	Unsigned  string // "", Exhausted or ChallengeOnly
}

// Parse takes a tap URL apart: host and path, order of parameters, further parameters and fragment do not matter. The error is
// ErrMalformed, ErrUnsupported, or ErrUnsigned, and with ErrUnsigned the URL is filled. It only accepts https.
func Parse(s string) (URL, error) { return Parser{}.Parse(s) }

// Parser is Parse with options.
type Parser struct {
	// AllowHTTP also accepts http, for a development server. Cards never hold such a URL.
	AllowHTTP bool
}

// Parse does what the function Parse does, with the parser's options.
func (p Parser) Parse(s string) (URL, error) {
	path, query, err := p.split(s)
	if err != nil {
		return URL{}, err
	}
	params, err := readParameters(query)
	if err != nil {
		return URL{}, err
	}
	if v := params.of('v'); v.present && v.value != "1" {
		return URL{}, fmt.Errorf("%w: version %q of the tap format", ErrUnsupported, v.value)
	}
	var u URL
	if u.ID, err = ParseCardID(idOf(path, &params)); err != nil {
		return URL{}, err
	}
	if u.Counter, err = parseCounter(params.of('c').value); err != nil {
		return URL{}, err
	}
	if !params.of('s').present {
		return u.withoutSignature(params.of('x').value)
	}
	return u.withSignature(params.of('s').value)
}

// IsMeant reports whether the raw query of an address has a parameter that only taps have, i, c, s or v: then a card made the address, or
// somebody wants it to look so, whether Parse takes it or not. Without one it may stand printed on a product, as a GS1 Digital Link.
func IsMeant(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		switch key, _, _ := strings.Cut(pair, "="); key {
		case "i", "c", "s", "v":
			return true
		}
	}
	return false
}

// split returns path and raw query after the checks on the URL as a whole.
func (p Parser) split(s string) (path, query string, err error) {
	if len(s) > maxURL {
		return "", "", fmt.Errorf("%w: URL longer than %d bytes", ErrMalformed, maxURL)
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", "", fmt.Errorf("%w: URL is not ASCII", ErrMalformed)
		}
	}
	s, _, _ = strings.Cut(s, "#")
	scheme, rest, found := strings.Cut(s, "://")
	if !found || !p.allows(scheme) {
		return "", "", fmt.Errorf("%w: URL does not begin with https://", ErrMalformed)
	}
	rest, query, _ = strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(authority, "@") {
		return "", "", fmt.Errorf("%w: URL holds a user name", ErrMalformed)
	}
	return path, query, nil
}

func (p Parser) allows(scheme string) bool {
	return strings.EqualFold(scheme, "https") || p.AllowHTTP && strings.EqualFold(scheme, "http")
}

// parameter is one of our parameters, verbatim: never percent-decoded.
type parameter struct {
	value   string
	present bool
}

// reserved are the letters of our parameters; k and n are kept for later versions.
const reserved = "icsvknx"

// parameters holds our parameters in the order of reserved.
type parameters [len(reserved)]parameter

func (p *parameters) of(letter byte) *parameter { return &p[strings.IndexByte(reserved, letter)] }

// readParameters splits on '&' only. It refuses a parameter of ours that is there twice or written with a percent sign: two
// readers of one URL must never see two values.
func readParameters(query string) (parameters, error) {
	var params parameters
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		letter, encoded, ours := reservedKey(key)
		if !ours {
			continue
		}
		if encoded {
			return params, fmt.Errorf("%w: parameter %q is percent-encoded", ErrMalformed, letter)
		}
		if params.of(letter).present {
			return params, fmt.Errorf("%w: parameter %q is there twice", ErrMalformed, letter)
		}
		*params.of(letter) = parameter{value, true}
	}
	return params, nil
}

// reservedKey says whether key is one of our letters, in the clear or as %XX.
func reservedKey(key string) (letter byte, encoded, ours bool) {
	switch {
	case len(key) == 1:
		letter = key[0]
	case len(key) == 3 && key[0] == '%':
		high, low := hexDigit(key[1]), hexDigit(key[2])
		if high < 0 || low < 0 {
			return 0, false, false
		}
		letter, encoded = byte(high<<4|low), true
	default:
		return 0, false, false
	}
	return letter, encoded, strings.IndexByte(reserved, letter) >= 0
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

const serialSegment = "/21/" // GS1 application identifier 21, as a Digital Link writes it

// idOf returns parameter i or, as a GS1 Digital Link has it, the segment after the last /21/ of the path.
func idOf(path string, params *parameters) string {
	if i := params.of('i'); i.present {
		return i.value
	}
	path = "/" + path
	at := strings.LastIndex(path, serialSegment)
	if at < 0 {
		return ""
	}
	segment, _, _ := strings.Cut(path[at+len(serialSegment):], "/")
	return segment
}

func parseCounter(text string) (uint32, error) {
	if len(text) != counterText {
		return 0, fmt.Errorf("%w: counter: want %d upper-case hexadecimal digits", ErrMalformed, counterText)
	}
	var counter uint32
	for i := range len(text) {
		digit := hexDigit(text[i])
		if digit < 0 || text[i] >= 'a' {
			return 0, fmt.Errorf("%w: counter: want upper-case hexadecimal digits", ErrMalformed)
		}
		counter = counter<<4 | uint32(digit)
	}
	return counter, nil
}

func (u URL) withoutSignature(reason string) (URL, error) {
	if u.Counter != 0 || reason != Exhausted && reason != ChallengeOnly {
		return URL{}, fmt.Errorf("%w: no signature", ErrMalformed)
	}
	u.Unsigned = reason
	return u, fmt.Errorf("%w: %s", ErrUnsigned, reason)
}

func (u URL) withSignature(text string) (URL, error) {
	if u.Counter == 0 {
		return URL{}, fmt.Errorf("%w: counter 0 with a signature", ErrMalformed)
	}
	for _, a := range []Algorithm{P256, RSA2048} {
		signature := make([]byte, a.SignatureLen())
		if len(text) != base64url.EncodedLen(len(signature)) {
			continue
		}
		if !decode(signature, text) {
			return URL{}, fmt.Errorf("%w: signature is not base64url", ErrMalformed)
		}
		u.Signature = signature
		return u, nil
	}
	return URL{}, fmt.Errorf("%w: signature of %d characters: want 86 or 342", ErrMalformed, len(text))
}
