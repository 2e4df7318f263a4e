package office

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/productid/productid/host/page"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// eventsOnPage is how many messages of a tap channel a page of a card's life shows.
const eventsOnPage = 50

// event is one moment of a card's life, as the ledger has it.
type event struct {
	Kind    string // names its text: office.event.<Kind>
	Tone    string
	Title   string
	Facts   []fact
	Payload string // JSON in lines, or ""
	At      time.Time
	Ref     record.Ref
	Note    string // text for what cannot be shown
}

// fact is a name and a value of an event.
type fact struct{ Name, Value string }

// life is a card's events, the newest first.
type life struct {
	Events []event
	Older  string // number before which the next page ends; "" when this is the last
	Newer  bool   // this is not the first page
}

// life reads a card's tap channel from the ledger itself: the messages before number before, or the newest when it is 0.
func (v *visit) life(c record.Card, before uint64) (life, error) {
	var l life
	end := before
	if end == 0 && !c.Head.IsZero() {
		end = c.Head.Number + 1
	}
	l.Newer = before != 0 && !c.Head.IsZero() && before <= c.Head.Number
	first := uint64(0)
	if end > eventsOnPage {
		first = end - eventsOnPage
		l.Older = strconv.FormatUint(first, 10)
	}
	if end > 0 {
		entries, err := v.Ledger.Range(v.ctx, c.Taps, first, int(end-first))
		if err != nil && !errors.Is(err, ledger.ErrNoChannel) {
			return l, err
		}
		changes := v.changes(c)
		for n := len(entries) - 1; n >= 0; n-- {
			l.Events = append(l.Events, v.event(entries[n], changes))
		}
	}
	if first == 0 {
		registration, err := v.Ledger.Range(v.ctx, c.Issuer, c.Registered.Number, 1)
		if err != nil {
			return l, err
		}
		for _, e := range registration {
			l.Events = append(l.Events, v.event(e, nil))
		}
	}
	return l, nil
}

// changes returns what each settings message of a card says, by its hash. What cannot be read is missing there: the card's life is
// shown all the same.
func (v *visit) changes(c record.Card) map[string]record.Settings {
	author, err := v.Authors.Settings(c.Issuer, c.ID)
	if err != nil {
		return nil
	}
	entries, err := v.Ledger.Range(v.ctx, author.Channel(), 0, 1000)
	if err != nil {
		return nil
	}
	all := make(map[string]record.Settings)
	for _, e := range entries {
		body, err := author.Capability(e.Message.Number(), e.Message.KeyStart()).Open(e.Message)
		if err != nil {
			continue
		}
		if s, err := record.ParseSettings(body); err == nil {
			all[e.Message.Hash().String()] = s
		}
	}
	return all
}

// event tells what one message says.
func (v *visit) event(e ledger.Entry, changes map[string]record.Settings) event {
	m := e.Message
	ev := event{Tone: page.Open, Kind: "unknown", At: e.Time,
		Ref: record.Ref{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash(), Index: e.Index, Time: e.Time}}
	body, err := m.Body()
	if err != nil {
		ev.Kind, ev.Note = "unreadable", v.words.T("office.event.unreadable.note")
		if errors.Is(err, channel.ErrRemoved) {
			ev.Kind, ev.Note = "removed", v.words.T("office.event.removed.note")
		}
		return v.titled(ev)
	}
	parsed, err := record.Parse(body)
	if err != nil {
		ev.Kind, ev.Note = "unreadable", v.words.T("office.event.unreadable.note")
		return v.titled(ev)
	}
	v.tell(&ev, parsed, changes)
	return v.titled(ev)
}

func (v *visit) titled(ev event) event {
	ev.Title = v.words.T("office.event." + ev.Kind)
	return ev
}

// tell fills an event with what a record says.
func (v *visit) tell(ev *event, parsed record.Record, changes map[string]record.Settings) {
	add := func(name, value string) {
		if value != "" {
			ev.Facts = append(ev.Facts, fact{v.words.T("office.fact." + name), value})
		}
	}
	switch b := parsed.Value.(type) {
	case record.CardRegistered:
		ev.Kind = "registered"
		add("gtin", b.GTIN)
		add("lot", b.Lot)
		add("serial", b.Serial)
		add("station", b.Station)
		add("operator", b.Operator)
		add("applet", b.Applet.Version)
		add("algorithm", b.Alg)
	case record.CardInService:
		ev.Kind, ev.Tone = "in_service", page.Good
		add("counter", strconv.FormatUint(uint64(b.Last), 10))
	case record.Tap:
		v.tellTap(ev, b, add)
	case record.CardConfigured:
		ev.Kind = "configured"
		s, known := changes[b.Settings.String()]
		if !known {
			ev.Note = v.words.T("office.event.configured.note")
			return
		}
		add("url", s.ProductURL)
		if s.LoginRequired {
			add("login", v.words.T("office.yes"))
		}
		if len(s.Form) > 0 {
			add("form", v.words.N("office.fields", len(s.Form)))
		}
	case record.CardAssociated:
		ev.Kind = "associated"
		add("device", b.Device)
		add("by", v.person(b.By))
	case record.CardRevoked:
		ev.Kind, ev.Tone = "revoked", page.Bad
		add("reason", b.Reason)
		add("by", v.person(b.By))
	case record.ChannelMoved:
		ev.Kind, ev.Tone = "moved", page.Care
		add("to", b.To)
	case record.ChannelContinued:
		ev.Kind = "continued"
		add("from", b.From)
	case record.CardReinstated:
		ev.Kind, ev.Tone = "reinstated", page.Good
		add("counter", strconv.FormatUint(uint64(b.Last), 10))
	case record.CardCarried:
		ev.Kind, ev.Tone = "carried", page.Care
		add("counter", strconv.FormatUint(uint64(b.Last), 10))
	default:
		add("kind", parsed.Kind)
	}
}

func (v *visit) tellTap(ev *event, b record.Tap, add func(name, value string)) {
	ev.Kind, ev.Tone = "tap", page.Good
	add("counter", strconv.FormatUint(uint64(b.Counter), 10))
	add("operator", v.person(b.Operator))
	if b.Skipped != nil {
		ev.Tone = page.Care
		n := uint64(b.Skipped[1]) - uint64(b.Skipped[0]) + 1
		add("skipped", v.words.N("office.skipped", n, uint64(b.Skipped[0]), uint64(b.Skipped[1])))
	}
	if b.PayloadHash != nil {
		add("payload_hash", b.PayloadHash.String())
	}
	if b.Payload != nil {
		ev.Payload = pretty(b.Payload)
	}
}

// pretty returns JSON in lines, a text of it as long as a page can bear.
func pretty(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
