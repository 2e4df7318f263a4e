package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/pcsc"
)

func (a *app) reader() *cobra.Command {
	c := group("reader", "Show card readers", "  productid reader list")
	c.AddCommand(a.readerList(), a.readerWatch())
	return c
}

// readerView is a reader as it is printed.
type readerView struct {
	Name string `json:"reader"`
	Card bool   `json:"card"`
	ATR  string `json:"atr,omitempty"`
}

func (a *app) readerList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the PC/SC readers and whether a card is on them",
		Example: "  productid reader list --json",
		Args:    arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			readers, err := pcsc.List()
			if err != nil {
				return fmt.Errorf("listing the readers: %w", err)
			}
			if len(readers) == 0 {
				a.console.Say("no readers; a virtual card is named by --reader sim:HOST:PORT")
				return nil
			}
			return a.listReaders(readers)
		},
	}
}

func (a *app) listReaders(readers []pcsc.Reader) error {
	var views []readerView
	var rows [][]string
	for _, r := range readers {
		v := readerView{r.Name, r.Present, fmt.Sprintf("%X", r.ATR)}
		views = append(views, v)
		rows = append(rows, []string{v.Name, map[bool]string{true: "yes", false: "no"}[v.Card], v.ATR})
	}
	return console.List(a.console, views, func(w io.Writer) { console.Table(w, []string{"READER", "CARD", "ATR"}, rows) })
}

// eventView is something that happened at a reader, as it is printed.
type eventView struct {
	Event  string `json:"event"`
	Reader string `json:"reader"`
	ATR    string `json:"atr,omitempty"`
}

func (a *app) readerWatch() *cobra.Command {
	return &cobra.Command{
		Use: "watch", Short: "Print cards and readers as they come and go",
		Example: "  productid reader watch --json",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			a.console.Say("watching the readers; Ctrl-C ends")
			err := pcsc.Watch(c.Context(), func(e pcsc.Event) error {
				v := eventView{strings.ReplaceAll(e.Kind.String(), " ", "_"), e.Reader, fmt.Sprintf("%X", e.ATR)}
				return a.console.Answer(v, func(w io.Writer) {
					console.Fields(w, e.Kind.String(), strings.TrimSpace(e.Reader+"  "+v.ATR))
				})
			})
			if errors.Is(err, context.Canceled) { // how one ends it
				return nil
			}
			return err
		},
	}
}
