package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/ledger/mirror"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/pkg/ledger"
)

// mirrorFlags are those of ledger mirror.
type mirrorFlags struct {
	serveFlags
	trust    trustFlags
	key      string
	name     string
	once     bool
	interval time.Duration
}

func (a *app) ledgerMirror() *cobra.Command {
	var f mirrorFlags
	c := &cobra.Command{
		Use: "mirror URL", Short: "Keep an independent copy of a log, check it, cosign it, serve it",
		Long: `Copies a log that others serve into the data folder and goes on as it grows. Every message is checked: its author's signature, its
number, its place in its channel and in time; and every checkpoint: that it continues the one before. When the log breaks its word
(a fork, a number given twice, a log that became shorter), the mirror keeps both checkpoints as evidence in the data folder and ends:
exit code 3. It does not begin again before that file is taken away, and what is bad is never served.

With --witness-key it is a witness too, C2SP tlog-witness: it cosigns what it copied, and what the log brings to it. With --listen it
serves its copy, so that whoever reads there needs the log no more.`,
		Example: `  productid ledger mirror https://log.example.com --data copy --origin log.example.com --key log.example.com+… --once
  productid ledger mirror https://log.example.com --data copy --policy log.json --witness-key new --listen :8081`,
		Args: arguments(1, 1, "the URL of a log"),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.openMirror(c.Context(), args[0], f)
			if err != nil {
				return err
			}
			defer m.Close() // what was copied is durable
			if f.once {
				return a.mirrorOnce(c.Context(), m)
			}
			jobs := []serve.Job{m.Run}
			if f.listen != "" {
				jobs = append(jobs, f.serve(a, m.Log().Log, m))
			}
			return serve.Together(c.Context(), jobs...)
		},
	}
	f.declare(c, "")
	f.trust.declare(c)
	c.Flags().StringVar(&f.key, "witness-key", "", "`file` of the key to cosign with, or new: make witness.key in the data folder")
	c.Flags().StringVar(&f.name, "witness-name", "", "`name` of a new witness, by custom a URL without scheme")
	c.Flags().BoolVar(&f.once, "once", false, "copy what is there and end")
	c.Flags().DurationVar(&f.interval, "interval", time.Second, "`time` between two looks at the log")
	return c
}

func (a *app) openMirror(ctx context.Context, url string, f mirrorFlags) (*mirror.Mirror, error) {
	const what = "mirroring a log"
	if !f.trust.chosen() {
		return nil, console.Misuse(what, "nothing says which key signs it", "give --origin and --key as whoever you trust told you, or --policy FILE")
	}
	policy, _, err := f.trust.policy(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(policy.Logs) != 1 {
		return nil, console.Misuse(what, fmt.Sprintf("the policy trusts %d logs", len(policy.Logs)), "give a policy of this one log, or --origin and --key")
	}
	if err := os.MkdirAll(a.flags.data, 0o700); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	o := mirror.Options{
		URL: url, Key: policy.Logs[0], Dir: a.flags.data, Interval: f.interval, Now: time.Now, Report: a.sayProblem,
		Progress: func(done, size uint64) { a.console.Working(fmt.Sprintf("copying message %d of %d", done, size)) },
	}
	if o.Witness, err = a.witnessKey(f); err != nil {
		return nil, err
	}
	m, err := mirror.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if o.Witness != nil {
		a.console.Say("cosigning as %s", o.Witness.VerifierKey())
	}
	return m, nil
}

// witnessKey reads the key that the mirror cosigns with, or makes it; nil for none.
func (a *app) witnessKey(f mirrorFlags) (*ledger.WitnessSigner, error) {
	const what = "reading the witness's key"
	path := f.key
	switch path {
	case "":
		return nil, nil
	case "new":
		path = filepath.Join(a.flags.data, "witness.key")
		if err := makeWitnessKey(path, f.name); err != nil {
			return nil, fmt.Errorf("making a witness's key: %w", err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &console.Problem{Code: "secrets_exposed", What: what, Why: "others can read " + path, Next: "chmod 600 " + path + "; if somebody may have read it, make another", Exit: console.Failure}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	signer, err := mirror.ParseWitnessKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, console.Misuse(what, path+": "+err.Error(), "give the file that --witness-key new made")
	}
	return &signer, nil
}

// makeWitnessKey makes the key where there is none.
func makeWitnessKey(path, name string) error {
	if name == "" {
		tag := make([]byte, 4)
		rand.Read(tag) // never errs
		name = fmt.Sprintf("witness-%x", tag)
	}
	text, err := mirror.NewWitnessKey(name, rand.Reader)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(text + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// mirroredView is what a copy holds now.
type mirroredView struct {
	Origin   string `json:"origin"`
	Messages uint64 `json:"messages"`
	Root     string `json:"root"`
}

func (a *app) mirrorOnce(ctx context.Context, m *mirror.Mirror) error {
	t, err := m.Sync(ctx)
	if err != nil {
		return fmt.Errorf("mirroring a log: %w", err)
	}
	v := mirroredView{t.Origin, t.Size, t.Root.String()}
	return a.console.Answer(v, func(w io.Writer) {
		fmt.Fprintf(w, "copied: %d messages of %s, all checked; root %s\n", v.Messages, v.Origin, v.Root)
	})
}
