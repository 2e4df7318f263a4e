package web

import (
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
)

// unsigned fills the page of a link without a signature: what the link says, that anybody can write it, and what is known of the card that
// it names. It is no sign of a copy and no proof of the original, so the page is neither red nor green.
func (v *visit) unsigned(a *answer, f desk.Finding) {
	a.Text = v.speak.Verdict("unsigned_" + f.Unsigned)
	care := func(key string, next validation.Code) {
		a.Tone, a.Known, a.Next = page.Care, v.speak.T(key), v.speak.Verdict(string(next)).Next
	}
	switch {
	case f.Card == nil:
		care("tap.unsigned_unknown", validation.UnknownCard)
	case f.State == record.StateRevoked:
		care("tap.unsigned_revoked", validation.Revoked)
		a.Moment = v.moment(validation.Revoked, f)
		if f.Card.Reason != "" {
			a.Reason = v.speak.T("tap.reason", f.Card.Reason)
		}
	case f.Contradicted:
		a.Text, a.Tone, a.Report.Open = v.speak.Verdict("unsigned_contradicted"), page.Care, true
	case f.State == "":
		care("tap.unsigned_new", validation.NotInService)
	}
}
