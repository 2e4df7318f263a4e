// Package words says things to people in their language: the texts of the website, of the operators' pages and of the pages that
// explain a refusal, with numbers, dates and plurals as a reader of that language expects them.
//
// A language is a folder of JSON files beside this one, each an object of texts by key; a room adds its texts in a file of its own.
// A text is a string, or an object of plural forms ("one", "other"). {1}, {2} … stand for the arguments, in plural forms {n} for the
// number. Tests hold every language to the same keys and the same places.
//
// Texts are plain text: whoever puts them into HTML escapes them.
//
// # Concurrency
//
// A [Words] may be used by many goroutines.
package words

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// maxHeader is how much of an Accept-Language header is read, in bytes: browsers send less than a tenth of it.
const maxHeader = 1000

// Words speaks one language.
type Words struct {
	tag     language.Tag
	lang    string
	texts   catalogue
	printer *message.Printer
}

// Text is what is said about one code: what it is called, what it means, and what to do next.
type Text struct{ Title, Means, Next string }

// Languages returns the languages that there are, as in HTML's lang attribute; the first is what readers of any other get.
func Languages() []string { return []string{"en", "it"} }

// For returns the words for a reader who chose a language, or who chose none and whose browser sent this Accept-Language header.
// Both may come from anywhere: what cannot be read is English.
func For(acceptLanguage, chosen string) *Words {
	all := speakers()
	for _, w := range all {
		if w.lang == chosen {
			return w
		}
	}
	if len(acceptLanguage) > maxHeader {
		return all[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return all[0]
	}
	var offered []language.Tag
	for _, w := range all {
		offered = append(offered, w.tag)
	}
	_, index, _ := language.NewMatcher(offered).Match(wanted...)
	return all[index]
}

// Lang returns the language, as in HTML's lang attribute.
func (w *Words) Lang() string { return w.lang }

// Has reports whether there is a text with this key.
func (w *Words) Has(key string) bool {
	_, has := w.texts[key]
	return has
}

// T returns the text with this key, with args in its places: numbers as the language writes them, anything else as fmt.Sprint
// does. A key without a text is returned as it is, so that what is missing is seen.
func (w *Words) T(key string, args ...any) string {
	return w.fill(w.texts[key].text(plural.Other, key), args)
}

// N is T in the plural form of the number n, which is an integer of any type and stands at {n}.
func (w *Words) N(key string, n any, args ...any) string {
	form := plural.Cardinal.MatchPlural(w.tag, pluralOperand(n), 0, 0, 0, 0)
	return w.fill(strings.ReplaceAll(w.texts[key].text(form, key), "{n}", w.Number(n)), args)
}

// Number returns an integer or another value as the language writes it in text.
func (w *Words) Number(n any) string {
	switch n.(type) {
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return w.printer.Sprint(n)
	}
	return fmt.Sprint(n)
}

// Verdict returns what a code of package validation, or of a tap that could not be decided, means to whoever holds the phone. A
// code that is none gets its own name for a title.
func (w *Words) Verdict(code string) Text { return w.about("verdict." + code) }

// Problem returns what a problem of the API means to whoever calls it, and false for a code that is none.
func (w *Words) Problem(code string) (Text, bool) {
	key := "problem." + code
	if !w.Has(key + ".title") {
		return Text{}, false
	}
	return w.about(key), true
}

// Problems returns the codes of all problems of the API, in alphabetical order.
func Problems() []string {
	var codes []string
	for _, key := range speakers()[0].texts.keys() {
		code, isTitle := strings.CutSuffix(key, ".title")
		if code, isProblem := strings.CutPrefix(code, "problem."); isTitle && isProblem {
			codes = append(codes, code)
		}
	}
	return codes
}

func (w *Words) about(key string) Text {
	return Text{w.T(key + ".title"), w.T(key + ".means"), w.T(key + ".next")}
}

// fill puts the arguments into their places. It reads the text once, so that an argument which looks like a place stays what it is.
func (w *Words) fill(text string, args []any) string {
	if len(args) == 0 {
		return text
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		place, after, _ := strings.Cut(rest, "}")
		n, err := strconv.Atoi(place)
		if err != nil || n < 1 || n > len(args) {
			out.WriteByte('{')
			text = rest
			continue
		}
		out.WriteString(w.Number(args[n-1]))
		text = after
	}
}

// pluralOperand is the number as the plural rules want it: its last digits, and large when it is large.
func pluralOperand(n any) int {
	const rest = 10_000_000
	digits := strings.TrimPrefix(fmt.Sprint(n), "-")
	if len(digits) > 7 {
		digits = digits[len(digits)-7:]
	}
	value, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	if len(fmt.Sprint(n)) > 7 {
		value += rest
	}
	return value
}
