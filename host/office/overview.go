package office

import (
	"net/http"
	"net/url"
	"time"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/page"
)

const (
	chartDays   = 30
	latestShown = 8
)

// overviewPage is an issuer's whole business at one look.
type overviewPage struct {
	Todo    []todo
	Figures []figure
	Chart   chart
	Latest  []checkLine
	States  []figure
	Taps    string
}

// todo is something that somebody should see to, or that all is well.
type todo struct{ Tone, Text, Link string }

// figure is a number with what it counts.
type figure struct {
	Name, Link, Tone string
	Value            int
}

func (v *visit) overview() error {
	p := overviewPage{Taps: v.at("taps")}
	midnight := v.Now().In(v.Zone).Truncate(time.Second)
	midnight = time.Date(midnight.Year(), midnight.Month(), midnight.Day(), 0, 0, 0, 0, v.Zone)
	if err := v.fillChart(&p, midnight); err != nil {
		return err
	}
	if err := v.fillCards(&p); err != nil {
		return err
	}
	latest, _, err := v.Alarms.Checks(v.ctx, alarm.Filter{Issuer: v.issuer, N: latestShown})
	if err != nil {
		return err
	}
	p.Latest = v.checkLines(latest)
	if err := v.fillTodo(&p); err != nil {
		return err
	}
	return v.show(http.StatusOK, "overview", p)
}

// fillChart counts the checks by day of the site's zone. Days of a change of clocks have an hour more or less, so it counts by hour.
func (v *visit) fillChart(p *overviewPage, today time.Time) error {
	first := today.AddDate(0, 0, 1-chartDays)
	hours, err := v.Alarms.Counts(v.ctx, v.issuer, first, today.AddDate(0, 0, 1), time.Hour)
	if err != nil {
		return err
	}
	days := make(map[time.Time]map[string]int)
	for _, hour := range hours {
		at := hour.From.In(v.Zone)
		day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, v.Zone)
		if days[day] == nil {
			days[day] = make(map[string]int)
		}
		for code, n := range hour.Codes {
			days[day][code] += n
		}
	}
	p.Chart = drawChart(first, chartDays, func(day time.Time) map[string]int { return days[day] })
	p.Chart.First = v.words.Day(first, v.Zone)
	p.Chart.Last = v.words.T("office.today")
	p.Figures = append(p.Figures,
		figure{Name: v.words.T("office.figure.today"), Value: p.Chart.Days[chartDays-1].Total, Link: v.at("taps")},
		figure{Name: v.words.T("office.figure.month"), Value: p.Chart.Total, Link: v.at("taps")})
	return nil
}

// fillCards counts the cards by state.
func (v *visit) fillCards(p *overviewPage) error {
	counts, err := v.Registry.Count(v.ctx, v.issuer)
	if err != nil {
		return err
	}
	total := 0
	for _, state := range cardStates {
		if counts[state] == 0 {
			continue
		}
		total += counts[state]
		p.States = append(p.States, figure{Name: v.words.T("office.state." + state), Value: counts[state],
			Link: v.at("cards") + "?" + url.Values{"state": {state}}.Encode()})
	}
	p.Figures = append([]figure{{Name: v.words.T("office.menu.cards"), Value: total, Link: v.at("cards")}}, p.Figures...)
	return nil
}

// fillTodo lists what is open, the gravest first; that nothing is, is said too.
func (v *visit) fillTodo(p *overviewPage) error {
	const most = 100
	alarms, moreAlarms, err := v.Alarms.Alarms(v.ctx, alarm.Filter{Issuer: v.issuer, Open: true, N: most})
	if err != nil {
		return err
	}
	reports, moreReports, err := v.Alarms.Reports(v.ctx, alarm.Filter{Issuer: v.issuer, Open: true, N: most})
	if err != nil {
		return err
	}
	for _, open := range []struct {
		key, at string
		n       int
		more    bool
	}{{"alarms", "alarms", len(alarms), moreAlarms != ""}, {"reports", "reports", len(reports), moreReports != ""}} {
		tone := ""
		if open.n > 0 {
			tone = page.Bad
			text := v.words.N("office.todo."+open.key, open.n)
			if open.more {
				text = v.words.T("office.todo."+open.key+".many", open.n)
			}
			p.Todo = append(p.Todo, todo{page.Bad, text, v.at(open.at)})
		}
		p.Figures = append(p.Figures, figure{Name: v.words.T("office.figure." + open.key), Value: open.n, Link: v.at(open.at), Tone: tone})
	}
	info, err := v.Ledger.Info(v.ctx)
	if err != nil {
		return err
	}
	for _, warning := range info.Warnings {
		p.Todo = append(p.Todo, todo{Tone: page.Care, Text: warning})
	}
	if len(p.Todo) == 0 {
		p.Todo = append(p.Todo, todo{Tone: page.Good, Text: v.words.T("office.todo.none")})
	}
	if len(p.States) == 0 {
		p.Todo = append(p.Todo, todo{Tone: page.Open, Text: v.words.T("office.todo.cards")})
	}
	return nil
}
