package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/host/validation"
)

// watch is a check point.
type watch struct {
	*app
	house    *house
	update   bool
	exec     []string
	interval time.Duration
	left     int // how many taps until it ends; negative: never
}

func (a *app) tapWatch() *cobra.Command {
	w := &watch{app: a}
	var action, command string
	c := &cobra.Command{
		Use: "watch", Short: "A check point: every card put on the reader is checked",
		Long: `Reads every card that is put on a reader as a phone does, records the tap and prints the answer. Only a recorded tap is
used up: with --action validate nothing is written, and a tag that serves one copied URL is valid again and again. A virtual
card (--reader sim:HOST:PORT) is tapped at each Enter, or every --interval.

--exec runs a program for each tap, not through a shell. It finds the answer in PRODUCTID_TAP_CODE, PRODUCTID_TAP_OK (1 or
0), PRODUCTID_TAP_URL, PRODUCTID_TAP_CARD and PRODUCTID_TAP_COUNTER, of a URL without a signature the reason it gives in
PRODUCTID_TAP_UNSIGNED (exhausted or challenge): such a card is checked by productid card verify. With --action validate, a gate
that it opens opens for every copy of a URL, any number of times.`,
		Example: "  productid tap watch --reader pcsc:ACR122 --exec /usr/local/bin/open-gate",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if action != validation.ActionUpdate && action != "validate" {
				return console.Misuse("reading --action", fmt.Sprintf("it is %q", action), "give update or validate")
			}
			if w.left == 0 || w.left < -1 {
				return console.Misuse("reading --count", fmt.Sprintf("it is %d", w.left), "give 1 or more, or leave it out")
			}
			kind, name, err := a.readerFlag()
			if err != nil {
				return err
			}
			w.update, w.exec = action == validation.ActionUpdate, strings.Fields(command)
			if w.house, err = a.openHouse(c.Context(), existing); err != nil {
				return err
			}
			defer w.house.Close()
			return w.run(c.Context(), kind, name)
		},
	}
	c.Flags().StringVar(&action, "action", validation.ActionUpdate, "update: record each tap; validate: only check, so that copies pass too")
	c.Flags().StringVar(&command, "exec", "", "`program` with arguments to run for each tap")
	c.Flags().DurationVar(&w.interval, "interval", 0, "tap a virtual card so often instead of at each Enter")
	c.Flags().IntVar(&w.left, "count", -1, "end after so many taps, read or not; -1 is never")
	return c
}

// errEnough ends the watch.
var errEnough = errors.New("enough taps")

func (w *watch) run(ctx context.Context, kind, name string) error {
	var err error
	if kind == kindSim {
		err = w.virtual(ctx)
	} else {
		err = w.physical(ctx, name)
	}
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// physical taps each card that comes to a reader of the name.
func (w *watch) physical(ctx context.Context, name string) error {
	w.console.Say("put a card on the reader; Ctrl-C ends")
	return pcsc.Watch(ctx, func(e pcsc.Event) error {
		if e.Kind != pcsc.CardInserted || !strings.Contains(strings.ToLower(e.Reader), strings.ToLower(name)) {
			return nil
		}
		return w.tap(ctx, func(context.Context) (cardReader, error) { return pcsc.Open(e.Reader) })
	})
}

// virtual taps the virtual card at each Enter, or at each interval.
func (w *watch) virtual(ctx context.Context) error {
	if w.interval == 0 {
		w.console.Say("Enter taps the virtual card; Ctrl-D ends")
	}
	for ctx.Err() == nil {
		if err := w.await(ctx); err != nil {
			return err
		}
		if err := w.tap(ctx, w.openReader); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *watch) await(ctx context.Context) error {
	if w.interval == 0 {
		_, err := w.console.Ask(ctx, "")
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(w.interval):
		return nil
	}
}

// tap is one tap, read or not; the last ends the watch.
func (w *watch) tap(ctx context.Context, open func(context.Context) (cardReader, error)) error {
	if err := w.check(ctx, open); err != nil {
		return err
	}
	if w.left > 0 {
		w.left--
	}
	if w.left == 0 {
		return errEnough
	}
	return nil
}

// check reads and checks one card. What is wrong with one card is said, and the next is waited for; what is wrong with
// the ledger ends the watch.
func (w *watch) check(ctx context.Context, open func(context.Context) (cardReader, error)) error {
	url, err := tapOf(ctx, open)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.console.Report(err)
		return nil
	}
	v, err := w.decide(ctx, url)
	if err != nil {
		return err
	}
	if err := w.answerVerdict(v); err != nil && !errors.As(err, new(console.Answered)) {
		return err
	}
	w.call(ctx, url, v)
	return nil
}

func tapOf(ctx context.Context, open func(context.Context) (cardReader, error)) (string, error) {
	r, err := open(ctx)
	if err != nil {
		return "", fmt.Errorf("opening the reader: %w", err)
	}
	defer r.Close() // the card has answered
	return readURL(r)
}

func (w *watch) decide(ctx context.Context, url string) (validation.Verdict, error) {
	if err := w.house.registry.Sync(ctx); err != nil { // cards may be made while we watch
		return validation.Verdict{}, err
	}
	if w.update {
		return w.record(ctx, w.house, validation.Request{URL: url})
	}
	return w.house.validation.Validate(ctx, url)
}

// call runs the program for a tap. Its failure is said and changes nothing.
func (w *watch) call(ctx context.Context, url string, v validation.Verdict) {
	if len(w.exec) == 0 {
		return
	}
	cmd := exec.CommandContext(ctx, w.exec[0], w.exec[1:]...)
	ok := "0"
	if v.Code.OK() {
		ok = "1"
	}
	id := ""
	if v.ID != nil {
		id = v.ID.String()
	}
	cmd.Env = append(withoutKey(cmd.Environ()), "PRODUCTID_TAP_CODE="+string(v.Code), "PRODUCTID_TAP_OK="+ok, "PRODUCTID_TAP_URL="+url,
		"PRODUCTID_TAP_CARD="+id, fmt.Sprintf("PRODUCTID_TAP_COUNTER=%d", v.Counter), "PRODUCTID_TAP_UNSIGNED="+v.Unsigned)
	cmd.Stdout, cmd.Stderr = w.err, w.err // standard output holds answers only
	if err := cmd.Run(); err != nil {
		w.console.Report(fmt.Errorf("running %s: %w", w.exec[0], err))
	}
}
