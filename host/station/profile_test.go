package station_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// silent is an order for a card that only answers challenges.
func silent(t *testing.T) station.Order {
	t.Helper()
	o := order(t)
	o.Profile = card.Profile{ChallengeOnly: true}
	return o
}

func (w *world) make(t *testing.T, card *testCard, o station.Order) (station.Report, error) {
	t.Helper()
	return w.station("acme").Personalise(t.Context(), card, o, quiet)
}

// silentHolds checks what must be true of a challenge-only card at the end, however it came there.
func (w *world) silentHolds(t *testing.T, c *testCard) {
	t.Helper()
	_, states, err := w.history()
	require.NoError(t, err)
	require.Empty(t, states.Rejections(), "every record holds")
	known, _, err := states.Card(c.Soft.ID())
	require.NoError(t, err)
	require.Equal(t, record.StateInService, known.State)
	require.Equal(t, c.Soft.Counter, known.Last, "everything the card signed until now is used up")
	require.Equal(t, cardtest.Locked, c.State)

	message, err := t4t.Read(c)
	require.NoError(t, err)
	uri, err := ndef.ParseURI(message.NDEF)
	require.NoError(t, err)
	require.Equal(t, known.Template.UnsignedURL(known.ID, tap.ChallengeOnly), uri)
	client, err := card.Open(c)
	require.NoError(t, err)
	answer, err := client.Challenge(make([]byte, tap.MinNonce), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Verify(known.Key))
	require.Equal(t, known.Last+1, answer.Counter)
}

func TestChallengeOnlyCardIsProvedByChallenges(t *testing.T) {
	w, own := newWorld(t), newCard("card")
	l := &listener{testCard: own}
	var details []string
	report, err := w.station("acme").Personalise(t.Context(), l, silent(t), func(e station.Event) {
		if e.Done && (e.Step == station.StepRehearse || e.Step == station.StepTap) {
			details = append(details, e.Detail)
		}
	})
	require.NoError(t, err)
	assert.Empty(t, l.served, "no signed tap, not even at the station")
	require.Len(t, details, 2)
	assert.Contains(t, details[0], "its answer 2 to a challenge verified")
	assert.Contains(t, details[1], "its answer 3 to a challenge verified")
	assert.Equal(t, uint32(3), report.Counter)
	w.silentHolds(t, own)
	_, err = w.make(t, own, silent(t))
	require.NoError(t, err, "a second run has nothing to do")
}

// TestSecondRunMendsEachKindOfOrderCutAtAnyCommand: one plain card is TestSecondRunMendsAFirstCutAtAnyCommand.
func TestSecondRunMendsEachKindOfOrderCutAtAnyCommand(t *testing.T) {
	rsa := order(t)
	rsa.Algorithm = tap.RSA2048
	for name, kind := range map[string]struct {
		order station.Order
		holds func(*world, *testCard)
	}{
		"challenge-only": {silent(t), func(w *world, c *testCard) { w.silentHolds(t, c) }},
		"rsa2048":        {rsa, func(w *world, c *testCard) { w.holds(t, c) }},
		"gs1":            {ofGS1(t, "L1", ""), func(w *world, c *testCard) { w.holds(t, c) }},
	} {
		clean := newCard("card")
		_, err := newWorld(t).make(t, clean, kind.order)
		require.NoError(t, err, name)
		require.Greater(t, clean.commands, 20)
		for n := range clean.commands {
			for how, fate := range fates {
				w, c := newWorld(t), newCard("card")
				c.fate = at(n, fate)
				_, err := w.make(t, c, kind.order)
				require.ErrorIs(t, err, errGone, "%s: command %d %s", name, n, how)
				_, err = w.make(t, c, kind.order)
				require.NoError(t, err, "%s: after command %d %s", name, n, how)
				kind.holds(w, c)
			}
		}
		t.Logf("%s: %d commands x %d fates, each mended by one second run", name, clean.commands, len(fates))
	}
}

// TestChallengeOnlyCardThatIsNoneIsNotLocked: what a phone reads is compared whole, and the answer to a challenge has to verify.
func TestChallengeOnlyCardThatIsNoneIsNotLocked(t *testing.T) {
	isRead := func(c apdu.Command) bool { return c.CLA == 0 && c.INS == 0xB0 }
	for name, lie := range map[string]func(c *testCard, command apdu.Command, answer []byte) []byte{
		"another URL": func(_ *testCard, command apdu.Command, answer []byte) []byte {
			if isRead(command) && len(answer) > 40 {
				answer[20] ^= 1
			}
			return answer
		},
		"another reason": func(_ *testCard, command apdu.Command, answer []byte) []byte {
			if isRead(command) && len(answer) > 40 {
				copy(answer[len(answer)-2-len("challenge"):], "exhausted")
			}
			return answer
		},
		"a signature that is none": func(_ *testCard, command apdu.Command, answer []byte) []byte {
			if command.INS == 0x30 && len(answer) > 40 {
				answer[30] ^= 1
			}
			return answer
		},
		"a state that it has not": func(c *testCard, command apdu.Command, answer []byte) []byte {
			if command.CLA == 0x80 && command.INS == 0x01 && c.Soft.Counter > 0 {
				answer[3] = byte(card.Locked)
			}
			return answer
		},
	} {
		w, c := newWorld(t), newCard("card")
		begun := false // the registration's challenge is answered truly
		c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
			begun = begun || isRead(command)
			if begun {
				answer = lie(c, command, answer)
			}
			return answer, nil
		}
		_, err := w.make(t, c, silent(t))
		require.ErrorIs(t, err, station.ErrRehearsal, name)
		assert.Equal(t, cardtest.Keyed, c.State, name)
		c.After = nil
		_, err = w.make(t, c, silent(t))
		require.NoError(t, err, name)
		w.silentHolds(t, c)
	}
}

