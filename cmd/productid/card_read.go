package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardRead() *cobra.Command {
	return &cobra.Command{
		Use: "read", Short: "Read the card's URL as a phone does",
		Long: `Reads the card on the reader as a phone does and prints its URL. It costs the card one count: each reading is a tap. Before the
card is locked the URL is a rehearsal, which nobody takes for a tap.`,
		Example: `  productid tap verify "$(productid card read)"`,
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withCard(c.Context(), func(r cardReader) error {
				url, err := readURL(r)
				if err != nil {
					return err
				}
				a.warnUnsigned(url)
				return a.console.Answer(map[string]string{"url": url}, func(w io.Writer) { fmt.Fprintln(w, console.Clean(url)) })
			})
		},
	}
}

// warnUnsigned tells whoever read a URL without a signature what that means.
func (a *app) warnUnsigned(url string) {
	u, err := tap.Parse(url)
	if !errors.Is(err, tap.ErrUnsigned) {
		return
	}
	says, next := console.Unsigned(u.Unsigned)
	a.console.Warn(console.Warning{Code: "unsigned", What: "the URL has no signature, and proves nothing; it says " + says, Next: next})
}

// readURL is one tap.
func readURL(r apdu.Transmitter) (string, error) {
	message, err := t4t.Read(r)
	if err != nil {
		return "", fmt.Errorf("reading the card as a phone does: %w", err)
	}
	if len(message.NDEF) == 0 {
		return "", &console.Problem{Code: "no_url", What: "reading the card's URL", Why: "the card has none yet",
			Next: "productid card personalise makes it a card that can be tapped", Exit: console.Reader}
	}
	url, err := ndef.ParseURI(message.NDEF)
	if err != nil {
		return "", fmt.Errorf("reading the card's URL: %w", err)
	}
	return url, nil
}
