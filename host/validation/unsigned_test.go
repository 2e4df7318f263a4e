package validation

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// unsigned asks both ways about the URL that a card would serve, or somebody who knows its id would write.
func (s *shop) unsigned(c *taptest.Card, reason string) Verdict {
	s.t.Helper()
	url := c.Template.UnsignedURL(c.ID(), reason)
	before := s.size()
	v := s.validate(url)
	assert.Equal(s.t, v, s.update(Request{URL: url}))
	assert.Equal(s.t, before, s.size(), "nothing is written")
	assert.Equal(s.t, UnsignedURL, v.Code)
	assert.Equal(s.t, reason, v.Unsigned)
	assert.Equal(s.t, c.ID(), *v.ID)
	require.NotNil(s.t, v.Registered)
	return v
}

// TestUnsignedURLSaysWhatIsKnownOfTheCardThatItNames, and nothing else: it proves neither that the card made it nor what it says.
func TestUnsignedURLSaysWhatIsKnownOfTheCardThatItNames(t *testing.T) {
	s := newShop(t)
	v := s.unsigned(taptest.NewCard("a stranger"), tap.Exhausted)
	assert.False(t, *v.Registered)
	assert.Nil(t, v.Card)

	v = s.unsigned(s.card, tap.ChallengeOnly)
	assert.True(t, *v.Registered)
	assert.Equal(t, record.StateInService, v.State)
	assert.Equal(t, s.card.ID(), v.Card.ID)
	assert.False(t, v.Contradicted, "it may be one: no tap of it is recorded")

	require.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code)
	assert.True(t, s.unsigned(s.card, tap.ChallengeOnly).Contradicted, "it has signed a tap")
	v = s.unsigned(s.card, tap.Exhausted)
	assert.False(t, v.Contradicted, "a card that signed may be at its end")
	assert.Equal(t, s.card.Counter, v.Last)
	assert.Equal(t, Recorded, s.update(Request{URL: s.card.Tap()}).Code, "the next tap is as good as before")
}

func TestUnsignedURLOfACardOutOfServiceSaysSo(t *testing.T) {
	for _, state := range []string{record.StateRevoked, record.StateMoved, record.StateCompleted} {
		s := newShop(t)
		s.putInState(state)
		v := s.unsigned(s.card, tap.Exhausted)
		assert.Equal(t, state, v.State)
	}
}

// TestOfAnUnsignedURLNothingElseIsAsked: what has a signature, another counter or another reason is malformed.
func TestOfAnUnsignedURLNothingElseIsAsked(t *testing.T) {
	s := newShop(t)
	url := s.card.Template.UnsignedURL(s.card.ID(), tap.Exhausted)
	for _, more := range []string{"&utm_source=mail", "&y=1", "#x=challenge"} {
		assert.Equal(t, UnsignedURL, s.validate(url+more).Code, more)
	}
	for _, more := range []string{"ed", "&x=challenge", "&c=00000001", "&s=AAAA", "&i=AAAAAAAAAAAAAAAA", "&%78=challenge"} {
		assert.Equal(t, MalformedURL, s.validate(url+more).Code, more)
	}
	assert.Equal(t, UnsupportedVersion, s.validate(url+"&v=2").Code)
	assert.Equal(t, MalformedURL, s.validate(s.card.Template.UnsignedURL(s.card.ID(), "blocked")).Code)
}
