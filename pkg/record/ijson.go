package record

import (
	"bytes"
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

// checkIJSON says whether b is one I-JSON value (RFC 7493) and nothing else. encoding/json alone would mend bad UTF-8 and lone
// surrogates, and take the last of two members of one name: two readers of one body would then see two records.
func checkIJSON(b []byte) error {
	if !utf8.Valid(b) {
		return malformed("not UTF-8")
	}
	if !json.Valid(b) {
		return malformed("not JSON")
	}
	if err := checkSurrogates(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return checkValue(d, 0)
}

// checkSurrogates finds halves of a surrogate pair that stand alone. In valid JSON a backslash occurs in strings only and begins
// an escape.
func checkSurrogates(b []byte) error {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		unit, isUnit := escapedUnit(b[i:])
		switch {
		case !isUnit:
			i++ // the escaped character
		case unit < 0xD800 || unit > 0xDFFF:
			i += unitLen - 1
		default:
			low, isUnit := escapedUnit(b[i+unitLen:])
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

// checkValue reads the next value of d, of which the grammar is known to hold.
func checkValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return malformed("not JSON")
	}
	switch token := token.(type) {
	case string:
		return checkText(token)
	case json.Number:
		return checkNumber(token)
	case json.Delim:
		if depth == maxDepth {
			return malformed("nested deeper than %d", maxDepth)
		}
		if token == '{' {
			return checkObject(d, depth+1)
		}
		return checkArray(d, depth+1)
	}
	return nil // true, false, null
}

func checkObject(d *json.Decoder, depth int) error {
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		name, isString := token.(string)
		if err != nil || !isString {
			return malformed("not JSON")
		}
		if err := checkText(name); err != nil {
			return err
		}
		if seen[name] {
			return malformed("member %.40q is there twice", name)
		}
		seen[name] = true
		if err := checkValue(d, depth); err != nil {
			return err
		}
	}
	return checkEnd(d)
}

func checkArray(d *json.Decoder, depth int) error {
	for d.More() {
		if err := checkValue(d, depth); err != nil {
			return err
		}
	}
	return checkEnd(d)
}

// checkEnd reads the closing bracket.
func checkEnd(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return malformed("not JSON")
	}
	return nil
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
func checkNumber(n json.Number) error {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return malformed("number out of range")
	}
	if !strings.ContainsAny(n.String(), ".eE") && math.Abs(f) > maxInteger {
		return malformed("integer beyond 2^53-1")
	}
	return nil
}

// object is a JSON object whose members are found by their exact name; encoding/json would take "Kind" for "kind".
type object map[string]json.RawMessage

// parseObject reads an object out of I-JSON.
func parseObject(b []byte) (object, error) {
	var o object
	if err := json.Unmarshal(b, &o); err != nil || o == nil {
		return nil, malformed("not an object")
	}
	return o, nil
}

// fill sets the fields of the struct v from the members that their json tags name. A field without omitempty must be there; null
// is nothing's value. Members that no field names are left alone.
func (o object) fill(v reflect.Value) error {
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		raw, present := o[name]
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

func fillField(raw json.RawMessage, field reflect.Value) error {
	if string(raw) == "null" {
		return malformed("null")
	}
	if field.Kind() == reflect.Struct {
		inner, err := parseObject(raw)
		if err != nil {
			return err
		}
		return inner.fill(field)
	}
	if err := json.Unmarshal(raw, field.Addr().Interface()); err != nil {
		return malformed("not a value of its kind")
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}
