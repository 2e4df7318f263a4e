package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/devnet"
)

func (a *app) devnet() *cobra.Command {
	c := group("devnet", "Run a private IOTA Stardust network on this machine, for trying and testing",
		`  productid devnet up
  productid devnet up --nodes 3
  productid devnet status --json`)
	c.Long = `Runs a private Stardust network: hornet nodes and a coordinator, as processes of this machine that go on when the command has
ended. Only programs of this machine reach it. It is for trying and testing: a node that is killed loses its database, and whoever
runs the coordinator can rewrite everything.`
	var dir string
	c.PersistentFlags().StringVar(&dir, "dir", "", "`folder` of the network (default: devnet in the data folder)")
	folder := func() string {
		if dir != "" {
			return dir
		}
		return filepath.Join(a.flags.data, "devnet")
	}
	c.AddCommand(a.devnetUp(folder), a.devnetStatus(folder), a.devnetDown(folder))
	return c
}

// devnetView is a network as it is printed: how to use it, and how it stands.
type devnetView struct {
	Ledger  []string `json:"ledger"`     // for --ledger, one for each node
	Funding string   `json:"fundingKey"` // the file
	Address string   `json:"fundingAddress"`
	devnet.Status
}

func (a *app) devnetUp(folder func() string) *cobra.Command {
	var o devnet.Options
	c := &cobra.Command{
		Use: "up", Short: "Bring the network up, with what it holds, or make a new one",
		Long: `Brings the network of the folder up and ends when its milestones grow. Where there is none, one is made, with fresh keys. In a
network that is up, stopped nodes are started and killed ones made anew from the others.`,
		Example: "  productid devnet up --nodes 3",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if n := o.Nodes; c.Flags().Changed("nodes") && n != 1 && n != 3 {
				return console.Misuse("bringing up the devnet", fmt.Sprintf("it has 1 node or 3, not %d", n), "give --nodes 1 or --nodes 3")
			}
			var err error
			if o.Programs, err = a.devnetPrograms(); err != nil {
				return err
			}
			o.Dir = folder()
			a.console.Working("bringing up the devnet")
			n, err := devnet.Up(c.Context(), o)
			if err != nil {
				return err
			}
			return a.answerDevnet(n, n.Status(c.Context()))
		},
	}
	c.Flags().IntVar(&o.Nodes, "nodes", 0, "`number` of nodes, 1 or 3 (default: those it has, 1 in a new one)")
	c.Flags().BoolVar(&o.Fast, "fast", false, "a new network for tests: 10 milestones a second, whose times run ahead of the clock")
	return c
}

func (a *app) devnetStatus(folder func() string) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how the network stands; exit code 3 when it is not up",
		Example: "  productid devnet status",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := devnet.Open(folder())
			if err != nil {
				return err
			}
			s := n.Status(c.Context())
			if err := a.answerDevnet(n, s); err != nil {
				return err
			}
			if !s.Up {
				return console.Answered{Exit: console.No}
			}
			return nil
		},
	}
}

func (a *app) devnetDown(folder func() string) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Stop the network; it keeps what it holds",
		Example: "  productid devnet down",
		Args:    arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			n, err := devnet.Open(folder())
			if err != nil {
				return err
			}
			a.console.Working("stopping the devnet")
			if err := n.Down(); err != nil {
				return fmt.Errorf("stopping the devnet: %w", err)
			}
			return a.console.Answer(map[string]any{"network": n.Name, "up": false}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is down; %s holds it, to be brought up again or removed\n", n.Name, folder())
			})
		},
	}
}

// devnetPrograms finds hornet and the others: they belong to the source tree beside this program.
func (a *app) devnetPrograms() (string, error) {
	folder, err := devnet.Programs(filepath.Join(a.scripts(), "devnet"))
	if err == nil || a.scripts() != "" && errors.Is(err, devnet.ErrNotBuilt) {
		return folder, err
	}
	return "", &console.Problem{Code: "no_scripts", What: "looking for the devnet's programs", Why: "the folder scripts/devnet is not beside this program",
		Next: "run bin/productid of the source tree, or let PRODUCTID_SCRIPTS name its folder scripts", Exit: console.Failure, Cause: err}
}

func (a *app) answerDevnet(n *devnet.Network, s devnet.Status) error {
	v := devnetView{Funding: filepath.Join(n.Dir, devnet.FundingKey), Address: n.FundingAddress(), Status: s}
	for _, node := range n.Nodes {
		v.Ledger = append(v.Ledger, "stardust:"+node.REST+"?inx="+node.INX)
	}
	return a.console.Answer(v, func(w io.Writer) { v.words(w) })
}

func (v devnetView) words(w io.Writer) {
	state := map[bool]string{true: "up", false: "down"}[v.Up]
	milestone := ""
	if v.Milestone > 0 {
		milestone = fmt.Sprintf("%d of %s", v.Milestone, v.MilestoneTime.Format("2006-01-02 15:04:05 MST"))
	}
	console.Fields(w, "devnet", v.Name+", "+state, "milestone", milestone, "coordinator", string(v.Coordinator), "ledger", "--ledger '"+v.Ledger[0]+"'",
		"funding key", v.Funding, "funding address", v.Address)
	fmt.Fprintln(w)
	var rows [][]string
	for _, n := range v.Nodes {
		rows = append(rows, []string{fmt.Sprint(n.Node), string(n.State), fmt.Sprint(n.Milestone), strings.TrimPrefix(n.REST, "http://"), n.INX})
	}
	console.Table(w, []string{"NODE", "STATE", "MILESTONE", "REST", "INX"}, rows)
	for _, advice := range v.Advice {
		fmt.Fprintf(w, "note: %s\n", advice)
	}
}