// TestChallengeOnlyCardThatIsNotLockedDoesNotGoInService: its state is its word, and is asked for once more after what a phone reads.
func TestChallengeOnlyCardThatIsNotLockedDoesNotGoInService(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	kept, lies := false, 1
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		switch {
		case command.CLA == 0x80 && command.INS == 0x40:
			kept, c.State = true, cardtest.Keyed
		case command.CLA == 0x80 && command.INS == 0x01 && kept && lies > 0:
			answer[3], lies = byte(card.Locked), lies-1
		}
		return answer, nil
	}
	_, err := w.make(t, c, silent(t))
	require.ErrorIs(t, err, station.ErrFirstTap)
	_, states, err := w.history()
	require.NoError(t, err)
	known, _, err := states.Card(c.Soft.ID())
	require.NoError(t, err)
	assert.Empty(t, known.State)
}

func TestAProfileIsWhatWasOrdered(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	old := order(t)
	old.Profile.MaxRead = card.OldReaderMaxRead
	_, err := w.make(t, c, old)
	require.NoError(t, err)
	w.holds(t, c)
	message, err := t4t.Read(c)
	require.NoError(t, err)
	container, err := t4t.ParseContainer(message.CC)
	require.NoError(t, err)
	assert.Equal(t, card.OldReaderMaxRead, container.MaxRead)
	for name, other := range map[string]station.Order{"one for phones": order(t), "challenge-only": silent(t)} {
		_, err = w.make(t, c, other)
		require.ErrorIs(t, err, station.ErrOtherProfile, name)
		assert.ErrorContains(t, err, "locked with signed taps, at most 59 bytes at once", name)
		_, err = w.station("acme").Plan(t.Context(), c, other)
		require.ErrorIs(t, err, station.ErrOtherProfile, name)
	}
	_, err = w.make(t, c, old)
	require.NoError(t, err)

	for _, bad := range []uint16{1, 14, 247, 65535} {
		untouched := newCard("another")
		o := order(t)
		o.Profile.MaxRead = bad
		_, err = w.make(t, untouched, o)
		require.ErrorIs(t, err, card.ErrRefused, bad)
		assert.Zero(t, untouched.commands)
	}
}

// TestAnotherProfileIsRewrittenBeforeTheLock: until then the order decides.
func TestAnotherProfileIsRewrittenBeforeTheLock(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	first := silent(t)
	first.Lock = false
	_, err := w.make(t, c, first)
	require.NoError(t, err)
	finish, _, err := w.station("acme").Registered(t.Context(), c)
	require.NoError(t, err)
	assert.True(t, finish.Profile.ChallengeOnly, "what the card has now")
	plan, err := w.station("acme").Plan(t.Context(), c, order(t))
	require.NoError(t, err)
	require.Equal(t, station.StepTemplate, plan[0].Step)
	require.Len(t, plan[0].Commands, 1, "the profile alone")
	_, err = w.personalise(t, c)
	require.NoError(t, err)
	w.holds(t, c)
}

func TestCardThatListsAnAlgorithmAndCannotMakeItsKeysIsAsBefore(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		switch {
		case command.CLA == 0x80 && command.INS == 0x01:
			answer[2] = 0x03
		case command.CLA == 0x80 && command.INS == 0x10:
			c.State = cardtest.Installed
			return []byte{0x6A, 0x81}, nil
		}
		return answer, nil
	}
	o := order(t)
	o.Algorithm = tap.RSA2048
	_, err := w.make(t, c, o)
	require.ErrorIs(t, err, station.ErrOtherAlgorithm)
	assert.ErrorIs(t, err, card.ErrAlgorithm)
	entries, _, err := w.history()
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing was written anywhere")
	c.After = nil
	_, err = w.personalise(t, c)
	require.NoError(t, err, "it can be made with another algorithm")
	w.holds(t, c)
}

func TestSlowCardIsWarnedAboutAndMadeAllTheSame(t *testing.T) {
	for took, want := range map[time.Duration]bool{450 * time.Millisecond: false, 700 * time.Millisecond: true} {
		w, c := newWorld(t), newCard("card")
		c.Before = func(command apdu.Command) error {
			if command.CLA == 0 && command.INS == 0xB0 && command.P2 == 0 && c.Soft.Counter > 0 { // the read that signs
				w.mu.Lock()
				defer w.mu.Unlock()
				w.now = w.now.Add(took)
			}
			return nil
		}
		slow := map[station.Step]time.Duration{}
		_, err := w.station("acme").Personalise(t.Context(), c, order(t), func(e station.Event) {
			if e.Slow > 0 {
				slow[e.Step] = e.Slow
			}
		})
		require.NoError(t, err)
		if !want {
			assert.Empty(t, slow)
			continue
		}
		assert.Len(t, slow, 2)
		assert.InDelta(t, 700, slow[station.StepRehearse].Milliseconds(), 10)
		assert.InDelta(t, 700, slow[station.StepTap].Milliseconds(), 10)
	}
}
