package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/devnet"
)

// demoTemplate is where the demonstration's card leads; nobody need answer there.
const demoTemplate = "https://tap.example.com/t"

func (a *app) demo() *cobra.Command {
	var once bool
	var alg string
	c := &cobra.Command{
		Use: "demo", Short: "See it work: a card is made, registered, tapped and checked",
		Long: `Starts a virtual card (in a PC/SC reader where pcscd can run, else over TCP), has it make its key, registers it on a
ledger, locks it, taps it, records the tap, and shows that the same URL is refused. Then it opens the service's website with a
button that taps the card, and a shop that its taps lead to. One line per step: what was proved and how long it took. --reader sim starts the virtual card over TCP. With any other --reader it does all that with the card on
your reader: that card is then locked for ever. --ledger stardust tells the same story on a private IOTA Stardust network, which
is started for it (make devnet builds it) and is gone at the end too.

Everything is in a folder of its own, gone at the end, unless --data is given here: the demonstration never writes into the
installation that PRODUCTID_DATA, PRODUCTID_LEDGER or the TOML file names.`,
		Example: `  productid demo --once
  productid demo --once --alg rsa2048
  productid demo --once --ledger stardust`,
		Annotations: map[string]string{typedOnly: "data ledger guard issuer"},
		Args:        arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			algorithm, err := algorithmOf(alg)
			if err != nil {
				return err
			}
			a.flags.issuerName, a.flags.station, a.quiet = "Demonstration", "demo", true
			end, err := a.demoFolder(c)
			if err != nil {
				return err
			}
			defer end()
			down, err := a.demoNetwork(c.Context())
			if err != nil {
				return err
			}
			defer down()
			d, err := a.startDemo(c)
			if err != nil {
				return err
			}
			defer d.close()
			d.alg = algorithm
			ctx, err := d.run(c.Context())
			if err != nil || once {
				return err
			}
			return d.stay(ctx)
		},
	}
	c.Flags().StringVar(&alg, "alg", "p256", "key `algorithm` of the card: p256, rsa2048")
	c.Flags().BoolVar(&once, "once", false, "end after the story instead of letting you tap")
	return c
}

// demoFolder is a folder of its own, gone at the end, unless one was typed.
func (a *app) demoFolder(c *cobra.Command) (end func(), err error) {
	if given(c, "data") {
		return func() {}, nil
	}
	return a.temporaryFolder()
}

// demoNetwork starts a network in the demonstration's folder where --ledger is just "stardust", and makes that the ledger.
func (a *app) demoNetwork(ctx context.Context) (down func(), err error) {
	if a.flags.ledger != kindStardust {
		return func() {}, nil
	}
	begin := now()
	programs, err := a.devnetPrograms()
	if err != nil {
		return nil, err
	}
	n, err := devnet.Up(ctx, devnet.Options{Programs: programs, Dir: filepath.Join(a.flags.data, "devnet"), Bound: true})
	if err != nil {
		return nil, err
	}
	a.flags.ledger = "stardust:" + n.Nodes[0].REST + "?inx=" + n.Nodes[0].INX
	a.flags.fundingKey = filepath.Join(n.Dir, devnet.FundingKey)
	a.console.Proved(console.Step{Code: "network", Name: "network up", Detail: n.Name + ", one node, a milestone each second", Took: now().Sub(begin)})
	return func() { n.Down() }, nil // it goes with its folder, whatever it says
}

// temporaryFolder makes the data folder one that is gone at the end.
func (a *app) temporaryFolder() (end func(), err error) {
	path, err := os.MkdirTemp("", "productid-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	a.flags.data, a.temporary = path, true
	return func() { os.RemoveAll(path) }, nil
}

// given says whether a flag was set, by whatever source.
func given(c *cobra.Command, name string) bool { return c.Flags().Changed(name) }

// startDemo starts a virtual card, unless a reader was named.
func (a *app) startDemo(c *cobra.Command) (*demo, error) {
	d := &demo{app: a, virtual: virtualCard{words: "reader " + a.flags.reader, close: func() {}}}
	begin := now()
	start := a.startVirtual
	if a.flags.reader == kindSim {
		start = func(ctx context.Context) (virtualCard, error) { return a.startTCP(ctx) }
	}
	if !given(c, "reader") || a.flags.reader == kindSim {
		var err error
		if d.virtual, err = start(c.Context()); err != nil {
			return nil, err
		}
		a.flags.reader, a.flags.yes = d.virtual.reader, true // a virtual card is nobody's loss
	}
	d.ready = now().Sub(begin)
	return d, nil
}
