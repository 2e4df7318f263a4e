package desk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func (w *world) show(c desk.Caller) desk.Card {
	w.t.Helper()
	card, err := w.Card(identity.WithActor(w.t.Context(), c.Actor), w.card.ID())
	require.NoError(w.t, err)
	return card
}

func TestWhatEverybodySeesOfACard(t *testing.T) {
	w := newWorld(t)
	w.set(record.Settings{ProductURL: "https://shop.example.com/p/7", LoginRequired: true, Form: form()})
	w.sayTaps(record.CardAssociated{Last: 1, State: record.StateInService, Settings: w.settingsHash(), Device: "lock 7"})
	url := w.card.Tap()
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: url, Form: map[string]string{"kg": "3"}}, w.anna()).Code)

	c := w.show(web)
	assert.Equal(t, desk.Active, c.Status)
	assert.Equal(t, "shop", c.Face.Name)
	assert.Equal(t, uint32(2), c.Record.Last)
	assert.Equal(t, "https://shop.example.com/p/7", c.ProductURL)
	assert.True(t, c.LoginRequired)
	assert.Equal(t, form(), c.Form)
	assert.Equal(t, "pidc1:"+c.Record.Taps.String(), c.Capability)
	assert.Nil(t, c.Restricted)
	assert.Empty(t, c.Record.Device)

	receipt, err := c.Proof.Evidence.Verify(w.policy)
	require.NoError(t, err)
	assert.Equal(t, ledger.Final, receipt.Phase)
	require.NoError(t, c.Proof.Head.Verify())
	assert.Equal(t, c.Proof.Evidence.Message.Hash(), c.Proof.Head.Hash)
	assert.Equal(t, w.now.UnixMilli(), c.Proof.Head.Time.UnixMilli())
	info, err := w.ledger.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, info.Size, c.Proof.Head.LogSize)

	other := channel.ID{9}
	for _, stranger := range []desk.Caller{w.anna(), w.anna(identity.RecordTaps), machine(other, identity.ReadCards)} {
		assert.Nil(t, w.show(stranger).Restricted)
	}
	r := w.show(w.anna(identity.ReadCards)).Restricted
	require.NotNil(t, r)
	assert.Equal(t, "lock 7", r.Device)
	assert.Equal(t, form(), r.Settings.Form)
	assert.Equal(t, "anna-id", r.LastTap.Operator)
	capability, err := channel.ParseCapability(r.Capability)
	require.NoError(t, err)
	assert.True(t, capability.Restricted)
}

func (w *world) settingsHash() string {
	current, err := w.settings.Current(w.t.Context(), w.card.ID())
	require.NoError(w.t, err)
	return current.Hash.String()
}

func TestTheStatusOfACard(t *testing.T) {
	for status, body := range map[desk.Status]interface{ Encode() ([]byte, error) }{
		desk.Revoked: record.CardRevoked{Last: 1, State: record.StateRevoked, Reason: "stolen"},
		desk.Moved:   record.ChannelMoved{Last: 1, State: record.StateMoved, To: "log.example.org", Was: record.StateInService},
		desk.Active:  record.CardAssociated{Last: 1, State: record.StateInService, Device: "x"},
	} {
		w := newWorld(t)
		w.sayTaps(body)
		assert.Equal(t, status, w.show(web).Status)
	}
	w := newWorld(t)
	_, err := w.Card(t.Context(), tap.CardID{1})
	assert.ErrorIs(t, err, registry.ErrUnknownCard)
}

func TestGoodTapsGoOn(t *testing.T) {
	w := newWorld(t)
	id := w.card.ID()
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: w.card.Tap()}, web).Code)
	_, err := w.Continue(t.Context(), id, 2)
	assert.ErrorIs(t, err, desk.ErrNowhere)

	w.products["09506000134352"] = product.Product{Name: "Milk", URL: "https://milk.example.com/"}
	u, err := w.Continue(t.Context(), id, 2)
	require.NoError(t, err)
	assert.Equal(t, "https://milk.example.com/?productid=token", u.String())
	w.set(record.Settings{ProductURL: "https://shop.example.com/p/7"})
	u, err = w.Continue(t.Context(), id, 2)
	require.NoError(t, err)
	assert.Equal(t, "https://shop.example.com/p/7?productid=token", u.String())

	for _, counter := range []uint32{0, 1, 3, 4000000000} {
		_, err = w.Continue(t.Context(), id, counter)
		assert.ErrorIs(t, err, desk.ErrNotRecorded)
	}
	w.now = w.now.Add(desk.Onward + time.Minute)
	_, err = w.Continue(t.Context(), id, 2)
	assert.ErrorIs(t, err, desk.ErrNotRecorded, "too late")
	w.now = w.now.Add(-desk.Onward - time.Minute)
	w.sayTaps(record.CardRevoked{Last: 2, State: record.StateRevoked, Settings: w.settingsHash()})
	_, err = w.Continue(t.Context(), id, 2)
	assert.ErrorIs(t, err, desk.ErrNotRecorded, "revoked since")
}

func TestNobodyIsSentToWhereTheIssuerHasNoPages(t *testing.T) {
	w := newWorld(t)
	id := w.card.ID()
	w.products["09506000134352"] = product.Product{Name: "Milk", URL: "https://milk.example.com/"}
	require.Equal(t, validation.Recorded, w.record(desk.Request{URL: w.card.Tap()}, web).Code)
	w.products["only"] = product.Product{Name: "shop.example.com"}
	_, err := w.Continue(t.Context(), id, 2)
	assert.ErrorIs(t, err, desk.ErrNowhere, "the product's page")
	for address, allowed := range map[string]bool{
		"https://shop.example.com/p/7": true, "https://SHOP.example.com/": true,
		"https://shop.example.com.evil.example/": false, "https://evil.example/shop.example.com": false, "https://shop.example.com:8443/": false,
	} {
		w.set(record.Settings{ProductURL: address})
		_, err := w.Continue(t.Context(), id, 2)
		if allowed {
			assert.NoError(t, err, address)
		} else {
			assert.ErrorIs(t, err, desk.ErrNowhere, address)
		}
	}
	w.set(record.Settings{ProductURL: "https://shop.example.com/p/7"})
	w.products[""] = product.Product{}
	_, err = w.Continue(t.Context(), id, 2)
	assert.ErrorContains(t, err, "disk full", "where nobody knows the hosts, nobody is sent on")
	assert.NotErrorIs(t, err, desk.ErrNowhere)
}
