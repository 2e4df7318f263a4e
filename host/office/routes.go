package office

import (
	"net/http"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
)

// access says who may come in where no issuer is concerned.
type access int

const (
	scoped   access = iota // who has the route's scope for the issuer in its path
	signedIn               // whoever is signed in
	anybody
)

// route is one thing that the office does. A method other than GET changes something.
type route struct {
	method, path string
	access       access
	scope        identity.Scope // of scoped
	serve        func(*visit) error
	body         int64 // bytes; 0 for the usual limit
	// fresh is where the form of this route stands, for what changes who comes in: that is only for who signed in lately, and who did
	// not comes back there when he has. "" for everything else.
	fresh string
}

func (rt route) pattern() string { return rt.method + " " + rt.path }

// upload is how large the body of a form with a picture may be: the picture and what stands around it.
const upload = product.MaxUpload + 64<<10

const inIssuer = "/office/i/{issuer}"

// routes is the whole office.
func routes() []route {
	var all []route
	all = append(all, entrance()...)
	all = append(all, account()...)
	all = append(all, daily()...)
	return append(all, administration()...)
}

// entrance is for whoever is not signed in yet.
func entrance() []route {
	return []route{
		{method: "GET", path: "/office/signin", access: anybody, serve: (*visit).signInPage},
		{method: "POST", path: "/office/signin/begin", access: anybody, serve: (*visit).signInBegin},
		{method: "POST", path: "/office/signin", access: anybody, serve: (*visit).signIn},
		{method: "POST", path: "/office/signin/recover", access: anybody, serve: (*visit).recover},
		{method: "GET", path: "/office/signin/organisation", access: anybody, serve: (*visit).organisationBegin},
		{method: "GET", path: "/office/signin/callback", access: anybody, serve: (*visit).organisationReturn},
		{method: "GET", path: "/office/setup", access: anybody, serve: (*visit).setupPage},
		{method: "GET", path: "/office/setup/{token}", access: anybody, serve: (*visit).setupPage},
		{method: "POST", path: "/office/setup/begin", access: anybody, serve: (*visit).setupBegin},
		{method: "POST", path: "/office/setup", access: anybody, serve: (*visit).setup},
		{method: "POST", path: "/office/setup/organisation", access: anybody, serve: (*visit).setupOrganisation},
	}
}

// account is a person's own affair.
func account() []route {
	return []route{
		{method: "GET", path: "/office/{$}", access: signedIn, serve: (*visit).home},
		{method: "GET", path: "/office", access: signedIn, serve: (*visit).home},
		{method: "POST", path: "/office/signout", access: signedIn, serve: (*visit).signOut},
		{method: "GET", path: "/office/account", access: signedIn, serve: (*visit).account},
		{method: "POST", path: "/office/account/invitation", access: signedIn, serve: (*visit).accept},
		{method: "POST", path: "/office/account/passkeys/begin", access: signedIn, serve: (*visit).passkeyBegin, fresh: accountPath},
		{method: "POST", path: "/office/account/passkeys", access: signedIn, serve: (*visit).passkeyAdd, fresh: accountPath},
		{method: "POST", path: "/office/account/passkeys/remove", access: signedIn, serve: (*visit).passkeyRemove, fresh: accountPath},
		{method: "POST", path: "/office/account/sessions/end", access: signedIn, serve: (*visit).sessionEnd},
		{method: "POST", path: "/office/account/organisation", access: signedIn, serve: (*visit).accountOrganisation, fresh: accountPath},
		{method: "POST", path: "/office/account/organisation/remove", access: signedIn, serve: (*visit).accountUnlink, fresh: accountPath},
		{method: "POST", path: "/office/account/name", access: signedIn, serve: (*visit).rename},
		{method: "POST", path: "/office/account/recovery", access: signedIn, serve: (*visit).recoveryAnew, fresh: accountPath},
	}
}

// daily is what operators and auditors see, and what operators do.
func daily() []route {
	return []route{
		{method: "GET", path: inIssuer + "/{$}", scope: identity.ReadCards, serve: (*visit).overview},
		{method: "GET", path: inIssuer + "/cards", scope: identity.ReadCards, serve: (*visit).cards},
		{method: "GET", path: inIssuer + "/cards.csv", scope: identity.ReadCards, serve: (*visit).cardsCSV},
		{method: "GET", path: inIssuer + "/cards/{card}", scope: identity.ReadCards, serve: (*visit).card},
		{method: "POST", path: inIssuer + "/cards/{card}/settings", scope: identity.WriteCards, serve: (*visit).cardSettings},
		{method: "POST", path: inIssuer + "/cards/{card}/product", scope: identity.WriteCards, serve: (*visit).cardProduct},
		{method: "POST", path: inIssuer + "/cards/{card}/device", scope: identity.WriteCards, serve: (*visit).cardDevice},
		{method: "POST", path: inIssuer + "/cards/{card}/revoke", scope: identity.WriteCards, serve: (*visit).cardRevoke},
		{method: "POST", path: inIssuer + "/cards/{card}/capability", scope: identity.WriteCards, serve: (*visit).cardCapability},
		{method: "GET", path: inIssuer + "/taps", scope: identity.ReadCards, serve: (*visit).taps},
		{method: "GET", path: inIssuer + "/alarms", scope: identity.ReadAlarms, serve: (*visit).alarms},
		{method: "POST", path: inIssuer + "/alarms/{id}", scope: identity.SettleAlarms, serve: (*visit).alarmSettle},
		{method: "GET", path: inIssuer + "/reports", scope: identity.ReadAlarms, serve: (*visit).reports},
		{method: "POST", path: inIssuer + "/reports/{id}", scope: identity.SettleAlarms, serve: (*visit).reportSettle},
		{method: "GET", path: inIssuer + "/channels", scope: identity.ReadCards, serve: (*visit).channels},
	}
}

