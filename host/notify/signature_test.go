package notify

import (
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// The value is fixed here so that no change of the code changes what receivers check.
func TestSignatureIsOverTimestampAndBody(t *testing.T) {
	const secret, body = Secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), `{"id":"alarm-1"}`
	at := time.Unix(1_800_000_000, 0)
	header := signature(secret, at, []byte(body))
	assert.Equal(t, "t=1800000000,v1=77579af815d7d05daaf848fa7b40d0faa7ce72fcfa229555ba401bdea247eb8f", header)
	value := strings.TrimPrefix(header, "t=1800000000,v1=")
	for _, good := range []string{header, "v1=" + value + ",t=1800000000", "t=1800000000,v0=x,v1=" + value, "t=1800000000,v1=00,v1=" + value, "t=1800000000,x,v1=" + value} {
		assert.NoError(t, CheckSignature(secret, good, []byte(body), at), good)
	}
	for _, bad := range []string{
		"", "t=1800000000", "v1=" + value, "t=1800000001,v1=" + value, "t=1800000000,v1=" + value[1:], "t=1800000000,v2=" + value, "t=1800000000,v1=" + value + "00",
		"t=01800000000,v1=" + value, "t=1800000000,t=1800000000,v1=" + value, "t=,v1=" + value, "t=-1,v1=" + value, "t=99999999999999999999,v1=" + value, "t=1800000000 ,v1=" + value,
	} {
		assert.ErrorIs(t, CheckSignature(secret, bad, []byte(body), at), ErrBadSignature, bad)
	}
	assert.ErrorIs(t, CheckSignature(secret, header, []byte(body+" "), at), ErrBadSignature)
	for _, off := range []time.Duration{Age, -Age} {
		assert.NoError(t, CheckSignature(secret, header, []byte(body), at.Add(off)))
		assert.ErrorIs(t, CheckSignature(secret, header, []byte(body), at.Add(off+off/1000)), ErrBadSignature, "an old delivery shown again")
	}
}
