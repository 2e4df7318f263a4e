package office_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record/recordtest"
)

func TestWhoHasSeveralIssuersGoesFromOneToTheOther(t *testing.T) {
	w := newWorld(t)
	b := w.as("Ada", map[channel.ID]identity.Role{w.bell.id: identity.Owner, w.rival.id: identity.Auditor})
	page := pageOf(t, b.get(w.in("/")))
	there := "/office/i/" + w.rival.id.String() + "/"
	assert.Contains(t, page, `<a href="`+there+`">rival</a>`)
	assert.Contains(t, page, ">People</a>")
	page = pageOf(t, b.get(there))
	assert.Contains(t, page, "rival at a glance")
	assert.NotContains(t, page, ">People</a>", "an auditor's menu has no more than he may see")
	assert.Contains(t, pageOf(t, b.get("/office/account")), "Auditor")
	first := b.get("/office/").Header().Get("Location")
	assert.Contains(t, []string{w.in("/"), there}, first)
}

func TestPeopleLookAfterTheirOwnWaysIn(t *testing.T) {
	w := newWorld(t)
	b := w.owner()
	second := newDevice()
	c := b.begin("/office/account/passkeys/begin", nil)
	page := b.follow("/office/account/passkeys", url.Values{"ceremony": {c.Ceremony}, "name": {"my key"}, "response": {string(second.create(t, c.Options))}}).Body.String()
	assert.Contains(t, page, "my key")
	ids := regexp.MustCompile(`passkeys/remove"><input type="hidden" name="id" value="([a-z2-7]+)"`).FindAllStringSubmatch(page, -1)
	require.Len(t, ids, 2)
	assert.Contains(t, b.follow("/office/account/passkeys/remove", url.Values{"id": {ids[0][1]}}).Body.String(), "The passkey was removed.")
	assert.Contains(t, b.follow("/office/account/passkeys/remove", url.Values{"id": {ids[1][1]}}).Body.String(), "The last way to sign in stays.")

	codes := regexp.MustCompile(`[a-z2-7]{4}(-[a-z2-7]{4}){3}`).FindAllString(pageOf(t, b.post("/office/account/recovery", nil)), -1)
	assert.Len(t, codes, 10)
	other := w.browser()
	c = other.begin("/office/signin/begin", nil)
	require.Equal(t, http.StatusSeeOther, other.post("/office/signin", url.Values{"ceremony": {c.Ceremony}, "response": {string(second.get(t, c.Options))}}).Code)
	page = pageOf(t, b.get("/office/account"))
	session := regexp.MustCompile(`sessions/end"><input type="hidden" name="id" value="([a-z2-7]+)"`).FindStringSubmatch(page)
	require.NotNil(t, session)
	b.follow("/office/account/sessions/end", url.Values{"id": {session[1]}})
	assert.Equal(t, http.StatusSeeOther, other.get("/office/account").Code, "it ended at once")
	again := w.browser()
	c = again.begin("/office/signin/begin", nil)
	again.post("/office/signin", url.Values{"ceremony": {c.Ceremony}, "response": {string(second.get(t, c.Options))}})
	pageOf(t, again.get("/office/account"))
	assert.Contains(t, again.follow("/office/account/sessions/end", url.Values{"id": {"all"}}).Body.String(), "You are signed out everywhere.")
	assert.Equal(t, http.StatusSeeOther, b.get("/office/account").Code)
	b = again
	c = b.begin("/office/signin/begin", nil)
	b.post("/office/signin", url.Values{"ceremony": {c.Ceremony}, "response": {string(second.get(t, c.Options))}})
	assert.Subset(t, w.acts(), []string{"person.passkey_added", "person.passkey_removed", "person.recovery_codes"})
	assert.Contains(t, b.get("/office/signin/organisation?provider=https%3A%2F%2Fevil.example").Header().Get("Location"), "/office/signin")
	assert.Contains(t, pageOf(t, b.get(w.in("/audit"))), "Passkey added")
}

// The first owner comes in before his issuer is on the ledger.
func TestAnIssuerThatIsNotOnTheLedgerYetHasItsPages(t *testing.T) {
	w := newWorld(t)
	id := recordtest.ChainOf(seed("fresh")).ID()
	v, err := w.people.Setup(t.Context(), id, "Ada", time.Hour)
	require.NoError(t, err)
	b := w.browser()
	c := b.begin("/office/setup/begin", url.Values{"token": {v.Token.Reveal()}})
	pageOf(t, b.post("/office/setup", url.Values{"token": {v.Token.Reveal()}, "ceremony": {c.Ceremony}, "response": {string(newDevice().create(t, c.Options))}}))
	in := "/office/i/" + id.String()
	assert.Contains(t, pageOf(t, b.get(in+"/")), "New issuer "+id.String()[:8])
	assert.Contains(t, pageOf(t, b.get(in+"/")), "There are no cards yet.")
	for _, path := range []string{"/cards", "/taps", "/alarms", "/products", "/keys", "/people", "/notices", "/channels", "/system"} {
		pageOf(t, b.get(in+path))
	}
	assert.Contains(t, pageOf(t, b.get(in+"/issuer")), "as soon as the first card is registered")
	assert.Contains(t, b.follow(in+"/issuer", url.Values{"name": {"Frantoio Fresh"}}).Body.String(), "This is how people see you now.")
	assert.Contains(t, pageOf(t, b.get(in+"/")), "Frantoio Fresh at a glance")
	assert.Contains(t, pageOf(t, b.get(in+"/audit")), "Invitation accepted")
}
