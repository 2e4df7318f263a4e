package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardSettings() *cobra.Command {
	c := group("settings", "Read and change what a card is set to",
		`  productid card settings show sCwcVia7OYj7c7jW
  productid card settings put sCwcVia7OYj7c7jW --product-url https://shop.example.com/p/7`)
	c.AddCommand(a.settingsShow(), a.settingsPut(), a.settingsRotate(), a.settingsCapability())
	return c
}

func (a *app) settingsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show CARD", Short: "Show the settings in force",
		Example: "  productid card settings show sCwcVia7OYj7c7jW",
		Args:    arguments(1, 1, "a card id"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSettings(c, args, func(s setting, id tap.CardID) error {
				current, err := s.Current(c.Context(), id)
				return a.answerSettings(id, current, err)
			})
		},
	}
}

func (a *app) settingsPut() *cobra.Command {
	var address, formFile string
	var login bool
	c := &cobra.Command{
		Use: "put CARD", Short: "Change the settings; what is not given stays",
		Long: `Writes the card's settings on its restricted channel and names them on its tap channel: from then on they are in force.
They hold for taps that are recorded after them. What no flag gives stays as it is. The act stands on the issuer's audit channel, by
"` + byCommand + `", before it is done.

A form is what is asked of whoever taps: a JSON list of fields, as docs/formats/records.md has them. Form and answers are public.`,
		Example: "  productid card settings put sCwcVia7OYj7c7jW --product-url https://shop.example.com/p/7 --login-required",
		Args:    arguments(1, 1, "a card id"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSettings(c, args, func(s setting, id tap.CardID) error {
				current, err := s.Current(c.Context(), id)
				if err != nil {
					return err
				}
				form, err := readForm(formFile)
				if err != nil {
					return err
				}
				change := func(next record.Settings) record.Settings {
					if given(c, "product-url") {
						next.ProductURL = address
					}
					if given(c, "login-required") {
						next.LoginRequired = login
					}
					if given(c, "form") {
						next.Form = form
					}
					return next
				}
				next := change(current.Settings)
				if err := fits(next); err != nil {
					return err
				}
				if reflect.DeepEqual(next, current.Settings) && current.Hash != (channel.Hash{}) {
					return a.answerSettings(id, current, nil)
				}
				if err := s.act(c.Context(), "card.settings", settings.Describe(next)); err != nil {
					return err
				}
				current, err = s.Change(c.Context(), id, change)
				return a.answerSettings(id, current, err)
			})
		},
	}
	c.Flags().StringVar(&address, "product-url", "", "https `address` to which a good tap leads; empty for none")
	c.Flags().BoolVar(&login, "login-required", false, "record taps only for somebody who has identified himself")
	c.Flags().StringVar(&formFile, "form", "", "`file` with the form that a tap asks for; empty for none")
	return c
}

// readForm reads a form from a file; nothing where there is no file.
func readForm(file string) (record.Form, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, console.Misuse("reading the form", "file not found or not readable: "+err.Error(), "give --form FILE with a JSON list of fields")
	}
	var form record.Form
	err = record.CheckIJSON(text)
	if err == nil {
		err = json.Unmarshal(text, &form)
	}
	if err == nil {
		err = form.Check()
	}
	if err != nil {
		return nil, console.Misuse("reading the form "+file, err.Error(), "docs/formats/records.md says what a field has")
	}
	return form, nil
}

// fits refuses settings that no message can hold.
func fits(s record.Settings) error {
	if _, err := (record.Settings{ProductURL: s.ProductURL}).Encode(); err != nil {
		return console.Misuse("reading --product-url", "malformed: it is no absolute https address", "give one like https://shop.example.com/p/7")
	}
	if _, err := s.Encode(); err != nil {
		return console.Misuse("reading --form", err.Error(), "give a form with fewer or shorter fields")
	}
	return nil
}

