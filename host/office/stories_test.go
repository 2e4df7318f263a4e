package office_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// owner is a browser in which an owner of bell's is signed in.
func (w *world) owner() *browser {
	return w.as("Ada", map[channel.ID]identity.Role{w.bell.id: identity.Owner})
}

func TestAnInvitationLeadsInAndRecoveryCodesLeadBack(t *testing.T) {
	w := newWorld(t)
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Owner, "Ada", 1e12)
	require.NoError(t, err)
	b, d := w.browser(), newDevice()
	assert.Contains(t, pageOf(t, b.get("/office/setup/"+v.Token.Reveal())), "Ada, you are invited to bell as Owner.")

	begun := b.begin("/office/setup/begin", url.Values{"token": {v.Token.Reveal()}})
	page := pageOf(t, b.post("/office/setup", url.Values{"ceremony": {begun.Ceremony}, "response": {string(d.create(t, begun.Options))}}))
	codes := regexp.MustCompile(`[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}`).FindAllString(page, -1)
	require.Len(t, codes, 10)
	assert.Contains(t, pageOf(t, b.get(w.in("/"))), "bell at a glance", "he is in")

	again := b.post("/office/setup/begin", url.Values{"token": {v.Token.Reveal()}})
	assert.Equal(t, http.StatusUnprocessableEntity, again.Code)
	assert.Contains(t, again.Body.String(), "The link was used already")

	lost := w.browser()
	refused := lost.post("/office/signin/recover", url.Values{"code": {"aaaa-aaaa-aaaa-aaaa"}})
	assert.Equal(t, http.StatusUnprocessableEntity, refused.Code)
	way := pageOf(t, lost.post("/office/signin/recover", url.Values{"code": {strings.ToUpper(codes[0])}}))
	token := regexp.MustCompile(`name="token" value="([a-z2-7]+)"`).FindStringSubmatch(way)
	require.NotNil(t, token, way)
	begun = lost.begin("/office/setup/begin", url.Values{"token": {token[1]}})
	pageOf(t, lost.post("/office/setup", url.Values{"ceremony": {begun.Ceremony}, "response": {string(newDevice().create(t, begun.Options))}}))
	assert.Equal(t, http.StatusSeeOther, b.get(w.in("/")).Code, "all sessions of before have ended")
}

type begun struct {
	Ceremony string
	Options  json.RawMessage
}

func (b *browser) begin(path string, form url.Values) (c begun) {
	b.w.t.Helper()
	require.NoError(b.w.t, json.Unmarshal([]byte(pageOf(b.w.t, b.post(path, form))), &c))
	return c
}

func TestAPasskeyLeadsToThePageThatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	d := newDevice()
	v, err := w.people.Invite(t.Context(), w.bell.id, identity.Auditor, "Aldo", 1e12)
	require.NoError(t, err)
	w.enrol(d, v.Token)
	for next, want := range map[string]string{
		w.in("/taps"): w.in("/taps"), "": "/office/", "https://evil.example/": "/office/", "//evil.example": "/office/", "/\\evil.example": "/office/",
		"/office/\r\nSet-Cookie: a=b": "/office/", "javascript:alert(1)": "/office/",
	} {
		b := w.browser()
		c := b.begin("/office/signin/begin", nil)
		answer := b.post("/office/signin", url.Values{"ceremony": {c.Ceremony}, "response": {string(d.get(t, c.Options))}, "next": {next}})
		assert.Equal(t, http.StatusSeeOther, answer.Code, answer.Body.String())
		assert.Equal(t, want, answer.Header().Get("Location"), next)
	}
	b := w.browser()
	answer := b.get(w.in("/taps?code=valid"))
	assert.Equal(t, "/office/signin?next="+url.QueryEscape(w.in("/taps?code=valid")), answer.Header().Get("Location"))
	bad := b.post("/office/signin", url.Values{"ceremony": {"nonsense"}, "response": {"{}"}})
	assert.Equal(t, http.StatusUnprocessableEntity, bad.Code)
}

