package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Status is how a card stands, in one word.
type Status string

// The statuses.
const (
	Active       Status = "active"
	Completed    Status = "completed" // active, and its production is completed
	Revoked      Status = "revoked"
	Moved        Status = "moved"          // its life goes on on another ledger
	HistoryLost  Status = "history_lost"   // its taps count again when it is reinstated
	NotInService Status = "not_in_service" // registered, and its taps do not count yet
)

func statusOf(c record.Card) Status {
	switch c.State {
	case record.StateInService:
		return Active
	case record.StateCompleted:
		return Completed
	case record.StateRevoked:
		return Revoked
	case record.StateMoved:
		return Moved
	case record.StateLost:
		return HistoryLost
	}
	return NotInService
}

// Card is what there is to be said of a card. All but Restricted is for everybody: most of it stands on the ledger, and the rest is shown
// to whoever taps. Of Record, what everybody may see is for the ledger's readers; its Device is not shown.
type Card struct {
	Record  record.Card // as the newest message of its tap channel leaves it, without its device
	Status  Status
	Issuer  record.Issuer
	Face    product.Face
	Product *product.Product
	Test    bool // a card of the sandbox: it proves nothing

	ProductURL    string // in force, as the two after it
	LoginRequired bool
	Form          record.Form

	LastTime   time.Time // of the newest message of the tap channel; zero when there is none
	Capability string    // opens the tap channel, which is public
	Proof      *Proof    // of the newest message of the tap channel; nil when there is none
	Restricted *Restricted
}

// Restricted is what only those see who may read the issuer's cards.
type Restricted struct {
	Device     string
	Settings   record.Settings
	Capability string      // opens the settings channel from the settings in force on: a secret
	LastTap    *record.Tap // the newest recorded tap with all that its record says; nil when the newest message is none
}

// Proof shows that the ledger recorded a message, and how new that is.
type Proof struct {
	Evidence ledger.Evidence
	// Head is the channel author's word, with a time, that nothing newer exists; nil where the author is another installation's.
	Head *channel.SignedHead
}

// Card returns what is to be said of a card to whoever acts in ctx (identity.From), after the ledger's newest message. Errors:
// registry.ErrUnknownCard, settings.ErrUnreadable, and those of the ledger.
func (d *Desk) Card(ctx context.Context, id tap.CardID) (Card, error) {
	c, err := d.card(ctx, id)
	if err != nil {
		return Card{}, fmt.Errorf("reading card %v: %w", id, err)
	}
	return c, nil
}

func (d *Desk) card(ctx context.Context, id tap.CardID) (Card, error) {
	asOf := d.Now() // before the channel is read
	r, err := d.current(ctx, id)
	if err != nil {
		return Card{}, err
	}
	c := Card{Record: r, Status: statusOf(r), Test: d.IsTest(ctx, r.Issuer), Capability: channel.Capability{Channel: r.Taps}.String()}
	c.Record.Device = ""
	if c.Issuer, err = d.Registry.Issuer(ctx, r.Issuer); err != nil {
		return Card{}, err
	}
	c.Face, c.Product = d.shown(ctx, r)
	if c.Face.Name == "" {
		c.Face.Name = c.Issuer.Name
	}
	s, err := d.settings(ctx, id, r.Settings)
	if err != nil && !errors.Is(err, secrets.ErrElsewhere) {
		return Card{}, err
	}
	c.ProductURL, c.LoginRequired, c.Form = s.ProductURL, s.LoginRequired, s.Form
	if !r.Head.IsZero() {
		c.LastTime = r.Head.Time
		if c.Proof, err = d.prove(ctx, r, asOf); err != nil {
			return Card{}, err
		}
	}
	if identity.From(ctx).May(r.Issuer, identity.ReadCards) == nil {
		c.Restricted, err = d.restricted(ctx, r, s, c.Proof)
	}
	return c, err
}

func (d *Desk) restricted(ctx context.Context, r record.Card, s record.Settings, p *Proof) (*Restricted, error) {
	out := &Restricted{Device: r.Device, Settings: s}
	capability, err := d.Settings.Capability(ctx, r.ID)
	switch {
	case err == nil:
		out.Capability = capability.String()
	case !errors.Is(err, secrets.ErrElsewhere) && !noService(err):
		return nil, err
	}
	if p == nil {
		return out, nil
	}
	body, err := p.Evidence.Message.Body()
	if err != nil {
		return nil, err
	}
	if parsed, err := record.Parse(body); err == nil {
		if t, isTap := parsed.Value.(record.Tap); isTap {
			out.LastTap = &t
		}
	}
	return out, nil
}

func isUnknown(err error) bool { return errors.Is(err, registry.ErrUnknownCard) }