// administration is what owners do, and what auditors look at.
func administration() []route {
	return []route{
		{method: "GET", path: inIssuer + "/products", scope: identity.ReadCards, serve: (*visit).products},
		{method: "GET", path: inIssuer + "/products/new", scope: identity.ManageIssuer, serve: (*visit).product},
		{method: "GET", path: inIssuer + "/products/{id}", scope: identity.ManageIssuer, serve: (*visit).product},
		{method: "POST", path: inIssuer + "/products/{id}", scope: identity.ManageIssuer, serve: (*visit).productPut, body: upload},
		{method: "POST", path: inIssuer + "/products/{id}/delete", scope: identity.ManageIssuer, serve: (*visit).productDelete},
		{method: "GET", path: inIssuer + "/issuer", scope: identity.ManageIssuer, serve: (*visit).face},
		{method: "POST", path: inIssuer + "/issuer", scope: identity.ManageIssuer, serve: (*visit).facePut, body: upload},
		{method: "GET", path: inIssuer + "/keys", scope: identity.ManageKeys, serve: (*visit).keys},
		{method: "POST", path: inIssuer + "/keys", scope: identity.ManageKeys, serve: (*visit).keyCreate, fresh: inIssuer + "/keys"},
		{method: "POST", path: inIssuer + "/keys/{id}/revoke", scope: identity.ManageKeys, serve: (*visit).keyRevoke},
		{method: "GET", path: inIssuer + "/notices", scope: identity.ManageWebhooks, serve: (*visit).notices},
		{method: "POST", path: inIssuer + "/notices/webhooks", scope: identity.ManageWebhooks, serve: (*visit).webhookAdd},
		{method: "POST", path: inIssuer + "/notices/webhooks/{id}/test", scope: identity.ManageWebhooks, serve: (*visit).webhookTest},
		{method: "POST", path: inIssuer + "/notices/webhooks/{id}/remove", scope: identity.ManageWebhooks, serve: (*visit).webhookRemove},
		{method: "POST", path: inIssuer + "/notices/mail", scope: identity.ManageWebhooks, serve: (*visit).recipients},
		{method: "GET", path: inIssuer + "/people", scope: identity.ManagePeople, serve: (*visit).people},
		{method: "POST", path: inIssuer + "/people", scope: identity.ManagePeople, serve: (*visit).invite, fresh: inIssuer + "/people"},
		{method: "POST", path: inIssuer + "/people/{id}/role", scope: identity.ManagePeople, serve: (*visit).personRole, fresh: inIssuer + "/people"},
		{method: "POST", path: inIssuer + "/people/{id}/remove", scope: identity.ManagePeople, serve: (*visit).personRemove},
		{method: "POST", path: inIssuer + "/invitations/{id}/withdraw", scope: identity.ManagePeople, serve: (*visit).withdraw},
		{method: "GET", path: inIssuer + "/audit", scope: identity.ReadAudit, serve: (*visit).auditLog},
		{method: "GET", path: inIssuer + "/system", scope: identity.ManageIssuer, serve: (*visit).system},
	}
}

// Body returns how large the body of a request may be, in bytes, where the office takes more than the usual: forms with a
// picture. 0 stands for the usual limit, also for every request that is not the office's. It is for edge.Options.
func Body() func(*http.Request) int64 {
	mux := http.NewServeMux()
	limits := map[string]int64{}
	for _, rt := range routes() {
		mux.HandleFunc(rt.pattern(), http.NotFound)
		limits[rt.pattern()] = rt.body
	}
	return func(r *http.Request) int64 {
		_, pattern := mux.Handler(r)
		return limits[pattern]
	}
}

// entry is one line of the menu.
type entry struct {
	Name, Path string
	Scope      identity.Scope
	Apart      bool // a new group begins
}

// menu is the order in which people look for things.
var menu = []entry{
	{"overview", "/", identity.ReadCards, false},
	{"cards", "/cards", identity.ReadCards, false},
	{"taps", "/taps", identity.ReadCards, false},
	{"alarms", "/alarms", identity.ReadAlarms, false},
	{"reports", "/reports", identity.ReadAlarms, false},
	{"products", "/products", identity.ReadCards, true},
	{"issuer", "/issuer", identity.ManageIssuer, false},
	{"notices", "/notices", identity.ManageWebhooks, false},
	{"keys", "/keys", identity.ManageKeys, true},
	{"people", "/people", identity.ManagePeople, false},
	{"audit", "/audit", identity.ReadAudit, false},
	{"channels", "/channels", identity.ReadCards, true},
	{"system", "/system", identity.ManageIssuer, false},
}
