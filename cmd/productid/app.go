package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/secrets"
)

// app is what every verb shares: the streams, the global flags and the console opened on them.
type app struct {
	streams
	console *console.Console
	flags   globals

	temporary bool        // the data folder will be gone at the end
	quiet     bool        // no more word about secrets in the clear
	key       secrets.Key // to the secrets, when somebody was asked for it

	witnesses []string     // keys of those who cosign the log; one of them makes a message witnessed
	log       *slog.Logger // of a verb that goes on until it is ended, and whose talk is read later; nil for the others
}

// globals are the flags every verb understands.
type globals struct {
	data   string
	ledger string
	guard  string
	reader string
	config string
	// fundingKey is the file of the key that pays on a Stardust network; empty for the installation's own.
	fundingKey string
	json       bool
	yes        bool
	issuer     string

	// of the verbs that a service can be asked instead
	server, keyFile string

	// of the verbs that make cards
	issuerName, issuerURL, station string
}

func (a *app) openConsole() *console.Console {
	return console.Open(console.Options{In: a.in, Out: a.out, Err: a.err, JSON: a.flags.json, Env: a.env})
}

// root is the whole command tree.
func (a *app) root() *cobra.Command {
	root := group("productid", "Make, register, read and check ProductID cards",
		`  productid demo --once                        see it work, without hardware
  productid card personalise --template https://tap.example.com/t
  productid tap verify 'https://tap.example.com/t?i=…&c=…&s=…'`)
	root.Long = `A ProductID card makes its own key, counts its taps and signs each count. productid makes such cards, writes
them and their taps on an append-only ledger, and checks both.

Flags win over PRODUCTID_* variables (--data is PRODUCTID_DATA), and those over one TOML file (data = "…"): that of --config,
else the user's own, ~/.config/productid/productid.toml. A file in the working folder is not read.
Exit codes: 0 ok, 1 failure, 2 usage, 3 the answer is no, 4 authentication, 5 reader or card, 6 ledger unreachable,
7 uncertain.`
	root.Version = version
	root.SetVersionTemplate("productid {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		next := "see " + c.CommandPath() + " --help"
		if e, ok := errors.AsType[*pflag.NotExistError](err); ok && e.GetSpecifiedShortnames() != "" {
			next += "; before an id that begins with - write --"
		}
		return console.Misuse("reading the flags of "+c.CommandPath(), err.Error(), next)
	})
	f := root.PersistentFlags()
	f.StringVar(&a.flags.data, "data", "productid-data", "data `folder`: secrets, ledger, registry")
	f.StringVar(&a.flags.ledger, "ledger", "", "`ledger`: sqlite:PATH, postgres://…, stardust:URL?inx=HOST:PORT, or https://… of others (default: ledger.db in the data folder)")
	f.StringVar(&a.flags.fundingKey, "funding-key", "", "`file` of the key that pays for channels on a Stardust network (default: the installation's own)")
	f.StringVar(&a.flags.guard, "guard", "", "`file` that remembers the ledger's newest state (default: in the user's state folder)")
	f.StringVar(&a.flags.issuer, "issuer", "", "`name` or channel of the issuer, where there are several")
	f.StringVar(&a.flags.reader, "reader", "pcsc", "card `reader`: pcsc, pcsc:NAME or sim:HOST:PORT")
	f.StringVar(&a.flags.config, "config", "", "TOML `file` (default: productid/productid.toml in the user's configuration folder)")
	f.BoolVar(&a.flags.json, "json", false, "answer in JSON, one object a line")
	f.BoolVar(&a.flags.yes, "yes", false, "do irreversible steps without asking")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := a.configure(c); err != nil {
			return err
		}
		a.console = a.openConsole()
		return nil
	}
	root.SetHelpCommand(help())
	root.AddCommand(a.demo(), a.serve(), a.card(), a.tap(), a.ledger(), a.bundle(), a.channel(), a.inspect(), a.reader(), a.devnet(), a.issuer(), a.operator(), a.keys(), a.vectors(), a.completion(), a.revoke(), a.sandbox())
	return root
}

// help is cobra's own verb with words of ours.
func help() *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB]", Short: "Show a verb's help", Example: "  productid help card personalise",
		RunE: func(c *cobra.Command, args []string) error {
			verb, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return console.Misuse("looking for help", fmt.Sprintf("there is no verb %q", strings.Join(args, " ")), "see productid --help")
			}
			return verb.Help()
		},
	}
}

// group is a command that only holds others: alone it shows its help, with a word it does not know it says so.
func group(use, short, example string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			next := "see " + c.CommandPath() + " --help"
			if s := c.SuggestionsFor(args[0]); len(s) > 0 {
				next = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), s[0])
			}
			return console.Misuse("running "+c.CommandPath(), fmt.Sprintf("there is no verb %q", args[0]), next)
		},
	}
}

// arguments wants between least and most arguments; names says which, for the message.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		want := strings.TrimSpace("wants " + names)
		if most == 0 {
			want = "takes no arguments"
		}
		return console.Misuse("running "+c.CommandPath(), fmt.Sprintf("it %s, and got %d", want, len(args)), "see "+c.CommandPath()+" --help")
	}
}

// helpTemplate begins with an example, for most readers want no more.
const helpTemplate = `{{with .Example}}{{.}}

{{end}}{{with or .Long .Short}}{{.}}

{{end}}{{.UsageString}}`

const usageTemplate = `Usage: {{.UseLine}}{{if .HasAvailableSubCommands}}

Verbs:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Global flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`
