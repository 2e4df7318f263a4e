package office

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

const (
	checksOnPage = 50
	alarmsOnPage = 30
)

// checkLine is one check of a list.
type checkLine struct {
	alarm.Check
	Tone, Title, Link string
}

// toneOf is the colour of a verdict.
func toneOf(code string) string {
	switch groupOf(code) {
	case groupGood:
		return page.Good
	case groupRepeat:
		return page.Care
	case groupBad:
		return page.Bad
	}
	return page.Open
}

func (v *visit) checkLines(list []alarm.Check) (lines []checkLine) {
	for _, c := range list {
		lines = append(lines, checkLine{c, toneOf(c.Code), v.words.Verdict(c.Code).Title, v.at("cards", c.Card.String())})
	}
	return lines
}

// choice is one entry of a list to choose from.
type choice struct {
	Value, Name string
	Current     bool
}

// codes are the verdicts that checks can be searched by.
func (v *visit) codes(current string) (all []choice) {
	for _, code := range []validation.Code{validation.Recorded, validation.Valid, validation.AlreadyUsed, validation.Superseded, validation.BadSignature,
		validation.Revoked, validation.NotInService, validation.UnsignedURL, validation.Moved, validation.HistoryLost} {
		all = append(all, choice{string(code), v.words.Verdict(string(code)).Title, string(code) == current})
	}
	return all
}

// filter reads what is wanted from the request's address. A card's id that is none finds nothing.
func (v *visit) filter(word string, n int) (f alarm.Filter, text string) {
	f = alarm.Filter{Issuer: v.issuer, Word: v.query(word), Before: v.query("before"), N: n}
	text = v.query("card")
	if text != "" {
		id, _ := tap.ParseCardID(text)
		f.Card = &id
	}
	return f, text
}

// after returns the address of the next page of a list, "" at its end.
func (v *visit) after(next string) string {
	if next == "" {
		return ""
	}
	query := v.r.URL.Query()
	query.Set("before", next)
	return v.r.URL.Path + "?" + query.Encode()
}

// tapsPage is what was checked.
type tapsPage struct {
	Card   string
	Codes  []choice
	Checks []checkLine
	Next   string
	First  bool
}

func (v *visit) taps() error {
	f, text := v.filter("code", checksOnPage)
	list, next, err := v.Alarms.Checks(v.ctx, f)
	if err != nil {
		return badFilter(err)
	}
	return v.show(http.StatusOK, "taps", tapsPage{text, v.codes(f.Word), v.checkLines(list), v.after(next), f.Before == ""})
}

