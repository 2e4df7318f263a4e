package office

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/productid/productid/host/notify"
)

const deliveriesShown = 30

// noticesPage is where an issuer's events are sent.
type noticesPage struct {
	Endpoints  []notify.Endpoint
	Kinds      []kindChoice
	Deliveries []deliveryLine
	Form       form   // a new webhook
	Mail       form   // the recipients
	Secret     string // of a webhook that was made just now: shown once
	Made       string // its address
}

type kindChoice struct {
	Kind    string
	Checked bool
}

type deliveryLine struct {
	notify.Delivery
	Tone string
}

func (v *visit) notices() error {
	p := noticesPage{}
	recipients, err := v.Notices.Recipients(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	p.Mail = form{Values: map[string]string{"recipients": strings.Join(recipients, "\n")}}
	return v.noticesShown(http.StatusOK, p)
}

func (v *visit) noticesShown(status int, p noticesPage) error {
	var err error
	if p.Endpoints, err = v.Notices.Endpoints(v.ctx, v.issuer); err != nil {
		return err
	}
	if p.Mail.Values == nil {
		recipients, err := v.Notices.Recipients(v.ctx, v.issuer)
		if err != nil {
			return err
		}
		p.Mail.Values = map[string]string{"recipients": strings.Join(recipients, "\n")}
	}
	deliveries, err := v.Notices.Deliveries(v.ctx, v.issuer, deliveriesShown)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		tone := map[notify.State]string{notify.Delivered: "good", notify.Waiting: "open", notify.GivenUp: "bad"}[d.State]
		if d.State == notify.Waiting && d.Error != "" {
			tone = "care"
		}
		p.Deliveries = append(p.Deliveries, deliveryLine{d, tone})
	}
	chosen := v.r.PostForm["kind"]
	for _, kind := range notify.Kinds() {
		p.Kinds = append(p.Kinds, kindChoice{kind, slices.Contains(chosen, kind) && p.Secret == ""})
	}
	return v.show(status, "notices", p)
}

// webhookAdd adds an address, and shows the secret that its deliveries are signed with.
func (v *visit) webhookAdd() error {
	p := noticesPage{Form: v.typed("url")}
	kinds := v.r.PostForm["kind"]
	if len(kinds) == 0 {
		p.Form.Problems["kind"] = v.words.T("office.notices.kind.bad")
		return v.noticesShown(http.StatusUnprocessableEntity, p)
	}
	if err := v.about("webhook.added", "", v.form("url")); err != nil {
		return err
	}
	made, secret, err := v.Notices.AddEndpoint(v.ctx, v.issuer, v.form("url"), kinds)
	switch {
	case errors.Is(err, notify.ErrBadEndpoint):
		p.Form.Problems["url"] = v.words.T("office.notices.url.bad")
		return v.noticesShown(http.StatusUnprocessableEntity, p)
	case errors.Is(err, notify.ErrTooMany):
		p.Form.Problems[""] = v.words.T("office.notices.too_many")
		return v.noticesShown(http.StatusUnprocessableEntity, p)
	case err != nil:
		return err
	}
	return v.noticesShown(http.StatusOK, noticesPage{Secret: string(secret), Made: made.URL})
}

func (v *visit) webhookTest() error {
	id := v.r.PathValue("id")
	if err := v.about("webhook.tested", id, ""); err != nil {
		return err
	}
	sent, err := v.Notices.TestEndpoint(v.ctx, v.issuer, id)
	if err != nil {
		return v.noticeRefused(err)
	}
	if sent.State != notify.Delivered {
		return v.refused(v.at("notices"), "office.notices.untested", clipped(sent.Error))
	}
	return v.done(v.at("notices"), "office.notices.tested")
}

func (v *visit) webhookRemove() error {
	id := v.r.PathValue("id")
	if err := v.about("webhook.removed", id, ""); err != nil {
		return err
	}
	if err := v.Notices.RemoveEndpoint(v.ctx, v.issuer, id); err != nil {
		return v.noticeRefused(err)
	}
	return v.done(v.at("notices"), "office.notices.removed")
}

func (v *visit) noticeRefused(err error) error {
	if errors.Is(err, notify.ErrUnknownEndpoint) {
		return v.refused(v.at("notices"), "office.notices.unknown")
	}
	return err
}

// recipients says who gets mail.
func (v *visit) recipients() error {
	p := noticesPage{Mail: v.typed("recipients")}
	addresses := strings.FieldsFunc(v.form("recipients"), func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' })
	if err := v.about("mail.recipients", "", "recipients set"); err != nil { // who they are is nobody's affair for ever
		return err
	}
	err := v.Notices.SetRecipients(v.ctx, v.issuer, addresses)
	switch {
	case errors.Is(err, notify.ErrBadRecipient):
		p.Mail.Problems["recipients"] = v.words.T("office.notices.mail.bad")
		return v.noticesShown(http.StatusUnprocessableEntity, p)
	case errors.Is(err, notify.ErrTooMany):
		p.Mail.Problems["recipients"] = v.words.T("office.notices.too_many")
		return v.noticesShown(http.StatusUnprocessableEntity, p)
	case err != nil:
		return err
	}
	return v.done(v.at("notices"), "office.notices.mail.done")
}