func TestACookieThatWasCopiedIsWorthNothingAfterSigningOut(t *testing.T) {
	w := newWorld(t)
	b := w.owner()
	thief := w.browser()
	for name, c := range b.cookies {
		thief.cookies[name] = c
	}
	pageOf(t, thief.get(w.in("/")))
	assert.Contains(t, b.follow("/office/signout", nil).Body.String(), "You are signed out.")
	assert.Equal(t, http.StatusSeeOther, thief.get(w.in("/")).Code)
}

func TestACardIsRevokedByWhoTypesItsID(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	id := w.bell.cards[1].ID().String()
	card := w.in("/cards/" + id)
	refused := b.post(card+"/revoke", url.Values{"reason": {"stolen"}, "detail": {"from the depot"}, "confirm": {"yes"}})
	assert.Equal(t, http.StatusUnprocessableEntity, refused.Code)
	assert.Contains(t, refused.Body.String(), "That is not this card’s id.")
	assert.Contains(t, refused.Body.String(), `value="from the depot"`, "what was typed stays")
	assert.NotContains(t, w.acts(), "card.revoked")

	page := b.follow(card+"/revoke", url.Values{"reason": {"stolen"}, "detail": {"from the depot"}, "confirm": {id}}).Body.String()
	assert.Contains(t, page, "The card is revoked.")
	assert.Contains(t, page, "stolen: from the depot")
	assert.Contains(t, w.acts(), "card.revoked")
	again := b.follow(card+"/revoke", url.Values{"reason": {"stolen"}, "confirm": {id}}).Body.String()
	assert.Contains(t, again, "The card is not in service, so nothing was changed.")
	foreign := b.get(w.in("/cards/" + w.rival.cards[0].ID().String()))
	assert.Equal(t, http.StatusNotFound, foreign.Code, "another issuer's card is none of his")
}

func TestNothingIsDoneThatIsNotOnTheAuditChannelFirst(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	card := w.in("/cards/" + w.bell.cards[1].ID().String())
	forms := map[string]url.Values{
		card + "/settings": {"url": {"https://shop.example/x"}}, card + "/device": {"device": {"d"}}, card + "/product": {},
		card + "/revoke": {"reason": {"lost"}, "confirm": {w.bell.cards[1].ID().String()}}, card + "/capability": {},
		w.in("/keys"): {"name": {"k"}, "scope": {"cards:read"}, "life": {"1y"}}, w.in("/people"): {"name": {"P"}, "role": {"auditor"}},
		w.in("/notices/webhooks"): {"url": {"https://shop.example/h"}, "kind": {"tap.recorded"}}, w.in("/notices/mail"): {"recipients": {"a@b.example"}},
		w.in("/issuer"): {"name": {"X"}}, w.in("/products/new"): {"name": {"Y"}}, w.in("/alarms/1"): {},
	}
	for _, failure := range []error{ledger.ErrUnavailable, ledger.ErrUncertain} {
		w.ledger.err = failure
		for path, form := range forms {
			answer := b.post(path, form)
			assert.Equal(t, http.StatusServiceUnavailable, answer.Code, path)
			assert.Equal(t, errors.Is(failure, ledger.ErrUncertain), strings.Contains(answer.Body.String(), "Perhaps done"), path)
		}
	}
	w.ledger.err = nil
	require.NoError(t, w.registry.Sync(t.Context()))
	c, err := w.registry.Card(t.Context(), w.bell.cards[1].ID())
	require.NoError(t, err)
	assert.Equal(t, record.StateInService, c.State)
	keys, err := w.people.Keys(t.Context(), w.bell.id)
	require.NoError(t, err)
	assert.Len(t, keys, 1, "the one of before")
	face, err := w.products.Face(t.Context(), w.bell.id)
	require.NoError(t, err)
	assert.Equal(t, "Frantoio Bell", face.Name)
}