// badFilter tells an address that somebody made up from a fault of ours.
func badFilter(err error) error {
	if errors.Is(err, alarm.ErrMalformed) {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	return err
}

// alarmKinds are the kinds of alarms in the order of their weight.
var alarmKinds = []string{alarm.PrePlay, alarm.UsedURLAgain, alarm.TwoPlaces, alarm.Rate, alarm.Gap}

// alarmsPage is what looks strange.
type alarmsPage struct {
	Card   string
	Kinds  []choice
	All    bool // also what was settled
	Alarms []alarmLine
	Next   string
	First  bool
	Settle bool // the actor may
}

type alarmLine struct {
	alarm.Alarm
	Link     string
	Settler  string
	Evidence []evidenceLine
	More     int // pieces of evidence that are not shown
}

// evidenceLine is one piece of evidence in words.
type evidenceLine struct {
	alarm.Evidence
	Text string
}

func (v *visit) alarms() error {
	f, text := v.filter("kind", alarmsOnPage)
	f.Open = v.query("all") == ""
	list, next, err := v.Alarms.Alarms(v.ctx, f)
	if err != nil {
		return badFilter(err)
	}
	p := alarmsPage{Card: text, All: !f.Open, Next: v.after(next), First: f.Before == "", Settle: v.can(identity.SettleAlarms)}
	for _, kind := range alarmKinds {
		p.Kinds = append(p.Kinds, choice{kind, v.words.T("office.alarm." + kind), kind == f.Word})
	}
	for _, a := range list {
		p.Alarms = append(p.Alarms, v.alarmLine(a))
	}
	return v.show(http.StatusOK, "alarms", p)
}

func (v *visit) alarmLine(a alarm.Alarm) alarmLine {
	const shown = 5
	line := alarmLine{Alarm: a, Link: v.at("cards", a.Card.String()), Settler: v.person(a.By)}
	for n := len(a.Evidence) - 1; n >= 0; n-- {
		if len(line.Evidence) == shown {
			line.More = n + 1
			break
		}
		line.Evidence = append(line.Evidence, evidenceLine{a.Evidence[n], v.evidence(a.Kind, a.Evidence[n])})
	}
	return line
}

// alarmSettle says that somebody has seen to an alarm.
func (v *visit) alarmSettle() error {
	id := v.r.PathValue("id")
	if err := v.about("alarm.settled", id, ""); err != nil {
		return err
	}
	if err := v.Alarms.Settle(v.ctx, v.issuer, id, v.actor.ID); err != nil {
		return v.settleRefused(v.at("alarms"), err)
	}
	return v.done(v.at("alarms"), "office.alarms.settled")
}

func (v *visit) settleRefused(at string, err error) error {
	if errors.Is(err, alarm.ErrUnknown) {
		return v.refused(at, "office.alarms.unknown")
	}
	return err
}

// reportsPage is what people told.
type reportsPage struct {
	All     bool
	Unknown bool // of cards that nobody knows
	Owner   bool // the actor sees those too
	Reports []reportLine
	Next    string
	First   bool
	Settle  bool
}

type reportLine struct {
	alarm.Report
	Link, Tone, Title, Settler string
}

// seesUnknown reports whether the actor sees the reports of cards that nobody knows, which concern whoever is counterfeited: an owner does.
// Nobody counterfeits test cards, and whoever tries the service out is not to read where people can be reached.
func (v *visit) seesUnknown() bool {
	return v.can(identity.ManageIssuer) && (v.Sandbox == nil || !v.Sandbox(v.issuer))
}

// whose returns whose reports are meant: the issuer's, or those of cards that nobody knows.
func (v *visit) whose(unknown bool) channel.ID {
	if unknown && v.seesUnknown() {
		return channel.ID{}
	}
	return v.issuer
}

func (v *visit) reports() error {
	f, _ := v.filter("code", alarmsOnPage)
	p := reportsPage{All: v.query("all") != "", Unknown: v.query("unknown") != "", Owner: v.seesUnknown(),
		Settle: v.can(identity.SettleAlarms), First: f.Before == ""}
	f.Open, f.Issuer = !p.All, v.whose(p.Unknown)
	list, next, err := v.Alarms.Reports(v.ctx, f)
	if err != nil {
		return badFilter(err)
	}
	p.Next = v.after(next)
	for _, r := range list {
		line := reportLine{Report: r, Settler: v.person(r.By)}
		if r.Card != nil && r.Issuer == v.issuer {
			line.Link = v.at("cards", r.Card.String())
		}
		if r.Code != "" {
			line.Tone, line.Title = toneOf(r.Code), v.words.Verdict(r.Code).Title
		}
		p.Reports = append(p.Reports, line)
	}
	return v.show(http.StatusOK, "reports", p)
}

func (v *visit) reportSettle() error {
	id, unknown := v.r.PathValue("id"), v.form("unknown") != ""
	if err := v.about("report.settled", id, ""); err != nil {
		return err
	}
	at := v.at("reports")
	if unknown {
		at += "?" + url.Values{"unknown": {"1"}}.Encode()
	}
	if err := v.Alarms.SettleReport(v.ctx, v.whose(unknown), id, v.actor.ID); err != nil {
		return v.settleRefused(at, err)
	}
	return v.done(at, "office.reports.settled")
}

// counters writes a run of counters.
func counters(from, to uint32) string {
	if from == to {
		return strconv.FormatUint(uint64(from), 10)
	}
	return strconv.FormatUint(uint64(from), 10) + "–" + strconv.FormatUint(uint64(to), 10)
}