func (a *app) settingsRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate CARD", Short: "Change the read keys: who could read so far reads no further",
		Long: `Writes the settings in force once more under new read keys. Capabilities that were given out before open what was written
before, and nothing from here on; productid card settings capability gives a new one.`,
		Example: "  productid card settings rotate sCwcVia7OYj7c7jW",
		Args:    arguments(1, 1, "a card id"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSettings(c, args, func(s setting, id tap.CardID) error {
				if err := s.act(c.Context(), "card.rotated", ""); err != nil {
					return err
				}
				current, err := s.Rotate(c.Context(), id)
				return a.answerSettings(id, current, err)
			})
		},
	}
}

func (a *app) settingsCapability() *cobra.Command {
	return &cobra.Command{
		Use: "capability CARD", Short: "Print the secret that opens the card's settings from now on",
		Long: `Prints a capability: whoever has that text reads the settings in force and all later ones, until the keys are rotated, with
productid channel read on any copy of the ledger. It tells nothing of earlier settings, and lets nobody write.`,
		Example: "  productid card settings capability sCwcVia7OYj7c7jW",
		Args:    arguments(1, 1, "a card id"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSettings(c, args, func(s setting, id tap.CardID) error {
				capability, err := s.Capability(c.Context(), id)
				if err != nil {
					return err
				}
				if err := s.act(c.Context(), "card.capability", ""); err != nil {
					return err
				}
				text := capability.String()
				return a.console.Answer(map[string]string{"capability": text}, func(w io.Writer) { fmt.Fprintln(w, text) })
			})
		},
	}
}

// formNames lists the fields of a form.
func formNames(form record.Form) string {
	var names []string
	for _, field := range form {
		names = append(names, field.Name+" ("+field.Type+")")
	}
	return strings.Join(names, ", ")
}

// setting is an installation, opened to work on the settings of one card.
type setting struct {
	*settings.Service
	house *house
	id    tap.CardID
}

func (s setting) act(ctx context.Context, act, detail string) error {
	return s.house.actOnCard(ctx, act, s.id, detail)
}

// withSettings opens the installation to work on the settings of the card that the one argument names.
func (a *app) withSettings(c *cobra.Command, args []string, use func(setting, tap.CardID) error) error {
	id, err := tap.ParseCardID(args[0])
	if err != nil {
		return console.Misuse("reading the card id", "malformed: it is no card id (16 characters)", "productid card info shows the id of a card")
	}
	h, err := a.openHouse(c.Context(), existing)
	if err != nil {
		return err
	}
	defer h.Close()
	return use(setting{settings.New(settings.Options{
		Ledger: h.ledger, List: h.ledger, Registry: h.registry, Authors: h.authors, Now: time.Now, Random: rand.Reader,
	}), h, id}, id)
}

// settingsView is a card's settings as they are printed.
type settingsView struct {
	Card          tap.CardID   `json:"card"`
	ProductURL    string       `json:"productUrl"`
	LoginRequired bool         `json:"loginRequired"`
	Form          record.Form  `json:"form,omitempty"`
	Number        uint64       `json:"number"`
	Hash          channel.Hash `json:"hash"`
	Rotated       uint64       `json:"rotated"` // number of the message at which the read keys began
}

func (a *app) answerSettings(id tap.CardID, s settings.Current, err error) error {
	if err != nil {
		return err
	}
	if s.Hash == (channel.Hash{}) {
		return a.console.Answer(map[string]any{"card": id}, func(w io.Writer) { fmt.Fprintln(w, "nothing was ever set") })
	}
	v := settingsView{id, s.ProductURL, s.LoginRequired, s.Form, s.Number, s.Hash, s.KeyStart}
	return a.console.Answer(v, func(w io.Writer) {
		console.Fields(w, "product url", console.Clean(v.ProductURL), "login", map[bool]string{true: "required", false: "not required"}[v.LoginRequired],
			"form", formNames(v.Form),
			"in force", fmt.Sprintf("message %d of the settings channel", v.Number), "read keys", fmt.Sprintf("since message %d", v.Rotated))
	})
}
