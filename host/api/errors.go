package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// kind is what all problems with one code have in common.
type kind struct {
	status int
	title  string // what it means, in one sentence
	next   string // what to do now
}

// kinds is every problem that the API answers with, by its code. Codes are stable; each has a page /problems/<code>.
var kinds = map[string]kind{
	wire.CodeMalformedRequest: {http.StatusBadRequest, "the request could not be read", "send a JSON object in UTF-8, no member twice, with Content-Type: application/json"},
	wire.CodeInvalidRequest:   {http.StatusUnprocessableEntity, "the request does not say what it should", "see errors for what is wrong with each member, and /openapi.json for what is wanted"},
	wire.CodeUnauthenticated:  {http.StatusUnauthorized, "nobody showed who asks", "send an API key: Authorization: Bearer pid_…"},
	wire.CodeInvalidKey:       {http.StatusUnauthorized, "there is no such API key", "check the key; it was shown once, when it was made"},
	wire.CodeExpiredKey:       {http.StatusUnauthorized, "the API key has expired", "make a new one"},
	wire.CodeRevokedKey:       {http.StatusUnauthorized, "the API key was revoked", "make a new one"},
	wire.CodeLoginRequired:    {http.StatusUnauthorized, "the card wants to know who taps it", "open the tap URL in a browser and sign in there"},
	wire.CodeForbidden:        {http.StatusForbidden, "whoever asks may not do this", "take a key of the card's issuer that has the scope; a test key acts on the sandbox alone"},
	edge.CodeCrossOrigin:      {http.StatusForbidden, "a page of another site sent this on behalf of its visitor", "send it from the service's own pages, or with an API key and without a browser"},
	wire.CodeNotFound:         {http.StatusNotFound, "there is no such thing", "check the path and the id; /openapi.json lists what there is"},
	wire.CodeUnknownIssuer:    {http.StatusNotFound, "this service knows no issuer with that channel", "GET /v1/issuers lists them"},
	wire.CodeUnknownChannel:   {http.StatusNotFound, "the channel has no message on this ledger", "check the channel; GET /v1/log says which ledger this is"},
	wire.CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "this cannot be done there", "the header Allow names what can"},
	wire.CodeOvertaken:        {http.StatusConflict, "somebody made a newer change meanwhile", "read what is in force now, and decide again"},
	wire.CodeMediaType:        {http.StatusUnsupportedMediaType, "the body is of a type that is not read here", "send Content-Type: application/json"},
	wire.CodeTooLarge:         {http.StatusRequestEntityTooLarge, "the request or what it asks for is too large", "send less than 64 KiB; record the SHA-256 of what is larger"},
	wire.CodeTooMany:          {http.StatusTooManyRequests, "too many requests for now", "wait as long as Retry-After says"},
	wire.CodeBadToken:         {http.StatusUnprocessableEntity, "this is no token of this service", "show your generic page"},
	wire.CodeUsedToken:        {http.StatusConflict, "the token was shown before", "show your generic page: a token is good once"},
	wire.CodeExpiredToken:     {http.StatusUnprocessableEntity, "the token has expired", "show your generic page: a token is good for 60 seconds"},
	wire.CodeOtherAudience:    {http.StatusUnprocessableEntity, "the token is for another site", "ask with the origin of your own site as audience"},

	wire.CodeLedgerUnavailable: {http.StatusServiceUnavailable, "the ledger does not answer; nothing was written", "try again later"},
	wire.CodeUncertain:         {http.StatusGatewayTimeout, "nobody knows yet whether it was recorded", "send the same request with the same Idempotency-Key: it finds out. Without one the tap may answer already_used"},
	wire.CodeInternal:          {http.StatusInternalServerError, "the service failed", "try again; if it stays, tell whoever runs the service the requestId"},

	string(validation.UnknownCard):        {http.StatusNotFound, "no issuer on this ledger registered this card", "do not trust the card, unless you expected it on another ledger"},
	string(validation.AlreadyUsed):        {http.StatusConflict, "this very tap was recorded before", "tap the card again: a genuine card gives a new URL each time"},
	string(validation.Superseded):         {http.StatusConflict, "a newer tap of this card was recorded, this one never", "tap the card again; an old URL kept back looks like this"},
	string(validation.NotInService):       {http.StatusConflict, "the card is registered and not in service", "its issuer has to finish it"},
	string(validation.HistoryLost):        {http.StatusConflict, "the ledger lost this card's newest taps: nobody knows whether this one was used", "its issuer has to read the card once more"},
	string(validation.Revoked):            {http.StatusGone, "the issuer revoked this card", "do not accept it; ask the issuer"},
	string(validation.Moved):              {http.StatusGone, "the card's life goes on on another ledger", "ask there: movedTo names it"},
	string(validation.MalformedURL):       {http.StatusUnprocessableEntity, "this is no tap URL", "send the URL whole, as the card gave it"},
	string(validation.UnsupportedVersion): {http.StatusUnprocessableEntity, "the card speaks a later version than this service knows", "ask its issuer for a service that is newer"},
	string(validation.UnsignedURL):        {http.StatusUnprocessableEntity, "the card cannot or must not sign taps; it is no counterfeit", "do not take it for a tap: the card has to be asked itself"},
	string(validation.BadSignature):       {http.StatusUnprocessableEntity, "the card with this id did not make this URL", "do not trust it: it was changed or made up"},
	string(validation.RetryMismatch):      {http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request", "take a new key for a new request"},
	string(validation.PayloadRejected):    {http.StatusUnprocessableEntity, "what was to be recorded with the tap is not what the card takes", "see errors; the tap was not used up"},
}