func TestSettingsOfACard(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	card := w.in("/cards/" + w.bell.cards[1].ID().String())
	for _, row := range []struct{ url, form, want string }{
		{"http://shop.example/", "", "Write a whole https address"},
		{"https://evil.example/", "", "That host is not among those"},
		{"javascript:alert(1)", "", "Write a whole https address"},
		{"", `[{"name":"Bad Name"}]`, "The list of questions cannot be used"},
		{"", `{`, "The list of questions cannot be used"},
	} {
		answer := b.post(card+"/settings", url.Values{"url": {row.url}, "form": {row.form}})
		assert.Equal(t, http.StatusUnprocessableEntity, answer.Code, row)
		assert.Contains(t, answer.Body.String(), row.want)
	}
	page := b.follow(card+"/settings", url.Values{"url": {"https://shop.example/wine"}, "login": {"yes"},
		"form": {`[{"name":"rating","label":"Rating","type":"number"}]`}}).Body.String()
	assert.Contains(t, page, "The settings are in force.")
	assert.Contains(t, page, `href="https://shop.example/wine"`)
	assert.Contains(t, page, "1 question")
	shown := pageOf(t, b.post(card+"/capability", nil))
	assert.Contains(t, shown, "pidc1:")
	assert.Contains(t, b.follow(card+"/device", url.Values{"device": {"till-9"}}).Body.String(), "till-9")
	assert.Contains(t, b.follow(card+"/device", url.Values{"device": {strings.Repeat("x", 201)}}).Body.String(), "Nothing was changed.")
}

// upload sends a form with a file in it.
func (b *browser) upload(path string, fields map[string]string, file []byte) *httptest.ResponseRecorder {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		require.NoError(b.w.t, form.WriteField(name, value))
	}
	part, err := form.CreateFormFile("picture", "photo.png")
	require.NoError(b.w.t, err)
	_, err = part.Write(file)
	require.NoError(b.w.t, err)
	require.NoError(b.w.t, form.Close())
	r := httptest.NewRequest(http.MethodPost, base+path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.send(r)
}

func TestProductsWithPictures(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	typed := map[string]string{"name": "Chianti <b>", "gtin": "", "url": "https://shop.example/chianti", "text_en": "Red.\r\nDry.", "text_it": "Rosso."}
	refused := b.upload(w.in("/products/new"), typed, []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"))
	assert.Equal(t, http.StatusUnprocessableEntity, refused.Code)
	assert.Contains(t, refused.Body.String(), "This is no PNG, JPEG or GIF.")
	assert.Contains(t, refused.Body.String(), `value="Chianti &lt;b&gt;"`, "what was typed stays")
	large := b.upload(w.in("/products/new"), typed, make([]byte, 4<<20))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.Code)

	list, err := w.products.Products(t.Context(), w.bell.id)
	require.NoError(t, err)
	picture, _, err := w.products.Image(t.Context(), list[1].Picture.Hash)
	require.NoError(t, err)
	answer := b.upload(w.in("/products/new"), typed, picture)
	require.Equal(t, http.StatusSeeOther, answer.Code, answer.Body.String())
	page := b.get(answer.Header().Get("Location")).Body.String()
	assert.Contains(t, page, "Chianti &lt;b&gt; is kept.")
	list, err = w.products.Products(t.Context(), w.bell.id)
	require.NoError(t, err)
	require.Len(t, list, 3)
	made := list[1]
	assert.Equal(t, map[string]string{"en": "Red.\nDry.", "it": "Rosso."}, made.Text)
	require.NotNil(t, made.Picture)
	assert.Equal(t, http.StatusOK, b.get("/image/"+made.Picture.Hash.String()).Code)

	path := w.in("/products/" + made.ID)
	pageOf(t, b.get(path))
	b.follow(path, url.Values{"name": {"Chianti"}, "picture_removed": {"yes"}})
	after, err := w.products.Product(t.Context(), w.bell.id, made.ID)
	require.NoError(t, err)
	assert.Nil(t, after.Picture)
	taken := b.post(path, url.Values{"name": {"Chianti"}, "gtin": {"9506000134352"}})
	assert.Contains(t, taken.Body.String(), "Another product has this GTIN.")
	mistyped := b.post(path, url.Values{"name": {"Chianti"}, "gtin": {"9506000134353"}})
	assert.Contains(t, mistyped.Body.String(), "the last one should be 2.")
	card := w.in("/cards/" + w.bell.cards[1].ID().String())
	assert.Contains(t, b.follow(card+"/product", url.Values{"product": {made.ID}}).Body.String(), "<dd>Chianti</dd>")
	assert.Equal(t, http.StatusNotFound, b.post(card+"/product", url.Values{"product": {"nothing"}}).Code)
	assert.Contains(t, b.follow(path+"/delete", nil).Body.String(), "tick the box")
	assert.Contains(t, b.follow(path+"/delete", url.Values{"confirm": {"yes"}}).Body.String(), "Chianti was removed.")
}

