package record

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// FieldProblem says what is wrong with the answer to one field.
type FieldProblem struct {
	Field   string `json:"field"` // its name; "" for the answers as a whole
	Problem string `json:"problem"`
}

// What can be wrong with an answer.
const (
	ProblemUnknown   = "unknown"    // the form has no such field
	ProblemRequired  = "required"   // no answer where one has to be
	ProblemTooLong   = "too_long"   // more characters than the field takes, or all answers more than a record
	ProblemBadText   = "bad_text"   // characters that no text has
	ProblemNoNumber  = "no_number"  // not written as -12.5 is, or with more than 15 digits
	ProblemNoDate    = "no_date"    // no day of the calendar written as 2026-11-24
	ProblemNoOption  = "no_option"  // none of the options
	ProblemNoTick    = "no_tick"    // a checkbox is neither ticked nor not
	ProblemWrongType = "wrong_type" // a JSON value of another type than the field's
	ProblemNoObject  = "no_object"  // the payload is no JSON object
)

// maxAnswers is the size in bytes of the longest payload that Form makes: it fits in the record of a tap of any card.
const maxAnswers = 5000

// Payload returns the answers, by the names of their fields, as the JSON object that is recorded: a text, choice or date as a
// string, a number as a number, a checkbox as true or false; what was left empty is left out. White space around an answer is not
// part of it, and lines end with a line feed. Values of one meaning always give the same bytes. With problems there is no payload; they stand in the form's order.
func (f Form) Payload(values map[string]string) (json.RawMessage, []FieldProblem) {
	var problems []FieldProblem
	var answers bytes.Buffer
	for _, field := range f {
		answer, problem := field.answer(strings.TrimSpace(strings.ReplaceAll(values[field.Name], "\r\n", "\n")))
		if problem != "" {
			problems = append(problems, FieldProblem{field.Name, problem})
		}
		if answer == nil {
			continue
		}
		answers.WriteString(`,"` + field.Name + `":`)
		answers.Write(answer)
	}
	for name := range values {
		if !slices.ContainsFunc(f, func(field Field) bool { return field.Name == name }) {
			problems = append(problems, FieldProblem{"", ProblemUnknown})
			break
		}
	}
	if answers.Len() > maxAnswers {
		problems = append(problems, FieldProblem{"", ProblemTooLong})
	}
	if problems != nil {
		return nil, problems
	}
	return json.RawMessage("{" + strings.TrimPrefix(answers.String(), ",") + "}"), nil
}

// Read returns the answers of a payload that somebody else made, in the form of Payload, with the problems that Payload finds. The
// payload's values have the types that Payload gives them.
func (f Form) Read(payload json.RawMessage) (map[string]string, []FieldProblem) {
	o, err := parseObject(payload)
	if err != nil {
		return nil, []FieldProblem{{"", ProblemNoObject}}
	}
	values, problems := make(map[string]string), []FieldProblem(nil)
	for _, m := range o {
		i := slices.IndexFunc(f, func(field Field) bool { return field.Name == m.name })
		if i < 0 {
			problems = append(problems, FieldProblem{"", ProblemUnknown})
			continue
		}
		value, ok := f[i].value(m.raw)
		if !ok {
			problems = append(problems, FieldProblem{f[i].Name, ProblemWrongType})
			continue
		}
		values[m.name] = value
	}
	return values, problems
}

// value returns a JSON value as somebody would type it.
func (f Field) value(raw json.RawMessage) (string, bool) {
	switch f.Type {
	case FieldCheckbox:
		return string(raw), string(raw) == "true" || string(raw) == "false"
	case FieldNumber:
		return string(raw), raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9'
	}
	text, err := textOf(raw)
	return text, err == nil
}

// answer returns the JSON of one answer, nil for none.
func (f Field) answer(value string) (answer []byte, problem string) {
	if f.Type == FieldCheckbox {
		return f.tick(value)
	}
	if value == "" {
		if f.Required {
			return nil, ProblemRequired
		}
		return nil, ""
	}
	if problem := f.refuse(value); problem != "" {
		return nil, problem
	}
	if f.Type == FieldNumber {
		return []byte(value), ""
	}
	return quoted(value), ""
}

// tick reads a checkbox as browsers send it, and as a payload has it.
func (f Field) tick(value string) (answer []byte, problem string) {
	switch value {
	case "on", "true":
		return []byte("true"), ""
	case "", "false":
		if f.Required {
			return nil, ProblemRequired
		}
		return []byte("false"), ""
	}
	return nil, ProblemNoTick
}

// decimal is a number of JSON without an exponent.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// maxDigits are those that every reader's double keeps.
const maxDigits = 15

func (f Field) refuse(value string) string {
	switch f.Type {
	case FieldNumber:
		if !decimal.MatchString(value) || len(strings.Trim(strings.Replace(value, ".", "", 1), "-")) > maxDigits {
			return ProblemNoNumber
		}
	case FieldChoice:
		if !slices.Contains(f.Options, value) {
			return ProblemNoOption
		}
	case FieldDate:
		if day, err := time.Parse(time.DateOnly, value); err != nil || day.Year() == 0 {
			return ProblemNoDate
		}
	case FieldText:
		return f.refuseText(value)
	}
	return ""
}

func (f Field) refuseText(value string) string {
	if checkText(value) != nil || strings.ContainsFunc(value, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7F
	}) {
		return ProblemBadText
	}
	limit := int(f.MaxLength)
	if limit == 0 {
		limit = DefaultText
	}
	if utf8.RuneCountInString(value) > limit {
		return ProblemTooLong
	}
	return ""
}

// quoted returns a JSON string without escapes that it does not need.
func quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // text is a string
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
