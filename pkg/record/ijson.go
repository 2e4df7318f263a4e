package record

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxDepth   = 16        // of objects and arrays in each other
	maxInteger = 1<<53 - 1 // RFC 7493 §2.2: what every reader's double holds exactly
)

// CheckIJSON says whether b is one I-JSON value (RFC 7493) and nothing else.
func CheckIJSON(b []byte) error {
	s, err := newScanner(b)
	if err != nil {
		return err
	}
	return s.value()
}

// object is a JSON object in the order of its members. They are found by their exact name; encoding/json would take "Kind" for
// "kind".
type object []member

type member struct {
	name string
	raw  []byte // the value as it stands
}

func (o object) get(name string) (raw []byte, present bool) {
	for _, m := range o {
		if m.name == name {
			return m.raw, true
		}
	}
	return nil, false
}

// parseObject reads b, which is to be one I-JSON object.
func parseObject(b []byte) (object, error) {
	s, err := newScanner(b)
	if err != nil {
		return nil, err
	}
	if s.space(); b[s.at] != '{' {
		return nil, malformed("not an object")
	}
	return s.object()
}

// scanner walks through JSON whose grammar is known to hold, and finds what I-JSON forbids beside: encoding/json alone would mend
// bad UTF-8 and lone surrogates, and take the last of two members of one name: two readers of one body would then see two records.
type scanner struct {
	b     []byte
	at    int
	depth int
}

func newScanner(b []byte) (*scanner, error) {
	if !utf8.Valid(b) {
		return nil, malformed("not UTF-8")
	}
	if !json.Valid(b) {
		return nil, malformed("not JSON")
	}
	return &scanner{b: b}, nil
}

func (s *scanner) space() {
	for s.at < len(s.b) && strings.IndexByte(" \t\r\n", s.b[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) value() error {
	s.space()
	var err error
	switch c := s.b[s.at]; {
	case c == '{':
		_, err = s.object()
	case c == '[':
		err = s.array()
	case c == '"':
		_, err = s.text()
	case c == '-' || '0' <= c && c <= '9':
		err = checkNumber(string(s.plain()))
	default:
		s.plain() // true, false, null
	}
	return err
}

func (s *scanner) enter() error {
	s.at++
	if s.depth++; s.depth > maxDepth {
		return malformed("nested deeper than %d", maxDepth)
	}
	return nil
}

// next goes to the next element of an object or array, and reports whether there is one; else it is behind the closing bracket.
func (s *scanner) next() bool {
	s.space()
	if s.b[s.at] == ',' {
		s.at++
		s.space()
	}
	if c := s.b[s.at]; c == '}' || c == ']' {
		s.at++
		s.depth--
		return false
	}
	return true
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	for s.next() {
		if err := s.value(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) object() (object, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	var o object
	for s.next() {
		name, err := s.text()
		if err != nil {
			return nil, err
		}
		if _, twice := o.get(name); twice {
			return nil, malformed("member %.40q is there twice", name)
		}
		s.space()
		s.at++ // the colon
		s.space()
		from := s.at
		if err := s.value(); err != nil {
			return nil, err
		}
		o = append(o, member{name, s.b[from:s.at]})
	}
	return o, nil
}

// plain reads up to the end of a number or word.
func (s *scanner) plain() []byte {
	from := s.at
	for s.at < len(s.b) && strings.IndexByte(",]} \t\r\n", s.b[s.at]) < 0 {
		s.at++
	}
	return s.b[from:s.at]
}

func (s *scanner) text() (string, error) {
	from := s.at
	for s.at++; s.b[s.at] != '"'; s.at++ {
		if s.b[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	raw := s.b[from:s.at]
	if err := checkSurrogates(raw); err != nil {
		return "", err
	}
	text, err := textOf(raw)
	if err != nil {
		return "", err
	}
	return text, checkText(text)
}

// textOf decodes a JSON string.
func textOf(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", malformed("not text")
	}
	if inner := raw[1 : len(raw)-1]; !strings.Contains(string(inner), `\`) {
		return string(inner), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", malformed("not text")
	}
	return text, nil
}

// checkSurrogates finds halves of a surrogate pair that stand alone.
func checkSurrogates(raw []byte) error {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		unit, isUnit := escapedUnit(raw[i:])
		switch {
		case !isUnit:
			i++ // the escaped character
		case unit < 0xD800 || unit > 0xDFFF:
			i += unitLen - 1
		default:
			low, isUnit := escapedUnit(raw[i+unitLen:])
			if unit > 0xDBFF || !isUnit || low < 0xDC00 || low > 0xDFFF {
				return malformed("half a surrogate pair")
			}
			i += 2*unitLen - 1
		}
	}
	return nil
}

const unitLen = len(`\uD83D`)

// escapedUnit reads the \uXXXX that b begins with.
func escapedUnit(b []byte) (unit uint64, ok bool) {
	if len(b) < unitLen || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(b[2:unitLen]), 16, 16)
	return unit, err == nil
}

// checkText refuses what is no Unicode text for everybody (RFC 7493 §2.1): bad UTF-8 and noncharacters.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return malformed("text is not UTF-8")
	}
	for _, r := range s {
		if 0xFDD0 <= r && r <= 0xFDEF || r&0xFFFE == 0xFFFE {
			return malformed("text holds the noncharacter %U", r)
		}
	}
	return nil
}

// checkNumber refuses what a double does not hold: an integer beyond 2^53-1, anything beyond its range.
func checkNumber(n string) error {
	f, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return malformed("number out of range")
	}
	if !strings.ContainsAny(n, ".eE") && math.Abs(f) > maxInteger {
		return malformed("integer beyond 2^53-1")
	}
	return nil
}

// fill sets the fields of the struct v from the members that their json tags name. A field without omitempty must be there; null
// is nothing's value. Members that no field names are left alone.
func (o object) fill(v reflect.Value) error {
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		raw, present := o.get(name)
		if !present {
			if option == "omitempty" {
				continue
			}
			return malformed("member %q is missing", name)
		}
		if err := fillField(raw, v.Field(i)); err != nil {
			return fmt.Errorf("member %q: %w", name, err)
		}
	}
	return nil
}

func fillField(raw []byte, field reflect.Value) (err error) {
	switch field.Kind() {
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		return fillField(raw, field.Elem())
	case reflect.Struct:
		inner, err := parseObject(raw)
		if err != nil {
			return err
		}
		return inner.fill(field)
	}
	switch value := field.Addr().Interface().(type) {
	case *string:
		*value, err = textOf(raw)
	case *uint32:
		*value, err = parseUint32(raw)
	case *bool:
		err = json.Unmarshal(raw, value)
	case *[]string:
		*value, err = textsOf(raw)
	case *json.RawMessage:
		*value = raw
	case json.Unmarshaler:
		err = value.UnmarshalJSON(raw)
	case encoding.TextUnmarshaler:
		var text string
		if text, err = textOf(raw); err == nil {
			err = value.UnmarshalText([]byte(text))
		}
	}
	if err != nil || string(raw) == "null" {
		return malformed("not a value of its kind")
	}
	return nil
}

// textsOf reads a list of JSON strings.
func textsOf(raw []byte) ([]string, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var texts []string
	for _, one := range list {
		text, err := textOf(one)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// parseUint32 reads a JSON number that is written as an integer.
func parseUint32(raw []byte) (uint32, error) {
	n, err := strconv.ParseUint(string(raw), 10, 32)
	return uint32(n), err
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}
