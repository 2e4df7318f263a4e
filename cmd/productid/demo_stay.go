package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/validation"
)

// stay lets one tap again, on the website and here, until q or the end of the input, or until the website fails.
func (d *demo) stay(ctx context.Context) error {
	d.sayWebsite()
	d.console.Say(`
Each tap gives a new URL, which is good once. A phone would open it in its browser; here you are the phone.
  Enter  tap the card and record the tap
  r      offer the last URL again, as a copier would
  q      end`)
	for ctx.Err() == nil {
		key, err := d.console.Ask(ctx, "> ")
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause
		}
		if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		switch strings.ToLower(key) {
		case "q":
			return nil
		case "r":
			err = d.offer(ctx, d.Last())
		default:
			err = d.tapOnce(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) tapOnce(ctx context.Context) error {
	url, err := d.Read(ctx)
	if err != nil {
		return err
	}
	d.console.Say("the card serves %s", console.Clean(url))
	return d.offer(ctx, url)
}

// offer asks for a URL to be recorded and shows the answer, whatever it is.
func (d *demo) offer(ctx context.Context, url string) error {
	v, err := d.record(ctx, d.house, validation.Request{URL: url})
	if err != nil {
		return err
	}
	if err := d.answerVerdict(v); !errors.As(err, new(console.Answered)) && err != nil {
		return fmt.Errorf("showing the answer: %w", err)
	}
	return nil
}
