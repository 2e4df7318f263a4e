package main

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// TestIssuersOfOneNameAreToldApartByTheirChannels, also where one of them has the channel of another for its name.
func TestIssuersOfOneNameAreToldApartByTheirChannels(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	all, err := secrets.New("log.example.com", "Acme", "", random, time.Now())
	require.NoError(t, err)
	for _, name := range []string{"Acme", all.Issuers[0].Author().Channel().String()} {
		i, err := secrets.NewIssuer(name, "", random, time.Now())
		require.NoError(t, err)
		all.Issuers = append(all.Issuers, i)
	}
	signer, err := ledger.NewSigner(string(all.Log))
	require.NoError(t, err)
	r, err := registry.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{Ledger: ledger.NewMemory("log.example.com", signer, time.Now)})
	require.NoError(t, err)
	defer r.Close()
	h := &house{secrets: all, authors: secrets.NewAuthors(all), registry: r}
	_, err = h.issuerOf(t.Context(), "Acme")
	problem := console.Explain(err)
	assert.Equal(t, console.Usage, problem.Exit)
	assert.Equal(t, `2 of its issuers are called "Acme"`, problem.Why)
	_, err = h.issuerOf(t.Context(), "")
	assert.Contains(t, console.Explain(err).Why, "serves several")
	for _, want := range all.Issuers {
		id := want.Author().Channel().String()
		for _, text := range []string{id, "pidc1:" + id} {
			got, err := h.issuerOf(t.Context(), text)
			require.NoError(t, err)
			assert.Equal(t, want.Seed, got.Seed)
		}
	}
	_, err = h.issuerOf(t.Context(), channel.ID{1}.String())
	assert.ErrorIs(t, err, secrets.ErrElsewhere)
}
