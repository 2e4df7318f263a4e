package serve_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
)

// TestAnIssuerThatCameMeanwhileIsServed: another process of the installation makes it, as the command line does beside the service.
func TestAnIssuerThatCameMeanwhileIsServed(t *testing.T) {
	h, l := house(t)
	run(t, h, nil)
	fresh, err := secrets.NewIssuer("Newcomer", "", rand.Reader, time.Now())
	require.NoError(t, err)
	_, err = h.Safe.Change(func(all *secrets.Secrets) error {
		all.Issuers = append(all.Issuers, fresh)
		return nil
	})
	require.NoError(t, err)
	_, err = registry.OpenIssuer(t.Context(), l, l, fresh)
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		_, err := h.Authors.Issuer(fresh.Author().Channel())
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
}
