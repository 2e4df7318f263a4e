package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// FuzzParseLeaf: what is accepted is written again as the same bytes.
func FuzzParseLeaf(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		leaf, err := ledger.ParseLeaf(b)
		if err != nil {
			if channel.Class(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(ledger.AppendLeaf(nil, leaf), b) {
			t.Fatal("another leaf than the one parsed")
		}
	})
}

// FuzzParseCheckpoint signs any text at all: what is accepted begins with the
// checkpoint that it says.
func FuzzParseCheckpoint(f *testing.F) {
	s := signer(f, signerKey)
	v := verifier(f, s)
	f.Fuzz(func(t *testing.T, text string) {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			return
		}
		c, err := ledger.ParseCheckpoint(signed, origin, v)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalidProof) {
				t.Fatal(err)
			}
			return
		}
		again, err := ledger.SignCheckpoint(c, s)
		if err != nil {
			t.Fatal(err)
		}
		if body, _, _ := bytes.Cut(again, []byte("\n\n")); !bytes.HasPrefix(signed, body) {
			t.Fatalf("%q became %q", signed, again)
		}
	})
}

// FuzzParseLogProof: what is accepted is written again as the same text.
func FuzzParseLogProof(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ledger.ParseLogProof(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalidProof) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Marshal(), text) {
			t.Fatalf("%q became %q", text, p.Marshal())
		}
	})
}

// FuzzParseStardustProof: what is accepted is written again as the same text.
func FuzzParseStardustProof(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ledger.ParseStardustProof(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalidProof) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Marshal(), text) {
			t.Fatalf("%q became %q", text, p.Marshal())
		}
	})
}

// FuzzVerifyStardust: one text alone proves a message.
func FuzzVerifyStardust(f *testing.F) {
	m, proof := newOnStardust(1).record(f, "body")
	good, p := proof.Marshal(), coordinator(2, coordinators...)
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := p.Verify(m, ledger.Proof{Kind: ledger.KindStardust, Text: text})
		if (err == nil) != bytes.Equal(text, good) {
			t.Fatalf("%v: %q", err, text)
		}
	})
}

// FuzzCosignatures: a checkpoint with any line below it has the witness' word only
// where the witness gave it.
func FuzzCosignatures(f *testing.F) {
	one := witness(f, 7)
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(f, signerKey))
	if err != nil {
		f.Fatal(err)
	}
	var given [][]byte // at two times, which both stand in the corpus
	for _, at := range []time.Time{cosignedAt, cosignedAt.Add(time.Second)} {
		line, err := one.Cosign(checkpoint, at)
		if err != nil {
			f.Fatal(err)
		}
		given = append(given, line)
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		found, err := ledger.Cosignatures(append(checkpoint[:len(checkpoint):len(checkpoint)], lines...), one.VerifierKey())
		if err != nil && !errors.Is(err, ledger.ErrInvalidProof) {
			t.Fatal(err)
		}
		said, alone := false, false
		for _, line := range given {
			said, alone = said || bytes.Contains(lines, line), alone || bytes.Equal(lines, line)
		}
		if len(found) > 0 && !said || alone && len(found) != 1 {
			t.Fatalf("%v: %q", found, lines)
		}
	})
}

// FuzzVerify: one text alone proves a message, apart from signatures of others.
func FuzzVerify(f *testing.F) {
	s := signer(f, signerKey)
	m := message(f, 7, "body")
	good := proved(f, m, s).Text
	signatures := bytes.LastIndex(good, []byte("\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := policy(s).Verify(m, ledger.Proof{Kind: ledger.KindTlog, Text: text})
		same := bytes.HasPrefix(text, good[:signatures]) && bytes.Contains(text, good[signatures+2:])
		if err == nil && !same || err != nil && bytes.Equal(text, good) {
			t.Fatalf("%v: %q", err, text)
		}
	})
}

// FuzzParsePolicy: what is accepted is read again from its own JSON.
func FuzzParsePolicy(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ledger.ParsePolicy(data)
		if err == nil {
			readAgain(t, p, ledger.ParsePolicy)
		}
	})
}

// FuzzParseEvidence: what is accepted is read again from its own JSON.
func FuzzParseEvidence(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ledger.ParseEvidence(data)
		if err == nil {
			readAgain(t, e, ledger.ParseEvidence)
		}
	})
}

// FuzzReceiptJSON: what is accepted is read again from its own JSON.
func FuzzReceiptJSON(f *testing.F) {
	parse := func(data []byte) (r ledger.Receipt, err error) { return r, json.Unmarshal(data, &r) }
	f.Fuzz(func(t *testing.T, data []byte) {
		var r ledger.Receipt
		if json.Unmarshal(data, &r) == nil && r.Phase != 0 {
			readAgain(t, r, parse)
		}
	})
}

// readAgain writes a value twice with parse in between: both texts are the same.
func readAgain[T any](t *testing.T, value T, parse func([]byte) (T, error)) {
	first, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse(first)
	if err != nil {
		t.Fatalf("%v: %s", err, first)
	}
	second, err := json.Marshal(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%v: %s became %s", err, first, second)
	}
}
