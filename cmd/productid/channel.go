package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func (a *app) channel() *cobra.Command {
	c := group("channel", "Read channels", "  productid channel read pidc1:KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M")
	c.AddCommand(a.channelRead())
	return c
}

func (a *app) channelRead() *cobra.Command {
	var from uint64
	var follow bool
	var trust trustFlags
	c := &cobra.Command{
		Use: "read CAPABILITY", Short: "Print the messages of a channel, one a line",
		Long: `Prints what a capability opens: of a public channel everything, of a restricted one the messages from the capability's
number on. Every message's signature was checked. With --follow it then waits for what comes, until it is interrupted.
From a copy that others serve (--ledger https://…) it is read with nothing but the capability and the log's key.`,
		Example: `  productid channel read pidc1:KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M --json
  productid channel read pidc1:KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M --follow`,
		Args: arguments(1, 1, "a capability, pidc1:…"),
		RunE: func(c *cobra.Command, args []string) error {
			reader, err := channel.ParseCapability(args[0])
			if err != nil {
				return console.Misuse("reading the capability", "malformed: it is none", "give pidc1:CHANNEL or "+console.CapabilityForm)
			}
			read := ledger.Read
			if follow {
				read = ledger.Watch
			}
			return a.withReading(c.Context(), trust, func(r reading) error {
				for opened, err := range read(c.Context(), r, reader, max(from, reader.From)) {
					if err != nil {
						return fmt.Errorf("reading channel %v: %w", reader.Channel, err)
					}
					if err := a.answerEntry(opened.Entry, opened.Body, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	trust.declare(c)
	c.Flags().Uint64Var(&from, "from", 0, "`number` of the first message to print")
	c.Flags().BoolVar(&follow, "follow", false, "go on as the channel grows")
	return c
}
