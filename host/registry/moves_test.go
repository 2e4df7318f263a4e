package registry_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

func movedTo(last uint32, to string) record.ChannelMoved {
	return record.ChannelMoved{Last: last, State: record.StateMoved, To: to, Was: record.StateInService}
}

func continuedFrom(last uint32, from string) record.ChannelContinued {
	return record.ChannelContinued{Last: last, State: record.StateInService, From: from, Evidence: channel.Hash{1}}
}

// What anybody copies to a ledger of the one that a card moved to does not bring it back.
func TestACardLivesOnTheLedgerThatItMovedTo(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		w := newWorld(t, fresh)
		issuer, lives := w.populate("a", "b")
		info, err := w.ledger.Info(t.Context())
		require.NoError(t, err)
		away, home, stayed := lives[0], lives[1], lives[1].card.ID()
		w.tell(issuer.Say(recordtest.Body(record.IssuerMoved{To: info.Origin})))
		w.sync()
		require.ErrorIs(t, w.CheckIssuer(t.Context(), issuer.ID()), registry.ErrMoved)
		card, err := w.Card(t.Context(), stayed)
		require.NoError(t, err)
		assert.Equal(t, record.StateMoved, card.State, "not before its issuer was continued")
		w.tell(issuer.Say(recordtest.Body(record.IssuerContinued{From: "log.example.com", Evidence: channel.Hash{1}})))

		for life, to := range map[*life]string{&away: "elsewhere.example.com", &home: info.Origin} {
			before, err := w.Card(t.Context(), life.card.ID())
			require.NoError(t, err)
			w.tell(life.taps.Say(recordtest.Body(movedTo(before.Last, to))))
			w.sync()
			card, err = w.Card(t.Context(), life.card.ID())
			require.NoError(t, err)
			assert.Equal(t, record.StateMoved, card.State)
			assert.Equal(t, to, card.Place)
			w.tell(life.taps.Say(recordtest.Body(continuedFrom(before.Last, "log.example.com"))))
			w.tell(life.taps.Say(recordtest.Body(recordtest.Tapped(life.card, before.Last+1))))
		}
		w.sync()
		require.NoError(t, w.CheckIssuer(t.Context(), issuer.ID()))
		for life, state := range map[*life]string{&away: record.StateMoved, &home: record.StateInService} {
			card, err = w.Card(t.Context(), life.card.ID())
			require.NoError(t, err)
			assert.Equal(t, state, card.State)
		}
		before, err := w.Dump(t.Context())
		require.NoError(t, err)
		require.NoError(t, w.Rebuild(t.Context()))
		after, err := w.Dump(t.Context())
		require.NoError(t, err)
		assert.Equal(t, string(before), string(after))
		w.alter("UPDATE heads SET place = '', was = ''")
		w.alter("UPDATE issuers SET moved = 1")
		card, err = w.Card(t.Context(), away.card.ID())
		require.NoError(t, err)
		assert.Equal(t, record.StateMoved, card.State)
		require.NotEmpty(t, w.named())
	})
}
