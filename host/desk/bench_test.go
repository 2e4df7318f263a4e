package desk_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/record"
)

// benchWorld is an installation on the embedded log, whose card asks for a form.
func benchWorld(b *testing.B) *world {
	signer, policy := logKeys(b)
	dir := b.TempDir()
	l, err := tlog.Open(b.Context(), filepath.Join(dir, "ledger.db"), tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	w := newWorldOn(b, l, policy, filepath.Join(dir, "registry.db"))
	w.o.Observe = nil
	w.Desk = desk.New(w.o)
	w.set(record.Settings{Form: form()})
	return w
}

// BenchmarkLook is what the desk adds to validation.BenchmarkValidate: settings, issuer, product.
func BenchmarkLook(b *testing.B) {
	w := benchWorld(b)
	url := w.card.Tap()
	for b.Loop() {
		require.Equal(b, validation.Valid, w.look(url, web).Code)
	}
}

// BenchmarkValidate is the decision alone, for comparison.
func BenchmarkValidate(b *testing.B) {
	w := benchWorld(b)
	url := w.card.Tap()
	for b.Loop() {
		_, err := w.o.Validation.Validate(b.Context(), url)
		require.NoError(b, err)
	}
}

// BenchmarkRecord is a whole recording with a form.
func BenchmarkRecord(b *testing.B) {
	w := benchWorld(b)
	for b.Loop() {
		f := w.record(desk.Request{URL: w.card.Tap(), Form: map[string]string{"kg": "3"}}, web)
		require.Equal(b, validation.Recorded, f.Code)
	}
}
