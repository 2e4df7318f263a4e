package card_test

import (
	"fmt"

	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// A card is made: it gets its key and its URL, and is closed for ever.
func ExampleClient() {
	reader := cardtest.New("example") // in earnest: a card of host/pcsc
	client, err := card.Open(reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := client.Generate(tap.P256)
	if err != nil {
		fmt.Println(err)
		return
	}
	template, err := tap.PlainTemplate("https://tap.example.com/t")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.PutTemplate(template); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Lock(id); err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Generate(tap.P256)
	fmt.Println(err)
	// Output: generating the key: the card's state does not allow it
}
