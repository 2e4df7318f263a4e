package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardChallenge() *cobra.Command {
	var nonce, context string
	c := &cobra.Command{
		Use: "challenge", Short: "Have the card prove that it is there now",
		Long: `Sends a fresh nonce and verifies the answer under the card's own key. It costs one count. The answer proves that the
holder of the key was there when the nonce was; whose key that is, the ledger says (productid card verify). An answer to another nonce
or context, as who replays an old one has it, is refused with exit code 3.`,
		Example: "  productid card challenge --context 'door 7'",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := nonceOf(nonce)
			if err != nil {
				return err
			}
			return a.withCard(c.Context(), func(r cardReader) error {
				answer, key, err := challenge(r, n, []byte(context))
				if err != nil {
					return err
				}
				v := answerView{ID: key.ID(), Alg: key.Algorithm().String(), Key: key.Bytes(), Nonce: answer.Nonce, Context: context,
					Counter: answer.Counter, Signature: answer.Signature}
				return a.console.Answer(v, v.words)
			})
		},
	}
	c.Flags().StringVar(&nonce, "nonce", "", "16 to 32 bytes in `hex` (default: random)")
	c.Flags().StringVar(&context, "context", "", "up to 200 bytes of `text` that the answer is for")
	return c
}

func nonceOf(text string) ([]byte, error) {
	if text == "" {
		n := make([]byte, tap.MinNonce)
		rand.Read(n) // never errs
		return n, nil
	}
	n, err := hex.DecodeString(text)
	if err != nil || len(n) < tap.MinNonce || len(n) > tap.MaxNonce {
		return nil, console.Misuse("reading the nonce", "malformed: it is not 16 to 32 bytes in hex", "leave --nonce out for a random one")
	}
	return n, nil
}

// challenge has the card sign and checks that it did, under the key it shows.
func challenge(r cardReader, nonce, context []byte) (tap.Challenge, tap.Key, error) {
	client, err := card.Open(r)
	if err != nil {
		return tap.Challenge{}, tap.Key{}, err
	}
	key, err := client.Key()
	if err != nil {
		return tap.Challenge{}, tap.Key{}, err
	}
	answer, err := client.Challenge(nonce, context)
	if errors.Is(err, card.ErrState) {
		if info, bad := client.Info(); bad == nil && info.Exhausted() {
			err = errExhausted
		}
	}
	if err != nil {
		return tap.Challenge{}, tap.Key{}, err
	}
	if err := answer.Verify(key); err != nil {
		return tap.Challenge{}, tap.Key{}, &console.Problem{Code: "bad_signature", What: "verifying the card's answer",
			Why:  "bad_signature: this is no answer of the card to this nonce and context, but an old one, one to something else, or made up",
			Next: "do not trust the card, nor the reader if it is not your own", Exit: console.No, Cause: err}
	}
	return answer, key, nil
}

// errExhausted is of a card that signs nothing any more. What it says of itself might be said by a copy, too.
var errExhausted = &console.Problem{Code: "exhausted", What: "challenging the card", Exit: console.No,
	Why:  "its counter has come to its end, so it signs nothing any more and cannot prove itself",
	Next: "look at the thing that it is in: if that is the original, make a new card for it, and take this one out of service (productid revoke card)"}

type answerView struct {
	ID        tap.CardID   `json:"card"`
	Alg       string       `json:"alg"`
	Key       record.Bytes `json:"key"`
	Nonce     record.Bytes `json:"nonce"`
	Context   string       `json:"context,omitempty"`
	Counter   uint32       `json:"counter"`
	Signature record.Bytes `json:"signature"`
}

func (v answerView) words(w io.Writer) {
	console.Fields(w, "card", v.ID.String(), "answered", "now, and its signature verifies under its own key",
		"nonce", hex.EncodeToString(v.Nonce), "context", v.Context, "counter", fmt.Sprint(v.Counter))
}
