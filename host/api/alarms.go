package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/tap"
)

func (a *API) registerAlarms(h huma.API) {
	handle(a, h, operation{
		id: "listAlarms", method: http.MethodGet, path: "/v1/issuers/{issuer}/alarms", tag: "office", scope: identity.ReadAlarms,
		summary: "List alarms about an issuer's cards, the newest first",
	}, a.listAlarms)
	handle(a, h, operation{
		id: "settleAlarm", method: http.MethodPut, path: "/v1/issuers/{issuer}/alarms/{alarm}/settled", tag: "office", scope: identity.SettleAlarms, act: "alarm.settled", status: http.StatusNoContent,
		summary: "Say that somebody has seen to an alarm", text: "Said again it changes nothing.",
	}, a.settleAlarm)
	handle(a, h, operation{
		id: "listReports", method: http.MethodGet, path: "/v1/issuers/{issuer}/reports", tag: "office", scope: identity.ReadAlarms,
		summary: "List what people who held a card told the issuer, the newest first",
	}, a.listReports)
	handle(a, h, operation{
		id: "settleReport", method: http.MethodPut, path: "/v1/issuers/{issuer}/reports/{report}/settled", tag: "office", scope: identity.SettleAlarms, act: "report.settled", status: http.StatusNoContent,
		summary: "Say that somebody has seen to a report", text: "Said again it changes nothing.",
	}, a.settleReport)
}

// OpenList is what lists of alarms and of reports are asked for.
type OpenList struct {
	IssuerPath
	Card   tap.CardID `query:"card" pattern:"^[A-Za-z0-9_-]{16}$" doc:"Only about this card."`
	Open   bool       `query:"open" doc:"Only what nobody has seen to."`
	Cursor string     `query:"cursor" pattern:"^[1-9][0-9]{0,17}$" doc:"The member next of the page before."`
	Limit  int        `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
}

func (l *OpenList) filter() alarm.Filter {
	f := alarm.Filter{Issuer: l.Issuer, Open: l.Open, Before: l.Cursor, N: l.Limit}
	if l.Card != (tap.CardID{}) {
		f.Card = &l.Card
	}
	return f
}

// listAlarms lists alarms.
func (a *API) listAlarms(ctx context.Context, c *call, in *OpenList) (*body[wire.Alarms], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	all, next, err := a.Alarms.Alarms(ctx, in.filter())
	if err != nil {
		return nil, err
	}
	page := wire.Alarms{Items: []wire.Alarm{}, Page: wire.Page{Next: next}}
	for _, one := range all {
		v := wire.Alarm{ID: one.ID, Kind: one.Kind, Card: one.Card, Raised: one.Raised, Newest: one.Newest, Seen: one.Seen,
			Evidence: []wire.AlarmEvidence{}, Settled: moment(one.Settled), By: one.By}
		for _, e := range one.Evidence {
			v.Evidence = append(v.Evidence, wire.AlarmEvidence(e))
		}
		page.Items = append(page.Items, v)
	}
	return answer(page), nil
}

type alarmInput struct {
	IssuerPath
	Alarm string `path:"alarm" pattern:"^[1-9][0-9]{0,17}$" doc:"The alarm's id."`
}

// settleAlarm settles an alarm.
func (a *API) settleAlarm(ctx context.Context, c *call, in *alarmInput) (*struct{}, error) {
	if err := c.act(ctx, in.Issuer, in.Alarm, ""); err != nil {
		return nil, err
	}
	return nil, a.Alarms.Settle(ctx, in.Issuer, in.Alarm, c.actor.ID)
}

// listReports lists reports.
func (a *API) listReports(ctx context.Context, c *call, in *OpenList) (*body[wire.Reports], error) {
	if err := c.may(in.Issuer); err != nil {
		return nil, err
	}
	all, next, err := a.Alarms.Reports(ctx, in.filter())
	if err != nil {
		return nil, err
	}
	page := wire.Reports{Items: []wire.Report{}, Page: wire.Page{Next: next}}
	for _, r := range all {
		page.Items = append(page.Items, wire.Report{ID: r.ID, Card: r.Card, Code: r.Code, Text: r.Text, Contact: r.Contact, Time: r.Time, Settled: moment(r.Settled), By: r.By})
	}
	return answer(page), nil
}

type reportInput struct {
	IssuerPath
	Report string `path:"report" pattern:"^[1-9][0-9]{0,17}$" doc:"The report's id."`
}

// settleReport settles a report.
func (a *API) settleReport(ctx context.Context, c *call, in *reportInput) (*struct{}, error) {
	if err := c.act(ctx, in.Issuer, in.Report, ""); err != nil {
		return nil, err
	}
	return nil, a.Alarms.SettleReport(ctx, in.Issuer, in.Report, c.actor.ID)
}
