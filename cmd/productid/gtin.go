package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
)

// readGTIN reads the number of an article that a flag gives, in any of its lengths.
func readGTIN(flag, text string) (gs1.GTIN, error) {
	gtin, err := gs1.ParseGTIN(text)
	if wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err); mistyped {
		return "", console.Misuse(fmt.Sprintf("reading --%s %s", flag, text), fmt.Sprintf("the last digit should be %c, for it checks the others", wrong.Want),
			"compare the number digit by digit: one of them is mistyped")
	}
	if err != nil {
		return "", console.Misuse(fmt.Sprintf("reading --%s %.40s", flag, text), err.Error(), "give the 8, 12, 13 or 14 digits that stand below the product's bar code")
	}
	return gtin, nil
}

// articleFlags say which things' cards are meant.
type articleFlags struct{ gtin, lot, serial string }

func (f *articleFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.gtin, "gtin", "", "only cards of the product with this `GTIN`, of 8, 12, 13 or 14 digits")
	flags.StringVar(&f.lot, "lot", "", "only cards of this `lot`")
	flags.StringVar(&f.serial, "serial", "", "only cards of this `serial` number")
}

// wants reports whether a card is one of those. A number that is no GTIN finds what was registered with that text.
func (f articleFlags) wants(c record.Card) bool {
	return (f.gtin == "" || gs1.FullGTIN(c.GTIN) == gs1.FullGTIN(f.gtin)) && (f.lot == "" || c.Lot == f.lot) && (f.serial == "" || c.Serial == f.serial)
}
