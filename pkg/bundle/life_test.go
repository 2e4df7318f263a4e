package bundle

import (
	"testing"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

// revoked is a card that was associated with a device and is revoked in the end. Between the two stand settings, which do not belong there:
// whether their forms are well-formed decides the word for it.
func revoked(t testing.TB) *world {
	w := tapped(t, 2)
	w.say(w.taps, recordtest.Body(record.CardAssociated{Last: 5, State: record.StateInService, Device: "lock 7", By: "anna"}))
	for _, form := range []string{
		`[{"name":"kg","label":{"en":"Weight","it":"Peso"},"type":"number","required":true},{"name":"place","label":"Where?","type":"choice","options":["Milano","Roma"]}]`,
		`[{"name":"note","label":"Note","type":"text","maxLength":1000},{"name":"day","label":"Day","type":"date","options":[]},{"name":"ok","label":"OK","type":"checkbox"}]`,
		`[{"name":"Kg","label":"x","type":"number"}]`, `[{"name":"kg","label":"x\n","type":"number"}]`, `[{"name":"kg","label":"","type":"number"}]`,
		`[{"name":"kg","label":{},"type":"number"}]`, `[{"name":"kg","label":{"":"x"},"type":"number"}]`, `[{"name":"kg","label":{"EN":"x"},"type":"number"}]`,
		`[{"name":"kg","label":"x","type":"number","maxLength":1}]`, `[{"name":"kg","label":"x","type":"text","maxLength":1001}]`,
		`[{"name":"kg","label":"x","type":"choice"}]`, `[{"name":"kg","label":"x","type":"text","options":["a"]}]`, `[{"name":"kg","label":"x","type":"choice","options":["a","a"]}]`,
		`[{"name":"kg","label":"x","type":"date"},{"name":"kg","label":"y","type":"date"}]`, `[{"name":"kg","type":"date"}]`, `null`, `{}`, `[]`, `[null]`,
	} {
		w.say(w.taps, []byte(`{"kind":"settings","form":`+form+`}`)) // does not belong here: wrong_channel where it is well-formed
	}
	w.say(w.taps, []byte(`{"kind":"card.revoked","last":4,"state":"revoked"}`)) // counts back
	w.say(w.taps, recordtest.Body(record.CardRevoked{Last: 6, State: record.StateRevoked, Reason: "stolen"}))
	w.say(w.taps, recordtest.Body(record.CardRevoked{Last: 7, State: record.StateRevoked}))
	w.tap(9)
	return w
}
