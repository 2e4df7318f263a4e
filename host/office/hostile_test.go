package office_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

// pass lets time go by in small steps in which the browser is used, so that its session lives on.
func (w *world) pass(b *browser, d time.Duration) {
	w.t.Helper()
	for end := w.clock().Add(d); w.clock().Before(end); {
		w.mu.Lock()
		w.now = w.now.Add(min(30*time.Minute, end.Sub(w.now)))
		w.mu.Unlock()
		pageOf(w.t, b.get("/office/account"))
	}
}

// Whoever finds a browser in which somebody signed in a while ago can look around, and make nothing that lets him come back.
func TestASessionThatIsNotFreshLetsNobodyElseIn(t *testing.T) {
	w := newWorld(t)
	d := newDevice()
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Owner, "Ada", time.Hour)
	require.NoError(t, err)
	ada := w.enrol(d, v.Token)
	other := w.person("Olga", map[channel.ID]identity.Role{w.bell.id: identity.Operator})
	b := w.browser()
	b.sign(ada)
	w.pass(b, identity.FreshFor)
	begun := b.begin("/office/account/passkeys/begin", nil) // the last moment
	w.pass(b, time.Second)
	acts := len(w.acts())
	for path, form := range map[string]url.Values{
		"/office/account/passkeys":            {"ceremony": {begun.Ceremony}, "response": {string(newDevice().create(t, begun.Options))}},
		"/office/account/passkeys/remove":     {"id": {"x"}},
		"/office/account/recovery":            nil,
		"/office/account/organisation":        {"provider": {"https://id.example"}},
		"/office/account/organisation/remove": {"provider": {"https://id.example"}, "subject": {"x"}},
		w.in("/keys"):                         {"name": {"thief"}, "scope": {"cards:read"}, "life": {"1y"}},
		w.in("/people"):                       {"name": {"thief"}, "role": {"owner"}},
		w.in("/people/" + other.ID + "/role"): {"role": {"owner"}},
	} {
		answer := b.post(path, form)
		assert.Equal(t, http.StatusSeeOther, answer.Code, path)
		assert.True(t, strings.HasPrefix(answer.Header().Get("Location"), "/office/signin?again=1&next=%2Foffice%2F"), "%s: %s", path, answer.Header().Get("Location"))
	}
	refused := b.post("/office/account/passkeys/begin", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, refused.Code)
	assert.Contains(t, refused.Body.String(), `"to":"/office/signin?again=1\u0026next=%2Foffice%2Faccount"`)
	assert.Len(t, w.acts(), acts, "nothing was done, and nothing recorded")
	assert.Contains(t, pageOf(t, b.get("/office/signin?again=1&next="+url.QueryEscape(w.in("/keys")))), "Sign in once more")

	c := b.begin("/office/signin/begin", nil)
	answer := b.post("/office/signin", url.Values{"ceremony": {c.Ceremony}, "response": {string(d.get(t, c.Options))}, "next": {w.in("/keys")}})
	assert.Equal(t, w.in("/keys"), answer.Header().Get("Location"))
	assert.Contains(t, pageOf(t, b.post(w.in("/keys"), url.Values{"name": {"shop"}, "scope": {"cards:read"}, "life": {"1y"}})), "pid_live_")
}

// Who came in by an invitation stands on the issuer's audit channel, by his id, whichever way he took.
func TestWhoWasEnrolledIsOnTheAuditChannel(t *testing.T) {
	w := newWorld(t)
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Auditor, "Aldo", time.Hour)
	require.NoError(t, err)
	b := w.browser()
	begun := b.begin("/office/setup/begin", url.Values{"token": {v.Token.Reveal()}})
	pageOf(t, b.post("/office/setup", url.Values{"token": {v.Token.Reveal()}, "ceremony": {begun.Ceremony}, "response": {string(newDevice().create(t, begun.Options))}}))

	member := w.as("Rita", map[channel.ID]identity.Role{w.rival.id: identity.Owner})
	v, err = w.people.Invite(t.Context(), w.bell.id, identity.Operator, "Rita", time.Hour)
	require.NoError(t, err)
	member.follow("/office/account/invitation", url.Values{"token": {v.Token.Reveal()}})

	entries, err := w.audit.List(context.Background(), w.bell.id, 0, 10)
	require.NoError(t, err)
	people, err := w.people.People(t.Context(), w.bell.id)
	require.NoError(t, err)
	require.Len(t, people, 2)
	enrolled := map[string]string{}
	for _, e := range entries {
		if e.Act.Act == "person.enrolled" {
			assert.Equal(t, e.By, e.Subject)
			enrolled[e.Subject] = e.Detail
		}
	}
	for _, p := range people {
		assert.Equal(t, string(p.Roles[w.bell.id]), enrolled[p.ID], p.Name)
	}
}

