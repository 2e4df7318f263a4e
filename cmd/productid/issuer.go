package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func (a *app) issuer() *cobra.Command {
	c := group("issuer", "See and add the organisations that cards are made for",
		`  productid issuer list
  productid issuer add "Bell GmbH" --url https://bell.example.com`)
	c.AddCommand(a.issuerList(), a.issuerAdd())
	return c
}

func (a *app) issuerList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the issuers on the ledger, and those that are still to come on it",
		Long: `Lists every issuer on the ledger and every one that this installation has the secrets of: only for those can it make cards
and record taps. A name is what the issuer says of itself; what tells issuers apart is the channel.`,
		Example: "  productid issuer list --json",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			all, err := h.allIssuers(c.Context())
			if err != nil {
				return err
			}
			return console.List(a.console, all, func(w io.Writer) { issuerTable(w, all) })
		},
	}
}

// issuerView is one issuer as issuer list shows it.
type issuerView struct {
	Channel channel.ID `json:"channel"`
	Name    string     `json:"name"`
	URL     string     `json:"url,omitempty"`
	Here    bool       `json:"here"`   // its secrets are
	Opened  bool       `json:"opened"` // its channel stands on the ledger
	Cards   int        `json:"cards"`
	TooNew  bool       `json:"tooNew,omitempty"` // a later version wrote what this one must not skip
}

func issuerTable(w io.Writer, all []issuerView) {
	var rows [][]string
	for _, i := range all {
		here, opened := "elsewhere", "not yet on the ledger"
		if i.Here {
			here = "here"
		}
		if i.Opened {
			opened = "on the ledger"
		}
		if i.TooNew {
			opened = "too new for this version"
		}
		rows = append(rows, []string{i.Name, i.URL, here, opened, fmt.Sprint(i.Cards), "pidc1:" + i.Channel.String()})
	}
	console.Table(w, []string{"NAME", "URL", "SECRETS", "CHANNEL", "CARDS", "ID"}, rows)
}

// allIssuers are the ledger's and the installation's own.
func (h *house) allIssuers(ctx context.Context) ([]issuerView, error) {
	cards := make(map[channel.ID]int)
	for card, err := range h.registry.Cards(ctx) {
		if err != nil {
			return nil, err
		}
		cards[card.Issuer]++
	}
	onLedger, err := h.registry.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	var all []issuerView
	known := make(map[channel.ID]bool)
	for _, i := range onLedger {
		_, err := h.authors.Issuer(i.Channel)
		all = append(all, issuerView{i.Channel, i.Name, i.URL, err == nil, true, cards[i.Channel], h.registry.TooOld(i.Channel) != nil})
		known[i.Channel] = true
	}
	for _, i := range h.secrets.Issuers {
		if id := i.Author().Channel(); !known[id] {
			all = append(all, issuerView{Channel: id, Name: i.Name, URL: i.URL, Here: true})
		}
	}
	return all, nil
}

func (a *app) issuerAdd() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use: "add NAME", Short: "Make the secrets of another issuer and open its channel",
		Long: `Makes seeds of its own for another organisation, stores them beside those that are there, and opens its channel on the
ledger: name and address stand there for good. Backups made before do not hold it. A run that was cut off is finished by another.`,
		Example: `  productid issuer add "Bell GmbH" --url https://bell.example.com`,
		Args:    arguments(1, 1, "a name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := registry.CheckOpening(args[0], url); err != nil {
				return console.Misuse("adding an issuer", err.Error(), "give a NAME, and an --url that is not too long")
			}
			h, err := a.openHouse(c.Context(), existing)
			if err != nil {
				return err
			}
			defer h.Close()
			i, err := a.addIssuer(c.Context(), h, args[0], url)
			if err != nil {
				return err
			}
			h.authors.Add(i) // a ledger may ask for the author of what is written now
			if _, err := registry.OpenIssuer(c.Context(), h.ledger, h.ledger, i); err != nil {
				return err
			}
			v := issuerView{Channel: i.Author().Channel(), Name: i.Name, URL: i.URL, Here: true, Opened: true}
			a.console.Say("backups made before do not hold this issuer: productid keys backup FILE makes one that does")
			return a.console.Answer(v, func(w io.Writer) {
				console.Fields(w, "issuer", v.Name, "url", v.URL, "channel", "pidc1:"+v.Channel.String())
			})
		},
	}
	c.Flags().StringVar(&url, "url", "", "the issuer's `address`")
	return c
}

