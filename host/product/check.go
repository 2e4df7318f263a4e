package product

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/productid/productid/pkg/gs1"
)

// Limits, in characters where nothing else is said.
const (
	MaxName      = 80
	MaxText      = 4000
	MaxURL       = 2000 // bytes
	MaxLanguages = 12
	MaxHosts     = 20
)

// Reason says in one word what is wrong with a value.
type Reason string

// The reasons.
const (
	Missing   Reason = "missing"
	TooLong   Reason = "too_long"
	BadText   Reason = "bad_text"   // not UTF-8, or with control characters
	BadURL    Reason = "bad_url"    // no absolute https address
	OtherHost Reason = "other_host" // an address on a host that the issuer did not name
	BadGTIN   Reason = "bad_gtin"   // not 8, 12, 13 or 14 digits
	BadDigit  Reason = "bad_digit"  // a GTIN whose last digit does not check the others
	BadHost   Reason = "bad_host"
	BadReach  Reason = "bad_reach" // neither https address, nor mail address, nor telephone number
	BadLang   Reason = "bad_language"
	TooMany   Reason = "too_many"
)

// Invalid says which value cannot be kept, and why.
type Invalid struct {
	Field  string // name, website, support, hosts, gtin, text, url
	Reason Reason
	Should string // with BadDigit: the digit that should stand there
}

func (i *Invalid) Error() string {
	return fmt.Sprintf("%s of a product or issuer: %s", i.Field, i.Reason)
}

func invalid(field string, r Reason) *Invalid { return &Invalid{Field: field, Reason: r} }

// check returns the first Invalid.
func (f Face) check(local bool) error {
	if err := checkText("name", f.Name, MaxName, false); err != nil {
		return err
	}
	if f.Website != "" {
		if err := CheckURL(f.Website, local); err != nil {
			return invalid("website", BadURL)
		}
	}
	if f.Support != "" && Reach(f.Support) == "" {
		return invalid("support", BadReach)
	}
	if len(f.Hosts) > MaxHosts {
		return invalid("hosts", TooMany)
	}
	for _, host := range f.Hosts {
		if !isHost(host) {
			return invalid("hosts", BadHost)
		}
	}
	return nil
}

// Allows reports whether a product's page may be at this address.
func (f Face) Allows(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (len(f.Hosts) == 0 || slices.Contains(f.Hosts, strings.ToLower(u.Host)))
}

func (p Product) check(local bool) error {
	if p.Name == "" {
		return invalid("name", Missing)
	}
	if err := checkText("name", p.Name, MaxName, false); err != nil {
		return err
	}
	if len(p.Text) > MaxLanguages {
		return invalid("text", TooMany)
	}
	for _, lang := range slices.Sorted(maps.Keys(p.Text)) {
		if !language.MatchString(lang) {
			return invalid("text", BadLang)
		}
		if err := checkText("text", p.Text[lang], MaxText, true); err != nil {
			return err
		}
	}
	if err := checkGTIN(p.GTIN); err != nil {
		return err
	}
	if p.URL != "" && CheckURL(p.URL, local) != nil {
		return invalid("url", BadURL)
	}
	return nil
}

var language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$`)

// checkText refuses what is too long, and characters that say nothing or turn the reading direction of what stands beside them.
func checkText(field, text string, limit int, lines bool) error {
	if len(text) > utf8.UTFMax*limit || utf8.RuneCountInString(text) > limit {
		return invalid(field, TooLong)
	}
	if !utf8.ValidString(text) {
		return invalid(field, BadText)
	}
	for _, r := range text {
		line := lines && (r == '\n' || r == '\r')
		if unicode.IsControl(r) && !line || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\uffff' {
			return invalid(field, BadText)
		}
	}
	return nil
}

// CheckURL refuses what is not an absolute https address of at most MaxURL bytes without user name: nothing else may stand in a
// link that people follow. With local it also takes http addresses of this machine. The error is *Invalid.
func CheckURL(text string, local bool) error {
	bad := invalid("url", BadURL)
	if len(text) > MaxURL || checkText("url", text, MaxURL, false) != nil || strings.ContainsAny(text, " \\") {
		return bad
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || !isHost(strings.ToLower(u.Host)) {
		return bad
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local || !isLocal(u.Hostname())) {
		return bad
	}
	return nil
}

func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

var (
	hostName  = regexp.MustCompile(`^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)(:[0-9]{1,5})?$`)
	telephone = regexp.MustCompile(`^\+[0-9][0-9 ()./-]{4,28}[0-9]$`)
)

func isHost(text string) bool { return len(text) <= 255 && hostName.MatchString(text) }

// Reach returns the link behind an issuer's Support: https:, mailto: or tel:; "" for a text that is none of these.
func Reach(support string) string {
	if CheckURL(support, false) == nil {
		return support
	}
	if telephone.MatchString(support) {
		return "tel:+" + strings.Map(digit, support[1:])
	}
	if a, err := mail.ParseAddress(support); err == nil && a.Address == support && len(support) <= 254 {
		return (&url.URL{Scheme: "mailto", Opaque: url.PathEscape(support)}).String()
	}
	return ""
}

func digit(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

// checkGTIN lets a GTIN in any of its lengths pass, and none at all.
func checkGTIN(text string) error {
	_, err := gs1.ParseGTIN(text)
	if wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err); mistyped {
		return &Invalid{"gtin", BadDigit, string(wrong.Want)}
	}
	if text != "" && err != nil {
		return invalid("gtin", BadGTIN)
	}
	return nil
}
