package gs1

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	maxURI = 2048

	// canonicalStem is where the numbers of GS1 live when nobody else's address is meant (URI Syntax §4.12).
	canonicalStem = "https://id.gs1.org"
)

// Link is a GS1 Digital Link: a key, and what makes it more precise.
type Link struct {
	// Stem is what stands before the key: scheme, host and perhaps a path, without a slash at its end. "" is https://id.gs1.org.
	Stem       string
	Key        Element
	Qualifiers []Element // in the order that the key wants
	Attributes []Element // further application identifiers, in the query
	Extra      []string  // other parts of the query, as they stand there: "name=value"
}

// Parse takes a URI apart. The key is the last one in the path; what stands before it is the issuer's own affair, as are
// parameters of the query whose name is no number. A GTIN of 8, 12 or 13 digits gets its zeros, scheme and host their lower case;
// a fragment is dropped. The error is ErrMalformed, and *WrongCheckDigit for a number with a mistyped digit.
func Parse(uri string) (Link, error) {
	uri, _, _ = strings.Cut(uri, "#")
	if len(uri) > maxURI {
		return Link{}, fmt.Errorf("%w: URI longer than %d bytes", ErrMalformed, maxURI)
	}
	address, query, _ := strings.Cut(uri, "?")
	stem, path, err := splitAddress(address)
	if err != nil {
		return Link{}, err
	}
	l := Link{Stem: stem}
	if err := l.readPath(path); err != nil {
		return Link{}, err
	}
	if err := l.readQuery(query); err != nil {
		return Link{}, err
	}
	return l, l.Check()
}

