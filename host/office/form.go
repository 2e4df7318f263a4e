package office

import (
	"errors"

	"github.com/productid/productid/host/product"
)

// form is what somebody typed and what is wrong with it, so that a page can show both.
type form struct {
	Values   map[string]string
	Problems map[string]string // texts by field; "" for the form as a whole
}

// Value returns what stands in a field.
func (f form) Value(name string) string { return f.Values[name] }

// Problem returns what is wrong with a field.
func (f form) Problem(name string) string { return f.Problems[name] }

// note is what is wrong with a field, for the page: the field's aria-describedby names it.
type note struct{ Field, Text string }

// Note returns what is wrong with a field, or nil.
func (f form) Note(name string) *note {
	if text := f.Problems[name]; text != "" {
		return &note{name, text}
	}
	return nil
}

// Bad reports whether anything is wrong.
func (f form) Bad() bool { return len(f.Problems) > 0 }

// typed returns what was sent for these fields.
func (v *visit) typed(names ...string) form {
	f := form{Values: map[string]string{}, Problems: map[string]string{}}
	for _, name := range names {
		f.Values[name] = v.r.PostForm.Get(name)
	}
	return f
}

// invalid notes what package product found wrong, and reports whether that is what err is.
func (v *visit) invalid(f form, err error) bool {
	if bad, ok := errors.AsType[*product.Invalid](err); ok {
		f.Problems[bad.Field] = v.words.T("office.invalid."+string(bad.Reason), bad.Should)
		return true
	}
	if bad, ok := errors.AsType[*product.BadPicture](err); ok {
		f.Problems["picture"] = v.words.T("office.picture." + string(bad.Reason))
		return true
	}
	for known, at := range map[error][2]string{
		product.ErrTaken: {"gtin", "office.invalid.taken"}, product.ErrTooMany: {"", "office.invalid.too_many_products"},
		product.ErrUnknownImage: {"picture", "office.picture.gone"},
	} {
		if errors.Is(err, known) {
			f.Problems[at[0]] = v.words.T(at[1])
			return true
		}
	}
	return false
}