func TestSecretsAreShownOnce(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	page := pageOf(t, b.post(w.in("/keys"), url.Values{"name": {"till"}, "scope": {"cards:read", "taps:record"}, "life": {"90d"}}))
	token := regexp.MustCompile(`pid_live_[a-z2-7]+_[a-z2-7]+`).FindString(page)
	require.NotEmpty(t, token)
	actor, k, err := w.people.Authenticate(t.Context(), token)
	require.NoError(t, err)
	assert.NoError(t, actor.May(w.bell.id, identity.RecordTaps))
	assert.Error(t, actor.May(w.bell.id, identity.WriteCards))
	assert.NotContains(t, pageOf(t, b.get(w.in("/keys"))), token)
	b.follow(w.in("/keys/"+k.ID+"/revoke"), nil)
	_, _, err = w.people.Authenticate(t.Context(), token)
	require.ErrorIs(t, err, identity.ErrRevokedKey)
	for _, form := range []url.Values{{"name": {"x"}, "life": {"1y"}}, {"scope": {"cards:read"}, "life": {"1y"}}, {"name": {"x"}, "scope": {"cards:read"}, "life": {"9y"}}} {
		assert.Equal(t, http.StatusUnprocessableEntity, b.post(w.in("/keys"), form).Code, form)
	}

	page = pageOf(t, b.post(w.in("/people"), url.Values{"name": {"Nina"}, "role": {"operator"}}))
	link := regexp.MustCompile(`http://localhost:8080/office/setup#[a-z2-7]+`).FindString(page)
	require.NotEmpty(t, link)
	assert.NotContains(t, pageOf(t, b.get(w.in("/people"))), "/office/setup#")
	_, token, _ = strings.Cut(link, "#")
	nina := w.enrol(newDevice(), identity.Secret(token))
	assert.Equal(t, identity.Operator, nina.Roles[w.bell.id])

	page = pageOf(t, b.post(w.in("/notices/webhooks"), url.Values{"url": {"https://other.example/h"}, "kind": {"alarm.raised"}}))
	secret := regexp.MustCompile(`id="secret">([^<]+)<`).FindStringSubmatch(page)
	require.NotNil(t, secret)
	assert.NotContains(t, pageOf(t, b.get(w.in("/notices"))), secret[1])
	for _, address := range []string{"http://other.example/h", "nonsense", "https://user:pw@other.example/"} {
		answer := b.post(w.in("/notices/webhooks"), url.Values{"url": {address}, "kind": {"alarm.raised"}})
		assert.Equal(t, http.StatusUnprocessableEntity, answer.Code, address)
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	w := newWorld(t)
	b := w.owner()
	ada, err := w.people.People(t.Context(), w.bell.id)
	require.NoError(t, err)
	at := w.in("/people/" + ada[0].ID)
	assert.Contains(t, b.follow(at+"/role", url.Values{"role": {"auditor"}}).Body.String(), "The last owner stays")
	assert.Contains(t, b.follow(at+"/remove", url.Values{"confirm": {"yes"}}).Body.String(), "The last owner stays")
	assert.Contains(t, b.follow(at+"/role", url.Values{"role": {"emperor"}}).Body.String(), "Choose a role.")
	olga := w.person("Olga", map[channel.ID]identity.Role{w.bell.id: identity.Operator})
	other := w.browser()
	other.sign(olga)
	pageOf(t, other.get(w.in("/cards")))
	b.follow(w.in("/people/"+olga.ID+"/remove"), url.Values{"confirm": {"yes"}})
	assert.Equal(t, http.StatusSeeOther, other.get(w.in("/cards")).Code, "who was removed is out at once")
}

func TestAlarmsAndReportsAreSettled(t *testing.T) {
	w := newWorld(t)
	w.populate()
	b := w.owner()
	open, _, err := w.alarms.Alarms(t.Context(), alarm.Filter{Issuer: w.bell.id, Open: true})
	require.NoError(t, err)
	require.NotEmpty(t, open)
	page := pageOf(t, b.get(w.in("/alarms")))
	assert.Contains(t, page, "Many counters skipped")
	assert.Contains(t, page, "Milano")
	for _, a := range open {
		assert.Contains(t, b.follow(w.in("/alarms/"+a.ID), nil).Body.String(), "Noted")
	}
	assert.Contains(t, pageOf(t, b.get(w.in("/alarms"))), "No alarm")
	assert.Contains(t, pageOf(t, b.get(w.in("/alarms?all=1"))), "Seen to by Ada")
	assert.Contains(t, b.follow(w.in("/alarms/999"), nil).Body.String(), "There is no such alarm")

	assert.NotContains(t, pageOf(t, b.get(w.in("/reports"))), "Looks like your bottle.")
	unknown := pageOf(t, b.get(w.in("/reports?unknown=1")))
	assert.Contains(t, unknown, "Looks like your bottle.")
	olga := w.as("Olga", map[channel.ID]identity.Role{w.bell.id: identity.Operator})
	assert.NotContains(t, pageOf(t, olga.get(w.in("/reports?unknown=1"))), "Looks like your bottle.", "contacts of strangers are for owners")
	id := regexp.MustCompile(`reports/(\d+)"`).FindStringSubmatch(unknown)
	require.NotNil(t, id)
	b.follow(w.in("/reports/"+id[1]), url.Values{"unknown": {"1"}})
	assert.Contains(t, pageOf(t, b.get(w.in("/reports?unknown=1"))), "No report waits")
}

func TestCardsAsATableHoldNoFormula(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.bell.cards = append(w.bell.cards, w.card(w.bell, fmt.Sprint("more ", n)))
	}
	evil := w.cardWith(w.bell, "evil", func(r *record.CardRegistered) { r.Lot, r.Serial = `=HYPERLINK("https://evil.example")`, "+1" })
	require.NoError(t, w.registry.Sync(t.Context()))
	answer := w.owner().get(w.in("/cards.csv"))
	table := pageOf(t, answer)
	assert.Equal(t, "text/csv; charset=utf-8; header=present", answer.Header().Get("Content-Type"))
	assert.Contains(t, answer.Header().Get("Content-Disposition"), "attachment")
	assert.Len(t, strings.Split(strings.TrimSpace(table), "\n"), 6)
	assert.Contains(t, table, `"'=HYPERLINK(""https://evil.example"")",'+1`)
	found := pageOf(t, w.owner().get(w.in("/cards?q=%2B1")))
	assert.Contains(t, found, evil.ID().String())
	assert.Equal(t, w.in("/cards/"+evil.ID().String()), w.owner().get(w.in("/cards?q="+evil.ID().String())).Header().Get("Location"))
}

