package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/ledger/anchor"
	"github.com/productid/productid/host/ledger/mirror"
	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/serve"
	"github.com/productid/productid/pkg/ledger"
)

// serveFlags say where and below which path something is served.
type serveFlags struct{ listen, base string }

func (a *app) ledgerServe() *cobra.Command {
	var s serveFlags
	var urls, keys []string
	var anchored anchorFlags
	c := &cobra.Command{
		Use: "serve", Short: "Serve the installation's log to everybody, read-only",
		Long: `Serves the log as C2SP tlog-tiles, with its payloads and with each channel's messages and proofs, until it is interrupted. Who
reads it verifies what he reads and needs to trust the server with nothing. With --witness each new checkpoint is taken to that
witness, at most once a second, and its cosignature comes back with the checkpoint and with proofs. When a witness shows that this log
is not what it was, serving ends: exit code 3.
With --anchor each new checkpoint is also put on another ledger, at most once a second, and the log compared with the newest one there,
at the start and each time: where they contradict each other serving ends, and this process writes and answers nothing more. An anchor
that cannot be reached, or is late, is a warning.`,
		Example: `  productid ledger serve --listen 127.0.0.1:8080
  productid ledger serve --listen :8080 --witness https://witness.example.com --witness-key witness.example.com+…`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			const what = "serving the ledger"
			if len(urls) != len(keys) {
				return console.Misuse(what, fmt.Sprintf("there are %d witnesses and %d keys of theirs", len(urls), len(keys)), "give --witness-key after each --witness, as productid ledger mirror shows it")
			}
			return a.withWitnessed(c.Context(), what, keys, func(log *tlog.Log) error {
				jobs := []serve.Job{s.serve(a, log, tiles.NewHandler(log))}
				if len(urls) > 0 {
					publisher, err := a.publisher(c.Context(), log, urls, keys)
					if err != nil {
						return console.Misuse(what, err.Error(), "give --witness URL and --witness-key as the witness's owner shows them")
					}
					jobs = append(jobs, publisher.Run)
				}
				if !anchored.given() {
					return serve.Together(c.Context(), jobs...)
				}
				return a.withAnchor(c.Context(), log, anchored, func(an *anchor.Anchor) error { return serve.Together(c.Context(), append(jobs, an.Run)...) })
			})
		},
	}
	s.declare(c, "127.0.0.1:8080")
	anchored.declare(c)
	anchored.declareLimit(c)
	c.Flags().StringArrayVar(&urls, "witness", nil, "`URL` of a witness to take checkpoints to; may be repeated")
	c.Flags().StringArrayVar(&keys, "witness-key", nil, "verifier `key` of that witness; once for each")
	return c
}

// withWitnessed opens the installation's own log with the keys of those who witness it, one of whom makes a message witnessed.
func (a *app) withWitnessed(ctx context.Context, what string, keys []string, use func(*tlog.Log) error) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	if p.kind != kindSQLite && p.kind != kindPostgres {
		return console.Misuse(what, "this ledger is no log of this installation", "give --ledger sqlite:PATH or postgres://…, or none for the one in the data folder")
	}
	own, err := a.loadSecrets(ctx)
	if err != nil {
		return err
	}
	a.witnesses = keys
	log, err := a.openLog(ctx, p, own, false)
	if err != nil {
		return err
	}
	defer log.Close() // what was answered is durable
	return use(log)
}

// publisher takes the log's checkpoints to witnesses.
func (a *app) publisher(ctx context.Context, log *tlog.Log, urls, keys []string) (*mirror.Publisher, error) {
	info, err := log.Info(ctx)
	if err != nil {
		return nil, err
	}
	o := mirror.PublisherOptions{Log: log, Key: ledger.LogKey{Origin: info.Origin, Key: info.VerifierKey}, Report: a.sayProblem}
	for i := range urls {
		o.Witnesses = append(o.Witnesses, mirror.Asked{URL: urls[i], Key: keys[i]})
	}
	return mirror.NewPublisher(o)
}

// sayProblem tells of what the work goes on after.
func (a *app) sayProblem(err error) {
	if a.log != nil {
		a.log.Warn("going on", "problem", err)
		return
	}
	for line := range strings.Lines(err.Error()) {
		a.console.Say("%s; going on", strings.TrimSpace(line))
	}
}

func (s *serveFlags) declare(c *cobra.Command, listen string) {
	c.Flags().StringVar(&s.listen, "listen", listen, "`address` to listen on, HOST:PORT")
	c.Flags().StringVar(&s.base, "base", "/", "`path` below which it is served")
}

// servedView is what a server tells before its first request.
type servedView struct {
	URL    string `json:"url"`
	Origin string `json:"origin"`
	Key    string `json:"key"` // of the log
}

// serve is the job that serves a log, below a path and until its context ends.
func (s serveFlags) serve(a *app, log *tlog.Log, h http.Handler) serve.Job {
	return func(ctx context.Context) error {
		base := "/" + strings.Trim(s.base, "/")
		if base != "/" {
			h = http.StripPrefix(base, h)
		}
		listener, err := edge.Listen(ctx, edge.Listening{Address: s.listen, BehindProxy: true}) // a log is public: there is nothing to listen in to
		if err != nil {
			return cannotListen("serving the ledger on "+s.listen, err)
		}
		info, err := log.Info(ctx)
		if err == nil {
			v := servedView{"http://" + listener.Addr().String() + strings.TrimSuffix(base, "/"), info.Origin, info.VerifierKey}
			err = a.console.Answer(v, func(w io.Writer) { console.Fields(w, "serving", v.URL, "log", v.Origin, "key", v.Key) })
		}
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		if err := edge.Serve(ctx, listener, h, edge.Serving{}); err != nil {
			return err
		}
		return context.Cause(ctx)
	}
}

// cannotListen gives words to an address that cannot be had.
func cannotListen(what string, err error) error {
	return &console.Problem{Code: "cannot_listen", What: what, Why: err.Error(), Next: "give another --listen HOST:PORT", Exit: console.Failure, Cause: err}
}
