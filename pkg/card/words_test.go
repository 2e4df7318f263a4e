package card_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/tap"
)

// What the client sends through a card's life, in words.
func TestEveryCommandHasItsWords(t *testing.T) {
	soft, said := cardtest.New("card"), []string(nil)
	client := open(t, soft)
	soft.Before = func(c apdu.Command) error { said = append(said, card.Words(c)); return nil }
	id, err := client.Generate(tap.RSA2048)
	require.NoError(t, err)
	require.NoError(t, client.PutTemplate(template))
	require.NoError(t, client.PutProfile(card.Profile{MaxRead: card.DefaultMaxRead}))
	_, err = client.Challenge(nonce, nil)
	require.NoError(t, err)
	require.NoError(t, client.Lock(id))
	_, err = client.Key()
	require.NoError(t, err)
	_, err = client.Template()
	require.NoError(t, err)
	_, err = client.Capabilities()
	require.NoError(t, err)
	assert.Equal(t, []string{
		"GENERATE KEY", "PUT DATA prefix", "PUT DATA middle", "PUT DATA profile", "CHALLENGE", "GET DATA signature, part 1",
		"GET DATA signature, part 2", "LOCK", "INFO", "GET DATA key, part 1", "GET DATA key, part 2", "GET DATA prefix, part 1",
		"GET DATA middle, part 1", "GET CAPABILITIES",
	}, said)

	assert.Equal(t, "INFO", card.Words(apdu.Command{CLA: 0x82, INS: 0x01}), "on another logical channel")
	assert.Equal(t, "GET DATA item 09, part 1", card.Words(apdu.Command{CLA: 0x80, INS: 0x21, P2: 9}))
	assert.Equal(t, "80 77 00 00, 0 bytes of data", card.Words(apdu.Command{CLA: 0x80, INS: 0x77}))
	assert.Equal(t, "SELECT file E104", card.Words(apdu.SelectFile(0xE104)))
}
