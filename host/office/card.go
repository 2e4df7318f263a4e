package office

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// cardPage is one card: what it is, what it is set to, and its life.
type cardPage struct {
	cardLine
	Assigned   string // id of the product that the card was assigned; "" for none of its own
	Products   []product.Product
	Settings   record.Settings
	Unreadable bool // the settings cannot be read now
	Form       form
	Capability string // what opens the settings channel, right after it was asked for
	Life       life
	MayWrite   bool
	MayChange  bool // somebody may, and the card's state allows it
	MayRevoke  bool // the same of a revocation
	Reasons    []string
	Public     string // path of the card's certificate
	Path       string
}

// reasons are what a card is usually revoked for.
var reasons = []string{"lost", "stolen", "damaged", "replaced", "counterfeit", "other"}

// found returns the card that the path names: one of this issuer's.
func (v *visit) found() (record.Card, error) {
	id, err := tap.ParseCardID(v.r.PathValue("card"))
	if err != nil {
		return record.Card{}, fmt.Errorf("%w: %w", errNotFound, err)
	}
	c, err := v.Registry.Card(v.ctx, id)
	if err == nil && c.Issuer != v.issuer {
		err = fmt.Errorf("%w: card %v is another issuer's", errNotFound, id)
	}
	return c, err
}

// newest reads the card's channel to its end first, so that a page shows what was done a moment ago.
func (v *visit) newest() (record.Card, error) {
	c, err := v.found()
	if err != nil {
		return c, err
	}
	if err := v.Registry.SyncChannel(v.ctx, c.Taps); err != nil {
		return c, err
	}
	return v.found()
}

func (v *visit) card() error { return v.cardShown(http.StatusOK, nil, "") }

// cardShown shows a card, with a form that was not accepted when there is one.
func (v *visit) cardShown(status int, typed *form, capability string) error {
	c, err := v.newest()
	if err != nil {
		return err
	}
	p := cardPage{MayWrite: v.can(identity.WriteCards), Reasons: reasons, Capability: capability,
		Public: "/c/" + c.ID.String(), Path: v.at("cards", c.ID.String())}
	if p.cardLine, err = v.cardLine(c); err != nil {
		return err
	}
	p.MayChange = p.MayWrite && (c.State == record.StateInService || c.State == record.StateCompleted)
	p.MayRevoke = p.MayChange || p.MayWrite && c.State == record.StateLost
	before, _ := strconv.ParseUint(v.query("before"), 10, 64)
	if p.Life, err = v.life(c, before); err != nil {
		return err
	}
	if err := v.fillSettings(&p, c, typed); err != nil {
		return err
	}
	if p.Assigned, err = v.Products.Assigned(v.ctx, v.issuer, c.ID); err != nil {
		return err
	}
	if p.Products, err = v.Products.Products(v.ctx, v.issuer); err != nil {
		return err
	}
	return v.show(status, "card", p)
}

// fillSettings reads what is in force. A card whose settings cannot be read is shown all the same.
func (v *visit) fillSettings(p *cardPage, c record.Card, typed *form) error {
	current, err := v.Settings.Current(v.ctx, c.ID)
	switch {
	case errors.Is(err, settings.ErrNoService):
	case errors.Is(err, settings.ErrUnreadable):
		p.Unreadable = true
	case err != nil:
		return err
	}
	p.Settings = current.Settings
	if typed != nil {
		p.Form = *typed
		return nil
	}
	p.Form = form{Values: map[string]string{"url": current.ProductURL, "device": c.Device}}
	if current.LoginRequired {
		p.Form.Values["login"] = "yes"
	}
	if len(current.Form) > 0 {
		fields, err := json.MarshalIndent(current.Form, "", "  ")
		if err != nil {
			return err
		}
		p.Form.Values["form"] = string(fields)
	}
	return nil
}

// cardSettings changes what a card is set to.
func (v *visit) cardSettings() error {
	c, err := v.found()
	if err != nil {
		return err
	}
	typed := v.typed("url", "login", "form", "device")
	typed.Values["device"] = c.Device
	want := record.Settings{ProductURL: v.form("url"), LoginRequired: v.form("login") != ""}
	if text := v.form("form"); text != "" {
		if err := json.Unmarshal([]byte(text), &want.Form); err != nil {
			typed.Problems["form"] = v.words.T("office.invalid.form", err.Error())
		} else if err := want.Form.Check(); err != nil {
			typed.Problems["form"] = v.words.T("office.invalid.form", err.Error())
		}
	}
	if err := v.checkTarget(want.ProductURL); err != nil && !v.invalid(typed, err) {
		return err
	}
	if _, err := want.Encode(); err != nil && !typed.Bad() {
		typed.Problems["url"] = v.words.T("office.invalid.bad_url")
	}
	if typed.Bad() {
		return v.cardShown(http.StatusUnprocessableEntity, &typed, "")
	}
	if err := v.about("card.settings", c.ID.String(), settings.Describe(want)); err != nil {
		return err
	}
	if _, err = v.Office.Settings.Put(v.ctx, c.ID, want); err != nil {
		return v.cardRefused(c, err)
	}
	return v.done(v.at("cards", c.ID.String()), "office.card.settings.done")
}

