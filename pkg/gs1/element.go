package gs1

import (
	"fmt"
	"slices"
	"strings"
)

// AI is an application identifier: two to four digits that say what the value beside them means.
type AI string

// The application identifiers that may stand in the path of a Link.
const (
	KeySSCC AI = "00"   // serial shipping container code: 18 digits
	KeyGTIN AI = "01"   // global trade item number: 14 digits
	KeyGLN  AI = "414"  // global location number of a place: 13 digits
	KeyGRAI AI = "8003" // global returnable asset identifier: 0, 13 digits and up to 16 characters
	KeyGIAI AI = "8004" // global individual asset identifier: up to 30 characters

	Variant      AI = "22"  // consumer product variant: up to 20 characters
	Lot          AI = "10"  // batch or lot: up to 20 characters
	Serial       AI = "21"  // serial number: up to 20 characters
	GLNExtension AI = "254" // what is inside a place: up to 20 characters
)

// Element is an application identifier with its value, which is not percent-coded.
type Element struct {
	AI    AI
	Value string
}

// format is what the value of an application identifier looks like: digits, the last of which may check the others, then
// characters of set 82.
type format struct {
	name    string
	digits  int
	checked bool
	more    [2]int // how many characters follow, least and most
}

// formats are those of the application identifiers above (General Specifications §3, figure 3.2-1).
var formats = map[AI]format{
	KeySSCC: {"SSCC", 18, true, [2]int{}},
	KeyGTIN: {"GTIN", gtinDigits, true, [2]int{}},
	KeyGLN:  {"GLN", 13, true, [2]int{}},
	KeyGRAI: {"GRAI", 14, true, [2]int{0, 16}},
	KeyGIAI: {"GIAI", 0, false, [2]int{1, 30}},

	Variant:      {"variant", 0, false, [2]int{1, 20}},
	Lot:          {"lot", 0, false, [2]int{1, 20}},
	Serial:       {"serial number", 0, false, [2]int{1, 20}},
	GLNExtension: {"extension of a GLN", 0, false, [2]int{1, 20}},
}

// qualifiers of each key in the order in which they stand (URI Syntax §4.9, gs1path).
var qualifiers = map[AI][]AI{
	KeySSCC: {},
	KeyGTIN: {Variant, Lot, Serial},
	KeyGLN:  {GLNExtension},
	KeyGRAI: {},
	KeyGIAI: {},
}

// Keys returns the application identifiers that can be the key of a Link, in order.
func Keys() []AI { return []AI{KeySSCC, KeyGTIN, KeyGLN, KeyGRAI, KeyGIAI} }

// isKey reports whether the path of a Link can begin with it.
func (a AI) isKey() bool { _, key := qualifiers[a]; return key }

// isQualifier reports whether it may stand behind some key.
func (a AI) isQualifier() bool { _, known := formats[a]; return known && !a.isKey() }

// Name returns what GS1 calls the value: "GTIN", "lot", …; for one that this package does not know, "AI 17".
func (a AI) Name() string {
	if f, known := formats[a]; known {
		return f.name
	}
	return "AI " + string(a)
}

// format returns what is known of an application identifier; false for digits that are none.
func (a AI) format() (format, bool) {
	if f, known := formats[a]; known {
		return f, true
	}
	if len(a) < 2 || !all(string(a), isDigit) || len(a) != aiLength(string(a[:2])) {
		return format{}, false
	}
	f := format{name: a.Name()}
	switch start := string(a[:2]); {
	case start == "02", start == "03":
		f.digits, f.checked = gtinDigits, true
	case "11" <= start && start <= "19", "31" <= start && start <= "36":
		f.digits = 6
	case start == "20":
		f.digits = 2
	case start == "41":
		f.digits, f.checked = 13, true
	default:
		f.more = [2]int{1, 90}
	}
	return f, true
}

// aiLength returns how many digits an application identifier has that begins with these two; 0 where none does (General
// Specifications §7.8, and the URI Syntax's table of first digits).
func aiLength(start string) int {
	switch {
	case start <= "04", "10" <= start && start <= "22", start == "30", start == "37", "90" <= start:
		return 2
	case "23" <= start && start <= "25", "40" <= start && start <= "42", start == "71":
		return 3
	case "31" <= start && start <= "36", start == "39", start == "43", start == "70", start == "72", "80" <= start && start <= "82":
		return 4
	}
	return 0
}

// Check refuses a value that its application identifier does not allow: a wrong length, a character outside the set, a wrong
// check digit (*WrongCheckDigit). Of application identifiers that this package does not name, the values of predefined length are
// checked (General Specifications §7.8.5), and others for 1 to 90 characters of set 82. The error is ErrMalformed.
func (e Element) Check() error {
	f, known := e.AI.format()
	if !known {
		return fmt.Errorf("%w: %.10q is no application identifier", ErrMalformed, e.AI)
	}
	n := len(e.Value)
	if n < f.digits+f.more[0] || n > f.digits+f.more[1] {
		return fmt.Errorf("%w: %s: %d characters: want %s", ErrMalformed, f.name, n, f.length())
	}
	if !all(e.Value[:f.digits], isDigit) {
		return fmt.Errorf("%w: %s: %.40q: want digits", ErrMalformed, f.name, e.Value[:f.digits])
	}
	if !all(e.Value, is82) {
		return fmt.Errorf("%w: %s: a character that GS1 does not allow", ErrMalformed, f.name)
	}
	if e.AI == KeyGRAI && e.Value[0] != '0' { // it fills the number up to the length of a GTIN
		return fmt.Errorf("%w: GRAI: it does not begin with 0", ErrMalformed)
	}
	if !f.checked {
		return nil
	}
	want, err := CheckDigit(e.Value[:f.digits-1])
	if got := e.Value[f.digits-1]; err == nil && got != want {
		return &WrongCheckDigit{f.name, got, want}
	}
	return err
}

// length says in words how long a value is.
func (f format) length() string {
	least, most := f.digits+f.more[0], f.digits+f.more[1]
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// checkPath refuses a key that is none, and qualifiers that it does not have, or not in this order.
func checkPath(key AI, found []Element) error {
	if !key.isKey() {
		return fmt.Errorf("%w: %.10q is no key of a Digital Link that is known here", ErrMalformed, key)
	}
	order := qualifiers[key]
	for _, q := range found {
		at := slices.Index(order, q.AI)
		if at < 0 {
			return fmt.Errorf("%w: %.10q may not stand there: behind the key %s come, in this order, %v", ErrMalformed, q.AI, key, qualifiers[key])
		}
		order = order[at+1:]
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// is82 reports whether a character is of set 82 (General Specifications §7.11, figure 7.11-1).
func is82(c byte) bool {
	return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte(`!"%&'()*+,-./:;<=>?_`, c) >= 0
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