func TestSomebodyCallsHimselfSomethingElse(t *testing.T) {
	w := newWorld(t)
	b := w.owner()
	page := pageOf(t, b.follow("/office/account/name", url.Values{"name": {`<b>"Ada"</b>`}}))
	assert.Contains(t, page, "Your name was changed.")
	assert.Contains(t, page, "<h1>&lt;b&gt;&#34;Ada&#34;&lt;/b&gt;</h1>")
	assert.Contains(t, pageOf(t, b.follow("/office/account/name", url.Values{"name": {"a\nb"}})), "&lt;b&gt;", "refused")
	assert.Contains(t, w.acts(), "person.renamed")
}

// What somebody types is refused or cut, and never a failure of ours, nor a long text that stands on the ledger for good.
func TestNoTextIsTooStrange(t *testing.T) {
	w := newWorld(t)
	b := w.owner()
	card := "/cards/" + w.bell.cards[0].ID().String()
	for _, strange := range []string{strings.Repeat("x", 5000), "a\nb", "a\x00b", "\xff\xfe", "\u202eabc", "=1+1"} {
		id := url.PathEscape(strange)
		for path, form := range map[string]url.Values{
			"/keys": {"name": {strange}, "life": {"1y"}, "scope": {"cards:read", strange}}, "/people": {"name": {strange}, "role": {"owner"}},
			"/products/new":  {"name": {strange}, "gtin": {strange}, "url": {strange}, "text_en": {strange}},
			"/issuer":        {"name": {strange}, "website": {strange}, "support": {strange}, "hosts": {strange}},
			card + "/device": {"device": {strange}}, card + "/product": {"product": {strange}}, card + "/settings": {"url": {"https://x.example/" + strange}, "form": {strange}},
			card + "/revoke": {"reason": {strange}, "confirm": {strange}}, "/notices/mail": {"recipients": {strange}},
			"/notices/webhooks": {"url": {strange}, "kind": {strange}}, "/alarms/" + id: nil, "/reports/" + id: nil, "/keys/" + id + "/revoke": nil,
			"/people/" + id + "/remove": {"confirm": {"yes"}}, "/invitations/" + id + "/withdraw": nil, "/notices/webhooks/" + id + "/test": nil,
			"/products/" + id: {"name": {"x"}},
		} {
			assert.Less(t, b.post(w.in(path), form).Code, http.StatusInternalServerError, "%.60q to %.40s", strange, path)
		}
		for _, path := range []string{"/cards?q=", "/cards?state=", "/cards.csv?q=", "/taps?code=", "/alarms?kind=", "/reports?before=", "/channels?after="} {
			assert.Less(t, b.get(w.in(path+url.QueryEscape(strange))).Code, http.StatusInternalServerError, "%.60q to %s", strange, path)
		}
	}
	entries, err := w.audit.List(context.Background(), w.bell.id, 0, 1000)
	require.NoError(t, err)
	for _, e := range entries {
		assert.LessOrEqual(t, len(e.Subject)+len(e.Detail), 1000, e.Act)
	}
}

// Reports of cards that nobody knows are for owners of real cards alone: they say where people can be reached.
func TestWhoTriesTheServiceOutReadsNobodysReports(t *testing.T) {
	w := newWorld(t)
	id, err := w.alarms.Report(t.Context(), alarm.Report{Text: "Bought at a fair.", Contact: "me@example.com"})
	require.NoError(t, err)
	b := w.owner()
	assert.Contains(t, pageOf(t, b.get(w.in("/reports?unknown=1"))), "me@example.com")
	w.sandbox = w.bell.id
	assert.NotContains(t, pageOf(t, b.get(w.in("/reports?unknown=1"))), "me@example.com")
	assert.Contains(t, b.follow(w.in("/reports/"+id), url.Values{"unknown": {"1"}}).Body.String(), "flash bad", "nor settles them")
}