// checkTarget wants a card's product page to be where the issuer said that such pages are. The error is *product.Invalid.
func (v *visit) checkTarget(address string) error {
	if address == "" {
		return nil
	}
	if err := product.CheckURL(address, false); err != nil {
		return err
	}
	face, err := v.Products.Face(v.ctx, v.issuer)
	if err == nil && !face.Allows(address) {
		err = &product.Invalid{Field: "url", Reason: product.OtherHost}
	}
	return err
}

// cardRefused tells of changes that the card's state does not allow, or that somebody else overtook.
func (v *visit) cardRefused(c record.Card, err error) error {
	at := v.at("cards", c.ID.String())
	switch {
	case errors.Is(err, settings.ErrNoService), errors.Is(err, lifecycle.ErrNotInService), errors.Is(err, lifecycle.ErrRevoked), errors.Is(err, lifecycle.ErrMoved):
		return v.refused(at, "office.card.no_service")
	case errors.Is(err, lifecycle.ErrBadText):
		return v.refused(at, "office.card.bad_text")
	case errors.Is(err, settings.ErrOvertaken):
		return v.refused(at, "office.card.overtaken")
	}
	return err
}

// cardProduct says what the card is fixed to.
func (v *visit) cardProduct() error {
	c, err := v.found()
	if err != nil {
		return err
	}
	id, at := v.form("product"), v.at("cards", c.ID.String())
	if id != "" {
		if _, err := v.Products.Product(v.ctx, v.issuer, id); err != nil {
			return err
		}
	}
	if err := v.about("card.product", c.ID.String(), id); err != nil {
		return err
	}
	if err := v.Products.Assign(v.ctx, v.issuer, c.ID, id); err != nil {
		return err
	}
	return v.done(at, "office.card.product.done")
}

// cardDevice says which device the card belongs to.
func (v *visit) cardDevice() error {
	c, err := v.found()
	if err != nil {
		return err
	}
	device := v.form("device")
	if err := v.about("card.associated", c.ID.String(), device); err != nil {
		return err
	}
	if _, err := v.Lifecycle.Associate(v.ctx, c.ID, device, v.actor.ID); err != nil {
		return v.cardRefused(c, err)
	}
	return v.done(v.at("cards", c.ID.String()), "office.card.device.done")
}

// cardRevoke takes a card out of service for good: whoever does it has typed its id.
func (v *visit) cardRevoke() error {
	c, err := v.found()
	if err != nil {
		return err
	}
	reason := v.form("reason")
	if text := v.form("detail"); text != "" {
		reason += ": " + text
	}
	typed := v.typed("reason", "detail", "confirm")
	typed.Values["device"] = c.Device
	if v.form("confirm") != c.ID.String() {
		typed.Problems["confirm"] = v.words.T("office.card.revoke.mismatch")
	}
	if v.form("reason") == "" || utf8.RuneCountInString(reason) > lifecycle.MaxText {
		typed.Problems["reason"] = v.words.T("office.card.revoke.reason.bad")
	}
	if typed.Bad() {
		return v.cardShown(http.StatusUnprocessableEntity, &typed, "")
	}
	if err := v.about("card.revoked", c.ID.String(), reason); err != nil {
		return err
	}
	if _, err := v.Lifecycle.Revoke(v.ctx, c.ID, reason, v.actor.ID); err != nil {
		return v.cardRefused(c, err)
	}
	return v.done(v.at("cards", c.ID.String()), "office.card.revoke.done")
}

// cardCapability shows what opens the card's settings channel to whoever has it.
func (v *visit) cardCapability() error {
	c, err := v.found()
	if err != nil {
		return err
	}
	if err := v.about("card.capability", c.ID.String(), "shown"); err != nil {
		return err
	}
	capability, err := v.Office.Settings.Capability(v.ctx, c.ID)
	if err != nil {
		return v.cardRefused(c, err)
	}
	return v.cardShown(http.StatusOK, nil, capability.String())
}
