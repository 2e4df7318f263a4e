package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery.
const (
	HeaderSignature = "ProductID-Signature" // t=<Unix seconds>,v1=<HMAC-SHA-256 in hexadecimal digits>
	HeaderEvent     = "ProductID-Event"     // id of the event: the same in each repetition
)

// Age is how old a delivery may be for CheckSignature, by either clock.
const Age = 5 * time.Minute

// ErrBadSignature says that a request is no delivery under this secret, or an old one.
var ErrBadSignature = errors.New("no webhook delivery signed with this secret")

// signature returns the header that signs a body at a time.
func signature(secret Secret, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

// mac is over the timestamp, a full stop and the body. The key is the secret's text, as it was shown.
func mac(secret Secret, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(string(secret)))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// CheckSignature is what a receiver does with the header HeaderSignature before he looks at the body. Signatures of other versions than
// v1 mean nothing to it, of several v1 one has to hold. The error is ErrBadSignature.
func CheckSignature(secret Secret, header string, body []byte, now time.Time) error {
	timestamp, signatures := parseSignature(header)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return fmt.Errorf("%w: no timestamp", ErrBadSignature)
	}
	want := mac(secret, timestamp, body)
	for _, s := range signatures {
		got, err := hex.DecodeString(s)
		if err != nil || !hmac.Equal(got, want) {
			continue
		}
		if age := now.Sub(time.Unix(seconds, 0)); age > Age || age < -Age {
			return fmt.Errorf("%w: sent at another time", ErrBadSignature)
		}
		return nil
	}
	return fmt.Errorf("%w: no signature v1 holds", ErrBadSignature)
}

// parseSignature reads the one timestamp and the signatures of version 1.
func parseSignature(header string) (timestamp string, signatures []string) {
	for _, field := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch {
		case name == "t" && timestamp == "":
			timestamp = value
		case name == "t":
			return "", nil
		case name == "v1":
			signatures = append(signatures, value)
		}
	}
	return timestamp, signatures
}
