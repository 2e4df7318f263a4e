package record_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func TestAuditActReadsBack(t *testing.T) {
	for _, want := range []record.AuditAct{
		{By: "p_7", Act: "card.revoked", Subject: "QfT9ctjONUYl-oL8", Detail: "lost in the post"},
		{By: "p_7", Act: "issuer.changed"},
	} {
		body, err := want.Encode()
		require.NoError(t, err)
		got, err := record.ParseAuditAct(body)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		r, err := record.Parse(body)
		require.NoError(t, err)
		assert.Nil(t, r.Value, "it says nothing of a card")
	}
}

func TestWhatIsNoAuditActIsMalformed(t *testing.T) {
	for _, body := range []string{
		"", "{}", `{"kind":"audit.act"}`, `{"kind":"audit.act","by":"p"}`, `{"kind":"audit.act","act":"a"}`, `{"kind":"audit.act","by":"","act":"a"}`,
		`{"kind":"audit.act","by":"p","act":7}`, `{"kind":"audit.act","by":"p","act":"a","subject":null}`, `{"kind":"tap","by":"p","act":"a"}`,
		`{"kind":"audit.act","by":"p","act":"a","by":"q"}`, `{"kind":"audit.act","By":"p","act":"a"}`,
	} {
		_, err := record.ParseAuditAct([]byte(body))
		assert.ErrorIs(t, err, record.ErrMalformed, body)
	}
	for _, act := range []record.AuditAct{
		{}, {By: "p"}, {By: "p", Act: "\xff"}, {By: "p", Act: "a", Detail: strings.Repeat("x", channel.MaxBody)},
	} {
		_, err := act.Encode()
		assert.ErrorIs(t, err, record.ErrMalformed)
	}
}

// What is read is written again to the same.
func FuzzParseAuditAct(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := record.ParseAuditAct(body)
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed)
			return
		}
		again, err := b.Encode()
		if err != nil { // another spelling is longer
			require.Greater(t, 8*len(body), channel.MaxBody)
			return
		}
		second, err := record.ParseAuditAct(again)
		require.NoError(t, err)
		require.Equal(t, b, second)
	})
}
