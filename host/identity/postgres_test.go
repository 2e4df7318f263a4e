package identity_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
)

// TestServerThatIsAwayIsNoAnswer: nobody's key is unknown, nobody is signed out, and nothing is used up, because a database did not
// answer.
func TestServerThatIsAwayIsNoAnswer(t *testing.T) {
	o, _ := options(t, "https://id.example.com")
	i := open(t, storetest.Postgres(t), o)
	ada, d, codes := enrolled(t, i, identity.Owner, "Ada")
	_, token, err := i.CreateKey(t.Context(), order(identity.ReadCards))
	require.NoError(t, err)
	s := newSite(t, i)
	b := s.browser(t)
	s.ask(t, b, "/in?id="+ada.ID)
	options, ceremony, err := i.BeginLogin(t.Context())
	require.NoError(t, err)
	answer := d.get(t, options)
	storetest.Restart(t, func() {
		_, _, err := i.Authenticate(t.Context(), token.Reveal())
		assert.ErrorIs(t, err, store.ErrUnavailable)
		assert.NotErrorIs(t, err, identity.ErrUnknownKey)
		_, err = i.FinishLogin(t.Context(), ceremony, answer)
		assert.ErrorIs(t, err, store.ErrUnavailable)
		_, err = i.Recover(t.Context(), codes[0].Reveal())
		assert.ErrorIs(t, err, store.ErrUnavailable)
		assert.ErrorIs(t, err, store.ErrNotWritten)
		status, _, _ := s.ask(t, b, "/who")
		assert.Equal(t, http.StatusServiceUnavailable, status)
	})
	require.Eventually(t, func() bool {
		_, _, err := i.Authenticate(t.Context(), token.Reveal())
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	_, err = i.FinishLogin(t.Context(), ceremony, answer)
	assert.NoError(t, err)
	_, err = i.Recover(t.Context(), codes[0].Reveal())
	assert.NoError(t, err)
	status, _, _ := s.ask(t, b, "/who")
	assert.Equal(t, http.StatusOK, status)
}
