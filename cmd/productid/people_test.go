package main

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/card/cardtest"
)

// TestPeopleAndKeysByTheCommandLine: a link that it prints enrols its person where the service runs, the last owner stays, and each
// act stands on the audit channel.
func TestPeopleAndKeysByTheCommandLine(t *testing.T) {
	for name, ledger := range map[string]func(string) string{
		"sqlite":   func(dir string) string { return "sqlite:" + filepath.Join(dir, "ledger.db") },
		"postgres": func(string) string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer l.Close()
			go (&cardServer{card: cardtest.New("acme-1")}).serve(l)
			dir := t.TempDir()
			m := machine{t, dir, ledger(dir), "sim:" + l.Addr().String()}
			m.run(console.OK, "card", "personalise", "--yes", "--template", "https://tap.example.com/t")
			administer(t, m)
		})
	}
}

func administer(t *testing.T, m machine) {
	card := setCard(t, m)
	m.run(console.OK, "keys", "api", "create", "--name", "shop", "--scope", "taps:record")
	base := &url.URL{Scheme: "https", Host: "tap.example.com"}
	out, _ := m.run(console.OK, "--json", "operator", "invite", "--role", "owner", "--name", "Ada", "--base-url", base.String())
	var invited personView
	require.NoError(t, json.Unmarshal([]byte(out), &invited))

	a := &app{streams: streams{strings.NewReader(""), io.Discard, io.Discard, func(name string) string {
		return map[string]string{"XDG_STATE_HOME": filepath.Join(m.data, "state")}[name]
	}}}
	a.flags.data, a.flags.ledger = m.data, m.database
	a.console = a.openConsole()
	h, err := a.openHouse(t.Context(), existing)
	require.NoError(t, err)
	defer h.Close()
	p, err := a.ledgerPlace()
	require.NoError(t, err)
	i, err := identity.Open(t.Context(), a.roomName(p, "identity"), identity.Options{Origin: base, Master: h.secrets.Master})
	require.NoError(t, err)
	defer i.Close()
	ada := enrolByLink(t, i, base, invited.Link)

	out, _ = m.run(console.OK, "operator", "list")
	assert.Regexp(t, ada.ID+" +Ada +owner +not yet signed in", out)
	_, talk := m.run(console.No, "operator", "remove", ada.ID)
	assert.Contains(t, talk, "last owner")
	out, _ = m.run(console.OK, "--json", "operator", "invite", "--role", "owner", "--name", "Bob", "--base-url", base.String())
	require.NoError(t, json.Unmarshal([]byte(out), &invited))
	bob := enrolByLink(t, i, base, invited.Link)
	m.run(console.OK, "operator", "remove", ada.ID)
	out, _ = m.run(console.OK, "--json", "operator", "invite", "--role", "auditor", "--name", "Eve", "--base-url", base.String())
	require.NoError(t, json.Unmarshal([]byte(out), &invited))
	m.run(console.OK, "operator", "remove", invited.ID)

	entries, err := audit.New(audit.Options{Ledger: h.ledger, List: h.ledger, Authors: h.authors, Now: time.Now, Random: rand.Reader}).
		List(t.Context(), h.secrets.Issuers[0].Author().Channel(), 0, 10)
	require.NoError(t, err)
	var acts []audit.Act
	for _, e := range entries {
		acts = append(acts, e.Act)
	}
	assert.Equal(t, []audit.Act{
		{By: "cli", Act: "invitation.withdrawn", Subject: invited.ID},
		{By: "cli", Act: "person.invited", Detail: "auditor"},
		{By: "cli", Act: "person.removed", Subject: ada.ID},
		{By: "cli", Act: "person.invited", Detail: "owner"},
		{By: "cli", Act: "person.invited", Detail: "owner"},
		{By: "cli", Act: "key.created", Detail: "shop: taps:record"},
		{By: "cli", Act: "card.capability", Subject: card},
		{By: "cli", Act: "card.rotated", Subject: card},
		{By: "cli", Act: "card.settings", Subject: card, Detail: `product URL "https://shop.example.com/p/7"`},
	}, acts, "and no more: what was refused was not recorded")
	people, err := i.People(t.Context(), h.secrets.Issuers[0].Author().Channel())
	require.NoError(t, err)
	require.Len(t, people, 1)
	assert.Equal(t, bob.ID, people[0].ID)
}

// setCard sets the one card, and gives its id.
func setCard(t *testing.T, m machine) string {
	t.Helper()
	out, _ := m.run(console.OK, "--json", "card", "list")
	var card struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(out), &card))
	for range 2 { // the second changes nothing
		m.run(console.OK, "card", "settings", "put", "--product-url", "https://shop.example.com/p/7", "--", card.ID)
	}
	m.run(console.OK, "card", "settings", "rotate", "--", card.ID)
	m.run(console.OK, "card", "settings", "capability", "--", card.ID)
	return card.ID
}

// enrolByLink does what the service and a browser with a passkey do with a link.
func enrolByLink(t *testing.T, i *identity.Identity, base *url.URL, link string) identity.Person {
	t.Helper()
	u, err := url.Parse(link)
	require.NoError(t, err)
	options, ceremony, err := i.BeginEnrol(t.Context(), identity.Secret(u.Fragment))
	require.NoError(t, err)
	asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(t, err)
	rp := virtualwebauthn.RelyingParty{ID: base.Hostname(), Origin: base.String(), Name: "ProductID"}
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
	answer := virtualwebauthn.CreateAttestationResponse(rp, virtualwebauthn.NewAuthenticator(), key, *asked)
	p, _, err := i.FinishEnrol(t.Context(), ceremony, []byte(answer))
	require.NoError(t, err)
	return p
}
