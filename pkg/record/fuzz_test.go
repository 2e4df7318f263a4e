package record_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// What Parse lets through is JSON to every reader, says its kind in so many words, and reads back from its own encoding.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := record.Parse(body)
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed)
			return
		}
		require.True(t, utf8.Valid(body) && json.Valid(body))
		var members map[string]any
		require.NoError(t, json.Unmarshal(body, &members))
		require.Equal(t, r.Kind, members["kind"])
		encoder, known := r.Value.(interface{ Encode() ([]byte, error) })
		if !known {
			return
		}
		again, err := encoder.Encode()
		require.NoError(t, err)
		second, err := record.Parse(again)
		require.NoError(t, err)
		twice, err := second.Value.(interface{ Encode() ([]byte, error) }).Encode()
		require.NoError(t, err)
		require.Equal(t, string(again), string(twice))
	})
}

// Whatever the operator writes to the channels it holds: no tap counts that the card did not sign, and no counter goes back.
func FuzzFold(f *testing.F) {
	card, signed := taptest.NewCard("card"), [][]byte{}
	issuer, taps := recordtest.NewChain("issuer"), recordtest.NewChain("taps")
	beginning := []channel.Message{
		issuer.Say(recordtest.Body(recordtest.Opened("issuer"))),
		issuer.Say(recordtest.Body(recordtest.Registered(card, issuer.ID(), taps.ID()))),
		taps.Say(recordtest.Body(recordtest.InService(3))),
	}
	for counter := uint32(4); counter < 8; counter++ {
		signed = append(signed, recordtest.Tapped(card, counter).Signature)
	}
	f.Fuzz(func(t *testing.T, toIssuer, first, second, third []byte) {
		issuer, taps := *issuer, *taps // each run goes on from the same beginning
		s := &story{t: t, Map: record.NewMap(), card: card}
		for _, m := range beginning {
			s.tell(m)
		}
		bodies := [][]byte{first, second, third}
		for _, body := range bodies {
			if len(body) > channel.MaxBody || len(toIssuer) > channel.MaxBody {
				return
			}
		}
		foldAnything(s, issuer.Say(toIssuer))
		for _, body := range bodies {
			before := s.theCard()
			foldAnything(s, taps.Say(body))
			after := s.theCard()
			require.GreaterOrEqual(t, after.Last, before.Last)
			require.Equal(t, before.Key, after.Key)
			if after.Recorded != before.Recorded {
				require.Greater(t, after.Last, before.Last)
				require.True(t, isOneOf(body, signed), "%s", body)
			}
		}
		_, err := s.Dump()
		require.NoError(t, err)
	})
}

// foldAnything lets ErrMust be: then nothing after is folded on that channel.
func foldAnything(s *story, m channel.Message) {
	if err := record.Fold(s, entry(m, s.next)); err != nil {
		require.ErrorIs(s.t, err, record.ErrMust)
	}
	s.next++
}

// isOneOf reports whether the record of a tap holds one of the signatures, with either s.
func isOneOf(body []byte, signatures [][]byte) bool {
	r, err := record.Parse(body)
	if err != nil {
		return false
	}
	b, isTap := r.Value.(record.Tap)
	low := b.URL().CanonicalSignature(tap.P256)
	return isTap && slices.ContainsFunc(signatures, func(s []byte) bool { return bytes.Equal(s, low) })
}
