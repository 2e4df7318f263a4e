package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// connected is a card in software as a reader gives it.
type connected struct{ *cardtest.Card }

func (connected) ATR() []byte  { return nil }
func (connected) Close() error { return nil }

// tells lets a card say something else of itself.
func tells(c *cardtest.Card, change func(info []byte)) *cardtest.Card {
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if command.CLA == 0x80 && command.INS == 0x01 {
			change(answer)
		}
		return answer, nil
	}
	return c
}

func TestCardInfoSaysInWordsWhatTheCardCanDo(t *testing.T) {
	lacking := func(a ...tap.Algorithm) *cardtest.Card {
		c := cardtest.New("card")
		c.Lacks = a
		return c
	}
	air := cardtest.New("card")
	air.ContactOnly = true
	for name, row := range map[string]struct {
		card *cardtest.Card
		want []string
	}{
		"no RSA":   {lacking(tap.RSA2048), []string{"can make  p256; the chip lacks rsa2048\n", "card personalise makes its key"}},
		"no EC":    {lacking(tap.P256), []string{"can make  rsa2048; the chip lacks p256\n"}},
		"nothing":  {lacking(tap.P256, tap.RSA2048), []string{"can make  no key at all; the chip lacks p256, rsa2048\n", "applet/CARDS.md lists those that can"}},
		"contacts": {air, []string{"configured  over its contacts only\n"}},
		"RSA":      {cardtest.NewLockedRSA("card"), []string{"key       rsa2048\n", "card      9YKaEfunHpVXYBar\n", "card read taps it"}},
		"lost counter": {tells(cardtest.NewLocked("card"), func(b []byte) { copy(b[20:24], "\xFF\xFF\xFF\xFF") }),
			[]string{"exhausted: its memory is gone", "next      a copy could say so, too"}},
		"damaged": {tells(cardtest.NewLocked("card"), func(b []byte) { b[3], b[4] = 0xFF, 0 }), []string{"state     unknown\n", "its memory was damaged"}},
	} {
		v, err := look(connected{row.card})
		require.NoError(t, err, name)
		var text strings.Builder
		v.words(&text)
		for _, want := range row.want {
			assert.Contains(t, text.String(), want, name)
		}
	}
}
