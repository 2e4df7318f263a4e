package alarm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/notify"
)

// TestURLWithoutSignatureIsKeptAndRaisesNothing: anybody can write it, as often and wherever he wants, and it is no sign of a counterfeit.
func TestURLWithoutSignatureIsKeptAndRaisesNothing(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 5}, at(45.46, 9.19, "Milano"))
		for range 40 {
			w.see(1, Verdict{Code: "unsigned_url"}, from("198.51.100.0/24"), at(-33.87, 151.21, "Sydney"))
		}
		w.see(1, Verdict{Code: "recorded", Counter: 6}, at(45.46, 9.19, "Milano"))
		for _, kind := range Kinds() {
			assert.Empty(t, w.alarms(kind), kind)
		}
		kept, _, err := w.Checks(t.Context(), Filter{Issuer: acme, Word: "unsigned_url"})
		require.NoError(t, err)
		assert.NotEmpty(t, kept, "who looks for them finds them")
		assert.Empty(t, w.told.kinds(notify.AlarmRaised))
	})
}
