package office_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

func TestEveryPageIsShown(t *testing.T) {
	w := newWorld(t)
	b := w.as("Ada", map[channel.ID]identity.Role{w.bell.id: identity.Owner})
	for _, path := range []string{"/", "/cards", "/cards/" + w.bell.cards[0].ID().String(), "/taps", "/alarms", "/reports", "/channels", "/products", "/products/new",
		"/issuer", "/keys", "/notices", "/people", "/audit", "/system"} {
		assert.Contains(t, pageOf(t, b.get(w.in(path))), "</html>", path)
	}
}
