package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/tap"
)

// address is a URL: of a tap, a GS1 Digital Link, or both.
func (in *inspector) address(text string) (finding, bool) {
	f, isURL := in.tapURL(text)
	if !isURL {
		return f, false
	}
	link, err := gs1.Parse(text)
	wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err)
	if mistyped && isTap(text) { // what its card signed holds or not, whatever stands in the path
		f.add("no number of GS1", mistypedDigit(wrong))
		return f, true
	}
	if mistyped {
		bad := refuse("a GS1 Digital Link", "", fmt.Errorf("malformed: %s", mistypedDigit(wrong)))
		bad.Facts = append(bad.Facts, f.Facts...)
		return bad, true
	}
	if err != nil {
		return f, true
	}
	f.Kind += ", in a GS1 Digital Link"
	address, _, _ := strings.Cut(text, "#")
	_, query, _ := strings.Cut(address, "?")
	fromCard := tap.IsMeant(query)
	if !fromCard {
		f = finding{Kind: "a GS1 Digital Link", Holds: holdsYes, Facts: []fact{},
			Why: "its numbers follow their rules; anybody can print it, so it proves nothing of the thing that carries it"}
	}
	for _, e := range append(append([]gs1.Element{link.Key}, link.Qualifiers...), link.Attributes...) {
		f.add(e.AI.Name(), e.Value)
	}
	f.add("canonical", link.Canonical())
	if fromCard {
		f.add("not signed", "these numbers; what the card stands for, its registration says")
	}
	return f, true
}

// isTap reports whether an address has the form of one that a card serves, signed or not.
func isTap(text string) bool {
	_, err := tap.Parse(text)
	return err == nil || errors.Is(err, tap.ErrUnsigned)
}

func mistypedDigit(w *gs1.WrongCheckDigit) string {
	return fmt.Sprintf("the last digit of the %s should be %c, for it checks the others: one of its digits is mistyped", w.Name, w.Want)
}

// number is digits as they stand below a bar code. Digits may be bytes too: what else they say stands beside it, and where the check
// digit is wrong that is what they are.
func (in *inspector) number(text string) (finding, bool) {
	kind, err := "", error(nil)
	switch len(text) {
	case 8, 12, 14:
		kind = fmt.Sprintf("a GTIN-%d, the number of an article", len(text))
	case 13:
		kind = "a GTIN-13, the number of an article, or a GLN, that of a place: they look alike"
	case 18:
		kind, err = "an SSCC, the number of a logistic unit", gs1.Element{AI: gs1.KeySSCC, Value: text}.Check()
	default:
		return finding{}, false
	}
	var gtin gs1.GTIN
	if len(text) != 18 {
		gtin, err = gs1.ParseGTIN(text)
	}
	wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err)
	if err != nil && !mistyped {
		return finding{}, false
	}
	bytes, isBytes := in.hex(text)
	if mistyped && isBytes {
		bytes.add("no number of GS1", mistypedDigit(wrong))
		return bytes, true
	}
	if mistyped {
		return refuse(kind, "", fmt.Errorf("malformed: %s", mistypedDigit(wrong))), true
	}
	f := finding{Kind: kind, Holds: holdsYes, Why: "its check digit is right; who has the number, GS1 knows", Facts: []fact{}}
	f.add("14 digits", string(gtin))
	if isBytes {
		f.add("as bytes", bytes.Kind+": "+bytes.Why)
	}
	return f, true
}
