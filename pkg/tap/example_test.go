package tap_test

import (
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func ExampleParse() {
	u, err := tap.Parse("https://tap.example.com/t?i=sCwcVia7OYj7c7jW&c=000000FF" +
		"&s=biDyTFh7H2-z2z9moWk4fipxpqEeZoRWZvctsth3dDuWDBSAfoLkySzm5gttI1OWooEZHYtHSySktaWO0lmzgQ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.ID, u.Counter, len(u.Signature))
	// Output: sCwcVia7OYj7c7jW 255 64
}

func ExampleURL_Verify() {
	card := taptest.NewCard("example") // a registry knows the real one's key
	u, err := tap.Parse(card.Tap())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Verify(card.Key()))
	u.Counter++ // somebody edits the URL
	fmt.Println(errors.Is(u.Verify(card.Key()), tap.ErrBadSignature))
	// Output:
	// <nil>
	// true
}

func ExamplePlainTemplate() {
	template, err := tap.PlainTemplate("https://tap.example.com/t")
	fmt.Println(template.Prefix, template.Middle, err)
	_, err = tap.PlainTemplate("https://tap.example.com/t?x=1")
	fmt.Println(err)
	// Output:
	// https://tap.example.com/t?i= &c= <nil>
	// malformed: template has a parameter "x" of its own
}