// Another issuer's owner, on the pages of his own issuer, names what is bell's: nothing of it changes.
func TestWhatIsAnotherIssuersStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	w.populate()
	ctx := t.Context()
	rival := w.as("Rita", map[channel.ID]identity.Role{w.rival.id: identity.Owner})
	olga := w.person("Olga", map[channel.ID]identity.Role{w.bell.id: identity.Operator})
	state := func() (all []any) {
		for _, read := range []func() (any, error){
			func() (any, error) { return w.people.Keys(ctx, w.bell.id) }, func() (any, error) { return w.people.People(ctx, w.bell.id) },
			func() (any, error) { return w.people.Invitations(ctx, w.bell.id) }, func() (any, error) { return w.notices.Endpoints(ctx, w.bell.id) },
			func() (any, error) { return w.products.Products(ctx, w.bell.id) }, func() (any, error) { return w.registry.Card(ctx, w.bell.cards[0].ID()) },
			func() (any, error) {
				list, _, err := w.alarms.Alarms(ctx, alarm.Filter{Issuer: w.bell.id, N: 10})
				return list, err
			},
			func() (any, error) {
				list, _, err := w.alarms.Reports(ctx, alarm.Filter{Issuer: w.bell.id, N: 10})
				return list, err
			},
			func() (any, error) { return w.products.Assigned(ctx, w.bell.id, w.bell.cards[0].ID()) },
		} {
			one, err := read()
			require.NoError(t, err)
			require.NotNil(t, one)
			all = append(all, one)
		}
		return all
	}
	before := state()
	keys, _ := w.people.Keys(ctx, w.bell.id)
	invited, _ := w.people.Invitations(ctx, w.bell.id)
	hooks, _ := w.notices.Endpoints(ctx, w.bell.id)
	goods, _ := w.products.Products(ctx, w.bell.id)
	alarms, _, _ := w.alarms.Alarms(ctx, alarm.Filter{Issuer: w.bell.id, N: 10})
	reports, _, _ := w.alarms.Reports(ctx, alarm.Filter{Issuer: w.bell.id, N: 10})
	card := "/cards/" + w.bell.cards[0].ID().String()
	for path, form := range map[string]url.Values{
		"/keys/" + keys[0].ID + "/revoke": nil, "/invitations/" + invited[0].ID + "/withdraw": nil, "/people/" + olga.ID + "/role": {"role": {"auditor"}},
		"/people/" + olga.ID + "/remove": {"confirm": {"yes"}}, "/notices/webhooks/" + hooks[0].ID + "/remove": nil, "/notices/webhooks/" + hooks[0].ID + "/test": nil,
		"/products/" + goods[0].ID: {"name": {"mine"}}, "/products/" + goods[0].ID + "/delete": {"confirm": {"yes"}}, "/alarms/" + alarms[0].ID: nil,
		"/reports/" + reports[len(reports)-1].ID: nil, card + "/settings": {"url": {"https://evil.example/"}}, card + "/product": {"product": {goods[0].ID}},
		card + "/device": {"device": {"mine"}}, card + "/revoke": {"reason": {"lost"}, "confirm": {w.bell.cards[0].ID().String()}}, card + "/capability": nil,
		"/cards/" + w.rival.cards[0].ID().String() + "/product": {"product": {goods[0].ID}},
	} {
		answer := rival.post("/office/i/"+w.rival.id.String()+path, form)
		assert.Less(t, answer.Code, http.StatusInternalServerError, path)
		assert.NotEqual(t, http.StatusOK, answer.Code, path)
	}
	assert.Equal(t, before, state())
	for _, path := range []string{card, "/products/" + goods[0].ID} {
		assert.Equal(t, http.StatusNotFound, rival.get("/office/i/"+w.rival.id.String()+path).Code, path)
	}
	for _, path := range []string{"/taps?card=", "/alarms?card=", "/reports?card="} {
		body := pageOf(t, rival.get("/office/i/"+w.rival.id.String()+path+w.bell.cards[0].ID().String()))
		assert.NotContains(t, body, "Milano", path)
	}
}
