package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// TestLinkWithoutSignatureIsNeitherGenuineNorCounterfeit: in both languages it says what the link says, that anybody can write it, and what
// to do next, and whoever wrote it gets nothing confirmed by it.
func TestLinkWithoutSignatureIsNeitherGenuineNorCounterfeit(t *testing.T) {
	w := newWorld(t)
	w.sell(false)
	for reason, row := range map[string]map[string][]string{
		tap.Exhausted: {
			"en": {"No proof in this link", "has used up all its signatures", "anybody can write one like it", "no sign of a copy, and no proof of the original", "Ask the maker"},
			"it": {"Nessuna prova in questo link", "ha esaurito le firme", "chiunque può scriverne uno uguale", "né prova dell’originale", "Chiedi al produttore"},
		},
		tap.ChallengeOnly: {
			"en": {"No proof in this link", "is checked with a card reader instead", "anybody can write one like it", "no sign of a copy, and no proof of the original", "with a card reader"},
			"it": {"Nessuna prova in questo link", "si verifica invece con un lettore di carte", "chiunque può scriverne uno uguale", "né prova dell’originale", "lettore di carte"},
		},
	} {
		address := w.card.Template.UnsignedURL(w.card.ID(), reason)
		for language, texts := range row {
			p := w.phone()
			p.language = language
			for _, answer := range []reply{p.get(address), p.post(address)} {
				require.Equal(t, http.StatusOK, answer.Code)
				answer.says(t, w, "open", texts[0])
				for _, text := range texts {
					assert.Contains(t, answer.text, text)
				}
				for _, wrong := range []string{"counterfeit", "contraffa", "Genuine", "Autentica", "Taggiasca", `href="/c/`, "data-at-once", `class="verdict bad"`, `class="verdict good"`} {
					assert.NotContains(t, answer.text, wrong)
				}
			}
		}
	}
	assert.Empty(t, w.recorded())
}

// TestLinkWithoutSignatureTellsWhatIsKnownOfItsCard: of a card that nobody registered, of one that signs, of one that was withdrawn.
func TestLinkWithoutSignatureTellsWhatIsKnownOfItsCard(t *testing.T) {
	w := newWorld(t)
	stranger := taptest.NewCard("a stranger")
	answer := w.phone().get(stranger.Template.UnsignedURL(stranger.ID(), tap.Exhausted))
	answer.says(t, w, "care", "No proof in this link")
	assert.Contains(t, answer.text, "No maker has registered a card with the number in this link.")
	assert.Contains(t, answer.text, "Treat the product as not confirmed.")

	require.Equal(t, http.StatusOK, w.phone().post(w.card.Tap()).Code)
	challenge := w.card.Template.UnsignedURL(w.card.ID(), tap.ChallengeOnly)
	answer = w.phone().get(challenge)
	answer.says(t, w, "care", "No proof in this link")
	assert.Contains(t, answer.text, "this is not the link that it makes")
	assert.NotContains(t, answer.text, "no sign of a copy")
	assert.Contains(t, answer.text, "<details open>", "where to tell us")
	exhausted := w.card.Template.UnsignedURL(w.card.ID(), tap.Exhausted)
	assert.NotContains(t, w.phone().get(exhausted).text, "this is not the link", "a card that signs may come to its end")

	w.sayTaps(record.CardRevoked{Last: w.card.Counter, State: record.StateRevoked, Reason: "stolen"})
	for _, address := range []string{challenge, exhausted} {
		answer = w.phone().get(address)
		answer.says(t, w, "care", "No proof in this link")
		assert.Contains(t, answer.text, "The maker has withdrawn the card with the number in this link.")
		assert.Contains(t, answer.text, "stolen")
		assert.True(t, strings.Contains(answer.text, "Do not rely on the product before you have asked the maker."))
	}
}
