package station

import (
	"context"
	"fmt"

	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

// rehearse reads the card before its lock. What it serves then is never valid in public.
func (j *job) rehearse(context.Context) (string, error) {
	if j.info.State == card.Locked {
		return "locked before, it rehearses no more", nil
	}
	return j.read(ErrRehearsal, tap.URL.VerifyRehearsal)
}

// firstTap reads the locked card: only a locked one signs a tap, so this proves the lock too. The next step uses it up. A
// card in service is not read: its tap would stay good in the station's hands.
func (j *job) firstTap(context.Context) (string, error) {
	if j.registered.State != "" {
		return "read before", nil
	}
	return j.read(ErrFirstTap, tap.URL.Verify)
}

// read reads the card once as a phone does and verifies that it serves its template, signed and counted on; if not, it is
// wrong.
func (j *job) read(wrong error, verify func(tap.URL, tap.Key) error) (string, error) {
	message, err := t4t.Read(j.reader)
	if err != nil {
		return "", err
	}
	uri, err := ndef.ParseURI(message.NDEF)
	if err != nil {
		return "", fmt.Errorf("%w: %w", wrong, err)
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
	if served.Counter <= j.report.Counter {
		return "", fmt.Errorf("%w: counter %d after %d", wrong, served.Counter, j.report.Counter)
	}
	j.report.Counter = served.Counter
	return fmt.Sprintf("counter %d verified, %d bytes of NDEF", served.Counter, len(message.NDEF)), nil
}
