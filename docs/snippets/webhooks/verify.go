// Package webhooks reads deliveries of ProductID's webhooks and checks that they come from there. It is one file without
// dependencies: copy it. docs/webhooks.md explains it.
package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrBadDelivery says that a request is no delivery signed with this secret, or an old one.
var ErrBadDelivery = errors.New("no delivery signed with this secret")

// Event is what a delivery tells. One that comes again has the same ID: do what it asks for once.
type Event struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Issuer string          `json:"issuer"`
	Time   time.Time       `json:"time"`
	Data   json.RawMessage `json:"data"`
}

const (
	maxBody = 64 << 10
	maxAge  = 5 * time.Minute
)

// Read returns the event of a request, once its signature was checked. secret is the text that was shown when the webhook was added, now
// the time. The error is ErrBadDelivery, or that of reading the body.
func Read(r *http.Request, secret string, now time.Time) (Event, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return Event{}, err
	}
	if len(body) > maxBody || !Signed(r.Header.Get("ProductID-Signature"), body, secret, now) {
		return Event{}, ErrBadDelivery
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, ErrBadDelivery
	}
	return e, nil
}

// Signed reports whether a header t=<Unix seconds>,v1=<HMAC in hexadecimal digits> signs these very bytes, and not long ago. There may be
// several v1, and fields of other names, which mean nothing here.
func Signed(header string, body []byte, secret string, now time.Time) bool {
	var timestamp string
	var signatures []string
	for _, field := range strings.Split(header, ",") {
		switch name, value, _ := strings.Cut(field, "="); {
		case name == "t" && timestamp != "":
			return false
		case name == "t":
			timestamp = value
		case name == "v1":
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > maxAge {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, s := range signatures {
		if got, err := hex.DecodeString(s); err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
