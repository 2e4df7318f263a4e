package card_test

import (
	"crypto/rand"
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

// A check point asks an RSA card whether it is there now, and is given an answer that nobody can keep and show again.
func ExampleClient_Challenge() {
	reader := cardtest.NewLockedRSA("example") // in earnest: a card of host/pcsc
	client, err := card.Open(reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := client.Key() // or better the one that a ledger has for this card
	if err != nil {
		fmt.Println(err)
		return
	}
	nonce := make([]byte, tap.MinNonce)
	rand.Read(nonce) // never errs
	answer, err := client.Challenge(nonce, []byte("door 7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Algorithm(), len(answer.Signature), answer.Verify(key))
	answer.Context = []byte("door 8")
	fmt.Println(answer.Verify(key))
	// Output:
	// rsa2048 256 <nil>
	// the signature does not verify
}
