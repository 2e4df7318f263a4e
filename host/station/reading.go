package station

import (
	"context"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// slow is from where on a card that takes so long for one answer is warned about: phones give up after 1000 ms, and in their weaker
// field a card may be slower than at the station.
const slow = 500 * time.Millisecond

// rehearse reads the card before its lock. What it serves then is never valid in public.
func (j *job) rehearse(context.Context) (string, error) {
	if j.info.State == card.Locked {
		return "locked before, it rehearses no more", nil
	}
	if j.order.Profile.ChallengeOnly {
		return j.readUnsigned(ErrRehearsal, card.Keyed)
	}
	return j.readSigned(ErrRehearsal, tap.URL.VerifyRehearsal)
}

// firstTap reads the locked card. The next step uses up every count until then. A card in service is not read: its tap would stay
// good in the station's hands.
func (j *job) firstTap(context.Context) (string, error) {
	if j.registered.State != "" {
		return "read before", nil
	}
	if j.order.Profile.ChallengeOnly {
		return j.readUnsigned(ErrFirstTap, card.Locked)
	}
	return j.readSigned(ErrFirstTap, tap.URL.Verify)
}

// readSigned reads the card once as a phone does and verifies that it serves its template, signed and counted on; if not, it is
// wrong. A card signs a tap only when it is locked, and a rehearsal only before, so what verifies proves its state too.
func (j *job) readSigned(wrong error, verify func(tap.URL, tap.Key) error) (string, error) {
	uri, note, err := j.read(wrong)
	if err != nil {
		return "", err
	}
	served, err := tap.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("%w: %w", wrong, err)
	}
	if err := verify(served, j.key); err != nil {
		return "", fmt.Errorf("%w: %w", wrong, err)
	}
	if uri != j.order.Template.URL(j.key.ID(), served.Counter, served.Signature) {
		return "", fmt.Errorf("%w: its URL is not made by the template", wrong)
	}
	return fmt.Sprintf("counter %d verified, %s", served.Counter, note), j.counted(wrong, served.Counter)
}

// readUnsigned reads a challenge-only card once as a phone does, and has it answer a challenge: nothing that it serves proves its key,
// and the answer to a challenge, which is the same before and after the lock, does not prove its state. That is its word alone.
func (j *job) readUnsigned(wrong error, state card.State) (string, error) {
	uri, note, err := j.read(wrong)
	if err != nil {
		return "", err
	}
	if want := j.order.Template.UnsignedURL(j.key.ID(), tap.ChallengeOnly); uri != want {
		return "", fmt.Errorf("%w: it serves %.200q, and a challenge-only card serves %q", wrong, uri, want)
	}
	if j.card, err = card.Open(j.reader); err != nil { // in the selection that was read, it answers none
		return "", err
	}
	if j.info, err = j.card.Info(); err != nil {
		return "", err
	}
	if j.info.State != state || j.info.Profile != j.order.profile() {
		return "", fmt.Errorf("%w: it is %v with %v", wrong, j.info.State, j.info.Profile)
	}
	nonce, err := j.nonce()
	if err != nil {
		return "", err
	}
	answer, err := j.card.Challenge(nonce, nil)
	if err != nil {
		return "", err
	}
	if err := answer.Verify(j.key); err != nil {
		return "", fmt.Errorf("%w: checking its answer to a challenge: %w", wrong, err)
	}
	return fmt.Sprintf("serves no signed tap; its answer %d to a challenge verified, %s", answer.Counter, note), j.counted(wrong, answer.Counter)
}

// counted takes a counter that was verified.
func (j *job) counted(wrong error, counter uint32) error {
	if counter <= j.report.Counter {
		return fmt.Errorf("%w: counter %d after %d", wrong, counter, j.report.Counter)
	}
	j.report.Counter = counter
	return nil
}

// read reads the card once as a phone does and returns its URL, with a note for whoever watches. It notes when a phone might have given up.
func (j *job) read(wrong error) (uri, note string, err error) {
	watch := &stopwatch{reader: j.reader, now: j.Now}
	message, err := t4t.Read(watch)
	if err != nil {
		return "", "", err
	}
	if uri, err = ndef.ParseURI(message.NDEF); err != nil {
		return "", "", fmt.Errorf("%w: %w", wrong, err)
	}
	if watch.slowest > slow {
		j.slow = watch.slowest
	}
	return uri, fmt.Sprintf("%d bytes of NDEF, slowest answer %d ms", len(message.NDEF), watch.slowest.Milliseconds()), nil
}

// stopwatch passes commands on and notes the longest time for one.
type stopwatch struct {
	reader  apdu.Transmitter
	now     func() time.Time
	slowest time.Duration
}

// Transmit is the reader's.
func (w *stopwatch) Transmit(command []byte) ([]byte, error) {
	begin := w.now()
	answer, err := w.reader.Transmit(command)
	w.slowest = max(w.slowest, w.now().Sub(begin))
	return answer, err
}