// addIssuer stores the secrets of another issuer. One of the same name and address that is not on the ledger is an earlier run's.
func (a *app) addIssuer(ctx context.Context, h *house, name, url string) (secrets.Issuer, error) {
	var added secrets.Issuer
	safe, err := a.safe(ctx)
	if err != nil {
		return added, err
	}
	_, err = safe.Change(func(all *secrets.Secrets) (err error) {
		own, err := h.named(ctx, all.Issuers)
		if err != nil {
			return err
		}
		for _, i := range own {
			if i.Name != name {
				continue
			}
			_, err := h.registry.Issuer(ctx, i.Author().Channel())
			if errors.Is(err, registry.ErrUnknownIssuer) && i.URL == url {
				added = i
				return nil
			}
			return errors.Join(err, console.Misuse("adding an issuer", fmt.Sprintf("there is one called %q already", name), "choose another name; productid issuer list shows which there are"))
		}
		added, err = secrets.NewIssuer(name, url, rand.Reader, time.Now())
		all.Issuers = append(all.Issuers, added)
		return err
	})
	return added, err
}

// named are issuers as the ledger calls them; the secrets' own words count until it does.
func (h *house) named(ctx context.Context, issuers []secrets.Issuer) ([]secrets.Issuer, error) {
	var all []secrets.Issuer
	for _, i := range issuers {
		known, err := h.registry.Issuer(ctx, i.Author().Channel())
		switch {
		case err == nil:
			i.Name, i.URL = known.Name, known.URL
		case !errors.Is(err, registry.ErrUnknownIssuer):
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// issuerOf finds the one of the installation's issuers that want, a name or a channel, means; the only one when want is empty.
func (h *house) issuerOf(ctx context.Context, want string) (secrets.Issuer, error) {
	const what = "choosing the issuer"
	const next = "give --issuer NAME, or the channel that productid issuer list shows"
	all, err := h.named(ctx, h.secrets.Issuers)
	if err != nil {
		return secrets.Issuer{}, err
	}
	if id, err := channel.ParseID(strings.TrimPrefix(want, "pidc1:")); err == nil {
		return ofChannel(all, id)
	}
	var names []string
	var meant []secrets.Issuer
	for _, i := range all {
		names = append(names, fmt.Sprintf("%q", i.Name))
		if i.Name == want || want == "" && !i.Sandbox { // nobody means test cards who names no issuer
			meant = append(meant, i)
		}
	}
	list := strings.Join(names, ", ")
	switch {
	case len(meant) == 1:
		return meant[0], nil
	case want == "":
		return secrets.Issuer{}, console.Misuse(what, "this installation serves several: "+list, next)
	case len(meant) == 0:
		return secrets.Issuer{}, console.Misuse(what, fmt.Sprintf("none of its issuers is called %q, but %s", want, list), next)
	}
	return secrets.Issuer{}, console.Misuse(what, fmt.Sprintf("%d of its issuers are called %q", len(meant), want), "give --issuer the channel that productid issuer list shows")
}

func ofChannel(all []secrets.Issuer, id channel.ID) (secrets.Issuer, error) {
	for _, i := range all {
		if i.Author().Channel() == id {
			return i, nil
		}
	}
	return secrets.Issuer{}, fmt.Errorf("issuer %v: %w", id, secrets.ErrElsewhere)
}

// onLedger finds the issuers that want, a name or a channel, may mean, also foreign ones: nil for all when want is empty.
func (h *house) onLedger(ctx context.Context, want string) (map[channel.ID]record.Issuer, error) {
	all, err := h.registry.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	meant := make(map[channel.ID]record.Issuer)
	for _, i := range all {
		if want == "" || want == i.Name || strings.TrimPrefix(want, "pidc1:") == i.Channel.String() {
			meant[i.Channel] = i
		}
	}
	if len(meant) == 0 && want != "" {
		return nil, fmt.Errorf("issuer %s: %w", console.Clean(want), registry.ErrUnknownIssuer)
	}
	return meant, nil
}
