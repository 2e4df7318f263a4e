package record

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Form is what a card asks of whoever taps it: its answers are recorded together with the tap, where everybody can read them.
type Form []Field

// Field is one question of a form.
type Field struct {
	Name      string   `json:"name"` // of the answer in the record: a lower-case letter, then up to 31 letters and digits
	Label     Label    `json:"label"`
	Type      string   `json:"type"`
	Options   []string `json:"options,omitempty"` // of FieldChoice: what can be answered
	Required  bool     `json:"required,omitempty"`
	MaxLength uint32   `json:"maxLength,omitempty"` // of FieldText: characters, at most MaxText; 0 is DefaultText
}

// The types of fields.
const (
	FieldText     = "text"
	FieldNumber   = "number"
	FieldChoice   = "choice" // one of the options
	FieldDate     = "date"   // YYYY-MM-DD
	FieldCheckbox = "checkbox"
)

// The limits of a form. Beside them its settings have to fit in one message.
const (
	MaxFields   = 20
	MaxOptions  = 50
	MaxLabel    = 200 // characters of a label or an option
	MaxText     = 1000
	DefaultText = 200
)

// Label is a text in one language, under the name "", or in several, under their codes such as "en". In JSON the one is a string.
type Label map[string]string

// In returns the label in a language, else in English, else in the first language that there is.
func (l Label) In(lang string) string {
	for _, code := range []string{lang, "", "en"} {
		if text := l[code]; text != "" {
			return text
		}
	}
	for _, code := range slices.Sorted(maps.Keys(l)) {
		return l[code]
	}
	return ""
}

// MarshalJSON returns a string or an object.
func (l Label) MarshalJSON() ([]byte, error) {
	if text, one := l[""]; one && len(l) == 1 {
		return json.Marshal(text)
	}
	return json.Marshal(map[string]string(l))
}

// UnmarshalJSON reads a string, or an object of strings. The error is ErrMalformed.
func (l *Label) UnmarshalJSON(b []byte) error {
	if text, err := textOf(b); err == nil {
		*l = Label{"": text}
		return nil
	}
	o, err := parseObject(b)
	if err != nil {
		return err
	}
	*l = make(Label)
	for _, m := range o {
		if m.name == "" {
			return malformed("label without a language")
		}
		if (*l)[m.name], err = textOf(m.raw); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalJSON reads the list of fields as strictly as a body is read. What the fields say is not checked yet. The error is
// ErrMalformed.
func (f *Form) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return malformed("no list of fields")
	}
	*f = make(Form, len(list))
	for i, raw := range list {
		o, err := parseObject(raw)
		if err != nil {
			return err
		}
		if err := o.fill(reflect.ValueOf(&(*f)[i]).Elem()); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		*f = nil
	}
	return nil
}

var (
	fieldName    = regexp.MustCompile(`^[a-z][a-zA-Z0-9]{0,31}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2,3}$`)
)

// Check says what no form may be. The error is ErrMalformed.
func (f Form) Check() error {
	if len(f) > MaxFields {
		return malformed("form of %d fields: want at most %d", len(f), MaxFields)
	}
	names := make(map[string]bool)
	for _, field := range f {
		if err := field.check(); err != nil {
			return err
		}
		if names[field.Name] {
			return malformed("two fields %q", field.Name)
		}
		names[field.Name] = true
	}
	return nil
}

func (f Field) check() error {
	if !fieldName.MatchString(f.Name) {
		return malformed("field %.40q: want a lower-case letter, then up to 31 letters and digits", f.Name)
	}
	if err := f.Label.check(); err != nil {
		return err
	}
	types := []string{FieldText, FieldNumber, FieldChoice, FieldDate, FieldCheckbox}
	switch {
	case !slices.Contains(types, f.Type):
		return malformed("field %s: type %.40q", f.Name, f.Type)
	case (f.Type == FieldChoice) != (len(f.Options) > 0):
		return malformed("field %s: options are for a choice, and a choice needs them", f.Name)
	case f.Type != FieldText && f.MaxLength != 0 || f.MaxLength > MaxText:
		return malformed("field %s: maxLength is for a text, and at most %d", f.Name, MaxText)
	case len(f.Options) > MaxOptions:
		return malformed("field %s: %d options: want at most %d", f.Name, len(f.Options), MaxOptions)
	}
	for i, option := range f.Options {
		if slices.Contains(f.Options[:i], option) {
			return malformed("field %s: option %.40q is there twice", f.Name, option)
		}
		if err := checkLabel(option); err != nil {
			return err
		}
	}
	return nil
}

func (l Label) check() error {
	if len(l) == 0 {
		return malformed("field without a label")
	}
	for code, text := range l {
		if !languageCode.MatchString(code) && (code != "" || len(l) > 1) {
			return malformed("language %.40q of a label", code)
		}
		if err := checkLabel(text); err != nil {
			return err
		}
	}
	return nil
}

// checkLabel wants a text of one line that is not empty.
func checkLabel(text string) error {
	if text == "" || utf8.RuneCountInString(text) > MaxLabel {
		return malformed("label or option of %d characters: want 1 to %d", utf8.RuneCountInString(text), MaxLabel)
	}
	for _, r := range text {
		if r < ' ' || r == 0x7F {
			return malformed("label or option with the control character %U", r)
		}
	}
	return checkText(text)
}