// causes says which problem an error is; the first that fits. What may have been done stands first: it must never be called undone.
func causes() []cause {
	return []cause{
		{ledger.ErrUncertain, wire.CodeUncertain},
		{store.ErrUncertain, wire.CodeUncertain},
		{identity.ErrUnauthenticated, wire.CodeUnauthenticated},
		{identity.ErrUnknownKey, wire.CodeInvalidKey},
		{identity.ErrExpiredKey, wire.CodeExpiredKey},
		{identity.ErrRevokedKey, wire.CodeRevokedKey},
		{identity.ErrSandboxOnly, wire.CodeForbidden},
		{identity.ErrForeignIssuer, wire.CodeForbidden},
		{identity.ErrForbidden, wire.CodeForbidden},
		{registry.ErrUnknownCard, string(validation.UnknownCard)},
		{registry.ErrUnknownIssuer, wire.CodeUnknownIssuer},
		{ledger.ErrNoChannel, wire.CodeUnknownChannel},
		{redirect.ErrBadToken, wire.CodeBadToken},
		{redirect.ErrOtherAudience, wire.CodeOtherAudience},
		{redirect.ErrExpiredToken, wire.CodeExpiredToken},
		{redirect.ErrUsedToken, wire.CodeUsedToken},
		{settings.ErrNoService, string(validation.NotInService)},
		{settings.ErrOvertaken, wire.CodeOvertaken},
		{bundle.ErrTooLarge, wire.CodeTooLarge},

		// Whoever runs the service has to see to these; to the caller they are all one: no answer, and nothing written.
		{ledger.ErrUnavailable, wire.CodeLedgerUnavailable},
		{store.ErrNotWritten, wire.CodeLedgerUnavailable},
		{store.ErrUnavailable, wire.CodeLedgerUnavailable},
		{store.ErrBusy, wire.CodeLedgerUnavailable},
		{registry.ErrOtherHistory, wire.CodeLedgerUnavailable},
		{validation.ErrUnreadable, wire.CodeLedgerUnavailable},
		{settings.ErrUnreadable, wire.CodeLedgerUnavailable},
		{record.ErrMust, wire.CodeLedgerUnavailable},
		{context.DeadlineExceeded, wire.CodeLedgerUnavailable},
		{context.Canceled, wire.CodeLedgerUnavailable},
	}
}

type cause struct {
	err  error
	code string
}

// codeOf finds the problem that an error is.
func codeOf(err error) string {
	for _, c := range causes() {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return wire.CodeInternal
}

// fault is a refusal that says more than its code.
type fault struct {
	code    string
	detail  string
	fields  []wire.Field
	verdict wire.Verdict
	wait    time.Duration // after which it makes sense to try again
	header  http.Header
}

// Error is for logs.
func (f *fault) Error() string {
	if f.detail == "" {
		return f.code
	}
	return f.code + ": " + f.detail
}

// invalid refuses a member of a request that the schema alone cannot refuse.
func invalid(location, message string) error {
	return &fault{code: wire.CodeInvalidRequest, fields: []wire.Field{{Location: location, Message: message}}}
}