// authority is a host name or an address, and perhaps a port: nobody's name and password.
var authority = regexp.MustCompile(`^([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// splitAddress returns scheme and host, and the path behind them, of an http or https URI.
func splitAddress(address string) (origin, path string, err error) {
	scheme, rest, found := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "https" && scheme != "http" {
		return "", "", fmt.Errorf("%w: URI does not begin with https:// or http://", ErrMalformed)
	}
	host, path, _ := strings.Cut(rest, "/")
	host = strings.ToLower(host)
	if !authority.MatchString(host) {
		return "", "", fmt.Errorf("%w: %.40q is no host name", ErrMalformed, host)
	}
	return scheme + "://" + host, path, nil
}

// readPath finds the key: the path ends in pairs of an application identifier and its value, the first of which is the key's.
func (l *Link) readPath(path string) error {
	segments := strings.Split(path, "/")
	var values []string
	for _, s := range segments {
		value, err := decodeSegment(s)
		if err != nil {
			return err
		}
		values = append(values, value)
	}
	at := len(segments) - 2
	for at >= 2 && AI(segments[at]).isQualifier() {
		at -= 2
	}
	if at < 0 || !AI(segments[at]).isKey() {
		return fmt.Errorf("%w: the path does not end in a key of GS1 and its qualifiers", ErrMalformed)
	}
	if at > 0 {
		l.Stem += "/" + strings.Join(segments[:at], "/")
	}
	l.Key = Element{AI(segments[at]), values[at+1]}
	if l.Key.AI == KeyGTIN {
		gtin, err := ParseGTIN(l.Key.Value)
		if err != nil {
			return err
		}
		l.Key.Value = string(gtin)
	}
	for i := at + 2; i < len(segments); i += 2 {
		if raw := segments[i+1]; !isEncoded(raw) {
			return errReserved(AI(segments[i]))
		}
		l.Qualifiers = append(l.Qualifiers, Element{AI(segments[i]), values[i+1]})
	}
	if !isEncoded(segments[at+1]) {
		return errReserved(l.Key.AI)
	}
	return nil
}

func errReserved(a AI) error {
	return fmt.Errorf("%w: %s: a character that has to be percent-coded in a URI", ErrMalformed, a.Name())
}

// readQuery parts attributes, whose names are numbers, from everything else. It splits at '&' alone.
func (l *Link) readQuery(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		name, err := decode(name)
		if err != nil {
			return err
		}
		value, err := decode(raw)
		if err != nil {
			return err
		}
		switch {
		case pair == "":
		case name == "" || !all(name, isDigit):
			l.Extra = append(l.Extra, pair)
		case !isEncoded(raw):
			return errReserved(AI(name))
		default:
			l.Attributes = append(l.Attributes, Element{AI(name), value})
		}
	}
	return nil
}

// Check refuses a link that could not be written, or not be read back as it is. The error is ErrMalformed.
func (l Link) Check() error {
	if err := l.checkStem(); err != nil {
		return err
	}
	if err := checkPath(l.Key.AI, l.Qualifiers); err != nil {
		return err
	}
	seen := map[AI]bool{}
	for _, e := range l.elements() {
		if err := e.Check(); err != nil {
			return err
		}
		if seen[e.AI] {
			return fmt.Errorf("%w: %s is there twice", ErrMalformed, e.AI.Name())
		}
		seen[e.AI] = true
	}
	for _, q := range l.Qualifiers {
		if _, err := decodeSegment(encode(q.Value)); err != nil {
			return fmt.Errorf("%s: %w", q.AI.Name(), err)
		}
	}
	for _, pair := range l.Extra {
		if err := checkExtra(pair); err != nil {
			return err
		}
	}
	if n := len(l.String()); n > maxURI {
		return fmt.Errorf("%w: URI of %d bytes: want at most %d", ErrMalformed, n, maxURI)
	}
	return nil
}

func checkExtra(pair string) error {
	name, _, _ := strings.Cut(pair, "=")
	name, err := decode(name)
	if _, bad := decode(pair); err != nil || bad != nil || pair == "" || strings.Contains(pair, "&") || name != "" && all(name, isDigit) {
		return fmt.Errorf("%w: %.40q is no parameter of a query beside those of GS1", ErrMalformed, pair)
	}
	return nil
}

func (l Link) checkStem() error {
	if l.Stem == "" {
		return nil
	}
	origin, path, err := splitAddress(l.Stem)
	if err != nil {
		return err
	}
	rest, isOrigin := strings.CutPrefix(l.Stem, origin) // false for one that is not in lower case
	if !isOrigin || rest != "" && path == "" {
		return fmt.Errorf("%w: %.80q cannot stand before a key", ErrMalformed, l.Stem)
	}
	if rest == "" {
		return nil
	}
	for segment := range strings.SplitSeq(path, "/") {
		if _, err := decodeSegment(segment); err != nil || strings.Contains(segment, "?") {
			return fmt.Errorf("%w: %.80q cannot stand before a key", ErrMalformed, l.Stem)
		}
	}
	return nil
}

func (l Link) elements() []Element {
	return append(append([]Element{l.Key}, l.Qualifiers...), l.Attributes...)
}

// Value returns the value of an application identifier, wherever it stands in the link, or "".
func (l Link) Value(a AI) string {
	for _, e := range l.elements() {
		if e.AI == a {
			return e.Value
		}
	}
	return ""
}

// Path returns key and qualifiers as they stand in a URI: "/01/09520123456788/21/4711".
func (l Link) Path() string {
	var b strings.Builder
	for _, e := range append([]Element{l.Key}, l.Qualifiers...) {
		b.WriteString("/" + string(e.AI) + "/" + encode(e.Value))
	}
	return b.String()
}

// String returns the URI of a link that Check accepts. Parse gives the same link again, with the Stem spelt out.
func (l Link) String() string {
	stem := l.Stem
	if stem == "" {
		stem = canonicalStem
	}
	var query []string
	for _, e := range l.Attributes {
		query = append(query, string(e.AI)+"="+encode(e.Value))
	}
	query = append(query, l.Extra...)
	if len(query) == 0 {
		return stem + l.Path()
	}
	return stem + l.Path() + "?" + strings.Join(query, "&")
}

// Canonical returns the one form by which two links to the same thing are compared, whoever serves them: at id.gs1.org, attributes
// in the order of their application identifiers, and nothing that is not of GS1 (URI Syntax §4.12).
func (l Link) Canonical() string {
	attributes := slices.Clone(l.Attributes)
	slices.SortFunc(attributes, func(a, b Element) int { return strings.Compare(string(a.AI), string(b.AI)) })
	return Link{Key: l.Key, Qualifiers: l.Qualifiers, Attributes: attributes}.String()
}
