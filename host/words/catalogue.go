package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed en it
var files embed.FS

// entry is a text, or its plural forms: then One stands beside Other.
type entry struct{ One, Other string }

// UnmarshalJSON reads a string, or an object with the members one and other.
func (e *entry) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &e.Other)
	}
	var forms map[string]string
	if err := json.Unmarshal(data, &forms); err != nil {
		return err
	}
	e.One, e.Other = forms["one"], forms["other"]
	if len(forms) != 2 || e.One == "" || e.Other == "" {
		return fmt.Errorf("plural forms are not one and other: %s", data)
	}
	return nil
}

// text returns the form, or key where there is no text.
func (e entry) text(form plural.Form, key string) string {
	if form == plural.One && e.One != "" {
		return e.One
	}
	if e.Other == "" {
		return key
	}
	return e.Other
}

type catalogue map[string]entry

func (c catalogue) keys() []string { return slices.Sorted(maps.Keys(c)) }

// read returns all texts of a language. A key stands in one file.
func read(from fs.FS, lang string) (catalogue, error) {
	all := catalogue{}
	names, err := fs.Glob(from, path.Join(lang, "*.json"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("language %s has no files: %v", lang, err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		var texts catalogue
		if err := json.Unmarshal(data, &texts); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for key, e := range texts {
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("%s: %s stands in another file too", name, key)
			}
			all[key] = e
		}
	}
	return all, nil
}

// speakers holds one Words per language. The catalogues are part of the program, so one that cannot be read is a bug that every
// test meets.
var speakers = sync.OnceValue(func() []*Words {
	var all []*Words
	for _, lang := range Languages() {
		texts, err := read(files, lang)
		if err != nil {
			panic(fmt.Sprintf("words: %v", err))
		}
		tag := language.MustParse(lang)
		all = append(all, &Words{tag, lang, texts, message.NewPrinter(tag)})
	}
	return all
})
