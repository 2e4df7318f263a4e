package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// office is an installation with its people and keys, for one of its issuers.
type office struct {
	*house
	identity *identity.Identity
	issuer   channel.ID
}

// openOffice opens people and keys beside the registry, for the issuer that --issuer means or, with test, for the sandbox's, which is
// made where there is none. Nobody signs in by a command line, so it needs no address.
func (a *app) openOffice(ctx context.Context, test bool) (*office, error) {
	h, err := a.openHouse(ctx, existing)
	if err != nil {
		return nil, err
	}
	o := &office{house: h}
	if err := a.furnish(ctx, o, test); err != nil {
		h.Close()
		return nil, err
	}
	return o, nil
}

func (a *app) furnish(ctx context.Context, o *office, test bool) error {
	p, err := a.ledgerPlace()
	if err != nil {
		return err
	}
	var issuer secrets.Issuer
	if test {
		o.issuer, err = a.sandboxIssuer(ctx, o.house)
	} else if issuer, err = o.issuerOf(ctx, a.flags.issuer); err == nil {
		o.issuer, test = issuer.Author().Channel(), issuer.Sandbox
	}
	if err != nil {
		return err
	}
	o.identity, err = identity.Open(ctx, a.roomName(p, "identity"), identity.Options{
		Master: o.secrets.Master, Now: time.Now, Random: rand.Reader,
		IsTest: func(context.Context, channel.ID) bool { return test }, // of the one issuer that is meant
	})
	return err
}

// sandboxIssuer is the issuer of test cards.
func (a *app) sandboxIssuer(ctx context.Context, h *house) (channel.ID, error) {
	s, err := a.openSandbox(ctx, h, tap.Template{}) // no card is made
	if err != nil {
		return channel.ID{}, err
	}
	defer s.Close() // what it made is durable
	return s.Issuer(ctx)
}

// roomName is where a room keeps what is its own: beside the log where several processes share that, else in the data folder.
func (a *app) roomName(p place, room string) string {
	if p.kind == kindPostgres {
		return p.name
	}
	return filepath.Join(a.flags.data, room+".db")
}

// Close closes what was opened. What was answered is durable already, so its errors change nothing.
func (o *office) Close() {
	o.identity.Close()
	o.house.Close()
}

// byCommand is who acts where no person and no key does: whoever has the data folder.
const byCommand = "cli"

// act records on the issuer's audit channel what is about to be done.
func (o *office) act(ctx context.Context, act, subject, detail string) error {
	return o.house.act(ctx, o.issuer, act, subject, detail)
}

// act records on an issuer's audit channel what is about to be done.
func (h *house) act(ctx context.Context, issuer channel.ID, act, subject, detail string) error {
	log := audit.New(audit.Options{Ledger: h.ledger, List: h.ledger, Authors: h.authors, Now: time.Now, Random: rand.Reader})
	return log.Act(ctx, issuer, audit.Act{By: byCommand, Act: act, Subject: subject, Detail: detail})
}

// actOnCard is act for what is about to be done to a card, on its issuer's channel.
func (h *house) actOnCard(ctx context.Context, act string, id tap.CardID, detail string) error {
	card, err := h.registry.Card(ctx, id)
	if err != nil {
		return err
	}
	return h.act(ctx, card.Issuer, act, id.String(), detail)
}

// parseLife reads how long something is to last: 90d, 12h, 30m. What there is none of is never, where never is allowed.
func parseLife(flag, text string, never bool) (time.Duration, error) {
	if never && text == "never" {
		return 0, nil
	}
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.ParseUint(days, 10, 16); isDays && err == nil && n > 0 {
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	next := "give days, hours or minutes: " + flag + " 90d"
	if never {
		next += ", or " + flag + " never"
	}
	return 0, console.Misuse("reading "+flag, fmt.Sprintf("malformed: %.40q is no length of time", text), next)
}

// moment shows a time that may not have come.
func moment(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Local().Format("2006-01-02 15:04")
}

// optional is a time in JSON, left out when it has not come.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
