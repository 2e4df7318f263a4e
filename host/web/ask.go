package web

import (
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/pkg/record"
)

// ask is a form that sends the tap to be recorded.
type ask struct {
	Action string // where it leads; "" is the page itself
	Hidden []hidden
	Fields []field
	Error  string // of the form as a whole
	Button string
	Hint   string
	AtOnce bool // the script sends it
	Form   bool // it asks for something
}

type hidden struct{ Name, Value string }

// field is one question, with what was typed.
type field struct {
	record.Field
	Name, ID, Label, Hint, Value, Error string
	Area                                bool
	Options                             []option
	Length                              uint32
}

type option struct {
	Value  string
	Chosen bool
}

// typedField is what was typed into a form that is of no use any more.
type typedField struct{ Label, Value string }

// newAsk returns the form without questions. It brings the request's key along, for browsers that keep no cookies.
func (v *visit) newAsk() *ask {
	a := &ask{Button: v.speak.T("tap.check"), Hidden: []hidden{{doField, doRecord}}}
	if v.pasted {
		a.Action = "/check"
		a.Hidden = append(a.Hidden, hidden{urlField, v.url})
	}
	browser, err := v.browser(v.w, v.r)
	if err != nil {
		v.Log.ErrorContext(v.r.Context(), "a request cannot be named", "error", err)
		return a // recorded all the same; only a repetition would not be known again
	}
	a.Hidden = append(a.Hidden, hidden{keyField, v.retryKey(browser, v.tap.ID, v.tap.Counter)})
	return a
}

// ask returns the form that a good tap is recorded by.
func (v *visit) ask(f desk.Finding) *ask {
	a := v.newAsk()
	a.Form = len(f.Settings.Form) > 0
	a.AtOnce = !a.Form && !v.pasted && byItself(v.r)
	if v.pasted {
		a.Hint = v.speak.T("check.record_hint")
	}
	if !a.Form {
		return a
	}
	a.Button = v.speak.T("tap.form_send")
	values := v.typed
	if len(values) == 0 && f.ID != nil {
		values = v.draftOf(v.r, *f.ID)
	}
	problems := map[string]string{}
	for _, p := range f.Problems {
		problems[p.Field] = v.problemText(p.Problem)
	}
	a.Error = problems[""]
	for _, question := range f.Settings.Form {
		a.Fields = append(a.Fields, v.field(question, values[question.Name], problems[question.Name]))
	}
	return a
}

func (v *visit) problemText(problem string) string {
	if key := "field." + problem; v.speak.Has(key) {
		return v.speak.T(key)
	}
	return v.speak.T("field.wrong_type")
}

// shortText is the longest text that is asked for in one line.
const shortText = 100

func (v *visit) field(question record.Field, value, problem string) field {
	f := field{Field: question, Name: fieldStart + question.Name, ID: "field-" + question.Name, Label: question.Label.In(v.speak.Lang()), Value: value, Error: problem}
	switch question.Type {
	case record.FieldText:
		f.Length = question.MaxLength
		if f.Length == 0 {
			f.Length = record.DefaultText
		}
		f.Area = f.Length > shortText
		f.Hint = v.speak.N("tap.hint_text", f.Length)
	case record.FieldNumber:
		f.Hint = v.speak.T("tap.hint_number")
	case record.FieldChoice:
		for _, o := range question.Options {
			f.Options = append(f.Options, option{o, o == value})
		}
	}
	return f
}

// askAgain offers the same request once more, with all that was typed: by the script itself where nothing was.
func (v *visit) askAgain(recording bool) *ask {
	a := v.newAsk()
	a.Button = v.speak.T("tap.again")
	if !recording {
		a.Hidden = append(a.Hidden, hidden{langField, v.speak.Lang()}) // who chooses a language only looks
	}
	for _, name := range slices.Sorted(maps.Keys(v.typed)) {
		a.Hidden = append(a.Hidden, hidden{fieldStart + name, v.typed[name]})
	}
	a.AtOnce = len(v.typed) == 0 && !v.pasted && byItself(v.r)
	return a
}

// perhapsMine offers a browser which asked before to find its own answer.
func (v *visit) perhapsMine() *ask {
	a := v.newAsk()
	a.Hint, a.Button = v.speak.T("tap.perhaps_mine"), v.speak.T("tap.perhaps_mine_ask")
	return a
}

// keepTyped shows what was typed for a tap that is lost, and keeps it for the card's next tap.
func (v *visit) keepTyped(a *answer, f desk.Finding) {
	for _, question := range f.Settings.Form {
		if value := strings.TrimSpace(v.typed[question.Name]); value != "" {
			a.Typed = append(a.Typed, typedField{question.Label.In(v.speak.Lang()), value})
		}
	}
	if len(a.Typed) > 0 && f.ID != nil {
		a.TypedKept = v.keepDraft(v.w, draft{*f.ID, v.typed})
	}
}

// supportLink makes an address, mail address or telephone number into what a link can hold: one of three schemes, and nothing else.
func supportLink(support string) template.URL {
	switch {
	case strings.HasPrefix(support, "https://"):
		return template.URL(support)
	case strings.HasPrefix(support, "+"):
		return template.URL("tel:" + url.PathEscape(strings.ReplaceAll(support, " ", "")))
	case strings.Contains(support, "@"):
		return template.URL("mailto:" + url.PathEscape(support))
	}
	return ""
}
