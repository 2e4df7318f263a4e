package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/host/simcard"
	"github.com/productid/productid/pkg/apdu"
)

// cardReader is a card on a reader, connected.
type cardReader interface {
	apdu.Transmitter
	ATR() []byte
	Close() error
}

// withCard connects to the card on the reader that was chosen, and lets it go after use.
func (a *app) withCard(ctx context.Context, use func(cardReader) error) error {
	r, err := a.openReader(ctx)
	if err != nil {
		return err
	}
	defer r.Close() // the card has answered: what closing says changes nothing
	return use(r)
}

// The kinds of readers that --reader names.
const (
	kindPCSC = "pcsc"
	kindSim  = "sim"
)

// readerFlag takes --reader apart.
func (a *app) readerFlag() (kind, name string, err error) {
	kind, name, _ = strings.Cut(a.flags.reader, ":")
	if kind == kindPCSC || kind == kindSim && strings.Contains(name, ":") {
		return kind, name, nil
	}
	what := "opening the reader " + a.flags.reader
	if kind == kindSim {
		return "", "", console.Misuse(what, "malformed: a virtual card is named by its address, sim:HOST:PORT",
			"start one (scripts/virtual-card.sh --tcp 127.0.0.1:0) and give the address it prints; only productid demo starts its own")
	}
	return "", "", console.Misuse(what, "malformed: it is not pcsc, pcsc:NAME or sim:HOST:PORT", "productid reader list shows what there is")
}

func (a *app) openReader(ctx context.Context) (cardReader, error) {
	kind, name, err := a.readerFlag()
	if err != nil {
		return nil, err
	}
	if kind == kindSim {
		return simcard.Dial(ctx, name)
	}
	r, err := pcsc.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the reader: %w", err)
	}
	return r, nil
}
