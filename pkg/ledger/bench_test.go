package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func BenchmarkVerify(b *testing.B) {
	s := signer(b, signerKey)
	m := message(b, 7, "body")
	p, proof := policy(s), proved(b, m, s)
	for b.Loop() {
		if _, err := p.Verify(m, proof); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemorySubmit(b *testing.B) {
	author := channel.NewAuthor(channel.Seed{1}, channel.Public)
	l := ledger.NewMemory(origin, signer(b, signerKey), time.Now)
	if err := l.List(context.Background(), author.Channel()); err != nil {
		b.Fatal(err)
	}
	draft := channel.Draft{Time: recorded, Body: make([]byte, 300)}
	for b.Loop() {
		m, err := author.Sign(draft)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Submit(context.Background(), m); err != nil {
			b.Fatal(err)
		}
		draft.Number, draft.Prev = draft.Number+1, m.Hash()
	}
}

func BenchmarkVerifyStardust(b *testing.B) {
	m, proof := newOnStardust(1).record(b, "body")
	p, text := coordinator(2, coordinators...), proof.Proof()
	for b.Loop() {
		if _, err := p.Verify(m, text); err != nil {
			b.Fatal(err)
		}
	}
}
