package move_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/move"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

const (
	oldOrigin = "old.example.com"
	newOrigin = "new.example.com"
)

// lister is a ledger that channels are admitted to.
type lister interface {
	ledger.Ledger
	List(ctx context.Context, ids ...channel.ID) error
}

// house is an installation on one ledger.
type house struct {
	t        *testing.T
	secrets  secrets.Secrets
	authors  *secrets.Authors
	ledger   lister
	policy   ledger.Policy
	registry *registry.Registry
	*validation.Service
}

// newSecrets are always the same.
func newSecrets(t *testing.T) secrets.Secrets {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	s, err := secrets.New(oldOrigin, "Example Dairy", "https://dairy.example.com", random, time.Now())
	require.NoError(t, err)
	return s
}

// newLog returns a log in a database that has none, and what trusts it.
func newLog(t *testing.T, name, origin string) (*tlog.Log, ledger.Policy) {
	t.Helper()
	key, _, err := note.GenerateKey(rand.NewChaCha8([32]byte{byte(len(origin)), origin[0]}), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(key)
	require.NoError(t, err)
	l, err := tlog.Open(t.Context(), name, tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: signer.VerifierKey()}}}
}

func file(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }

// open opens an installation with these secrets on a ledger.
func open(t *testing.T, s secrets.Secrets, l lister, p ledger.Policy) *house {
	t.Helper()
	h := &house{t: t, secrets: s, authors: secrets.NewAuthors(s), ledger: l, policy: p}
	var err error
	h.registry, err = registry.Open(t.Context(), file(t, "registry.db"), registry.Options{Ledger: l, Master: s.Master})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.registry.Close()) })
	h.Service = validation.New(validation.Options{
		Ledger: l, Registry: h.registry, Authors: h.authors, Master: s.Master, Now: time.Now, Random: rand.NewChaCha8([32]byte{2}),
	})
	require.NoError(t, h.registry.Sync(t.Context()))
	return h
}

// begin is an installation on a new log, with an issuer that has opened its channel.
func begin(t *testing.T) *house {
	t.Helper()
	l, p := newLog(t, file(t, "ledger.db"), oldOrigin)
	h := open(t, newSecrets(t), l, p)
	_, err := registry.OpenIssuer(t.Context(), h.ledger, h.ledger, h.secrets.Issuers[0])
	require.NoError(t, err)
	return h
}

func (h *house) issuer() channel.ID { return h.secrets.Issuers[0].Author().Channel() }

// say records a body as the next message of an author's channel.
func (h *house) say(a *channel.Author, body []byte) channel.Message {
	h.t.Helper()
	require.NoError(h.t, h.ledger.List(context.Background(), a.Channel()))
	d := channel.Draft{Time: time.Now(), Body: body, Random: rand.NewChaCha8([32]byte{3})}
	if head, err := h.ledger.Head(context.Background(), a.Channel()); err == nil {
		d.Number, d.Prev, d.KeyStart = head.Message.Number()+1, head.Message.Hash(), head.Message.KeyStart()
	}
	m, err := a.Sign(d)
	require.NoError(h.t, err)
	_, err = ledger.Record(context.Background(), h.ledger, m)
	require.NoError(h.t, err)
	return m
}

// register registers a card and, unless it is to stay unfinished, puts it in service with settings and some taps. It returns the URL of
// the last tap, which is used up.
func (h *house) register(name string, taps int) (*taptest.Card, string) {
	h.t.Helper()
	c := taptest.NewCard(name)
	author, err := h.authors.Taps(h.issuer(), c.ID())
	require.NoError(h.t, err)
	issuer, err := h.authors.Issuer(h.issuer())
	require.NoError(h.t, err)
	h.say(issuer, recordtest.Body(recordtest.Registered(c, h.issuer(), author.Channel())))
	if taps < 0 {
		return c, ""
	}
	h.say(author, recordtest.Body(recordtest.InService(c.Counter)))
	settings, err := h.authors.Settings(h.issuer(), c.ID())
	require.NoError(h.t, err)
	m := h.say(settings, recordtest.Body(record.Settings{ProductURL: "https://dairy.example.com/milk"}))
	h.say(author, recordtest.Body(recordtest.Configured(c.Counter, m.Hash())))
	url := ""
	for range taps {
		url = c.Tap()
		h.update(url, validation.Recorded)
	}
	return c, url
}

func (h *house) update(url string, want validation.Code) validation.Verdict {
	h.t.Helper()
	v, err := h.Update(context.Background(), validation.Request{URL: url})
	require.NoError(h.t, err)
	require.Equal(h.t, want, v.Code)
	return v
}

// end ends the installation's issuer and cards.
func (h *house) end(to string) move.Ended {
	h.t.Helper()
	e, err := h.ending(to).End(h.t.Context())
	require.NoError(h.t, err)
	return e
}

func (h *house) ending(to string) move.Ending {
	return move.Ending{Ledger: h.ledger, Registry: h.registry, Authors: h.authors, Issuers: []channel.ID{h.issuer()}, To: to, Now: time.Now}
}

// export returns the text of an export.
func (h *house) export() []byte {
	h.t.Helper()
	path := file(h.t, "export")
	_, err := move.Export(h.t.Context(), h.ledger, path, time.Now(), nil)
	require.NoError(h.t, err)
	text, err := os.ReadFile(path)
	require.NoError(h.t, err)
	return text
}

func (h *house) check(text []byte) (*move.Plan, error) {
	return move.Check(context.Background(), bytes.NewReader(text), h.policy, h.authors, nil)
}

// importTo imports an export that this installation made.
func (h *house) importTo(text []byte, l lister) move.Imported {
	h.t.Helper()
	plan, err := h.check(text)
	require.NoError(h.t, err)
	done, err := plan.Import(h.t.Context(), bytes.NewReader(text), move.Destination{Ledger: l, List: l, Now: time.Now})
	require.NoError(h.t, err)
	return done
}

// cards are the cards as they stand, but for their places on the ledger.
func (h *house) cards() map[string]record.Card {
	h.t.Helper()
	require.NoError(h.t, h.registry.Sync(h.t.Context()))
	all := make(map[string]record.Card)
	for c, err := range h.registry.Cards(h.t.Context()) {
		require.NoError(h.t, err)
		c.Head, c.Registered, c.Place = record.Ref{}, record.Ref{}, ""
		all[fmt.Sprint(c.ID)] = c
	}
	return all
}