func TestListsGoOnPageByPage(t *testing.T) {
	w := newWorld(t)
	for n := range 60 {
		w.card(w.bell, fmt.Sprint("many ", n))
	}
	require.NoError(t, w.registry.Sync(t.Context()))
	for n := range 70 {
		w.tap(w.bell.cards[0], w.bell, uint32(n+2), "", nil)
	}
	require.NoError(t, w.registry.Sync(t.Context()))
	b := w.owner()
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	for path, row := range map[string]*regexp.Regexp{
		"/cards": regexp.MustCompile(`<th scope="row" role="rowheader">`), "/channels": regexp.MustCompile(`<th scope="row" role="rowheader">`),
		"/cards/" + w.bell.cards[0].ID().String(): regexp.MustCompile(`class="place"`),
	} {
		seen, at := 0, w.in(path)
		for at != "" {
			page := pageOf(t, b.get(at))
			seen += len(row.FindAllString(page, -1))
			link := next.FindStringSubmatch(page)
			if link == nil {
				break
			}
			at = strings.ReplaceAll(link[1], "&amp;", "&")
			if strings.HasPrefix(at, "?") {
				at = w.in(path) + at
			}
		}
		want := map[byte]int{'s': 61, 'l': 61*2 + 1}
		if strings.HasPrefix(path, "/cards/") {
			assert.Equal(t, 70+2, seen, path)
			continue
		}
		assert.GreaterOrEqual(t, seen, want[path[len(path)-1]], path)
	}
}
