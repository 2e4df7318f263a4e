package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// statuses is every problem that the API answers with: its code, and the HTTP status. Codes are stable; what each means and what to do
// next stands in host/words, for the answer here and for the page /problems/<code>.
var statuses = map[string]int{
	wire.CodeMalformedRequest: http.StatusBadRequest,
	wire.CodeInvalidRequest:   http.StatusUnprocessableEntity,
	wire.CodeUnauthenticated:  http.StatusUnauthorized,
	wire.CodeInvalidKey:       http.StatusUnauthorized,
	wire.CodeExpiredKey:       http.StatusUnauthorized,
	wire.CodeRevokedKey:       http.StatusUnauthorized,
	wire.CodeLoginRequired:    http.StatusUnauthorized,
	wire.CodeForbidden:        http.StatusForbidden,
	edge.CodeCrossOrigin:      http.StatusForbidden,
	wire.CodeNotFound:         http.StatusNotFound,
	wire.CodeUnknownIssuer:    http.StatusNotFound,
	wire.CodeUnknownChannel:   http.StatusNotFound,
	wire.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	wire.CodeElsewhere:        http.StatusConflict,
	wire.CodeFull:             http.StatusConflict,
	wire.CodeOvertaken:        http.StatusConflict,
	wire.CodeMediaType:        http.StatusUnsupportedMediaType,
	wire.CodeTooLarge:         http.StatusRequestEntityTooLarge,
	wire.CodeTooMany:          http.StatusTooManyRequests,
	wire.CodeBadToken:         http.StatusUnprocessableEntity,
	wire.CodeUsedToken:        http.StatusConflict,
	wire.CodeExpiredToken:     http.StatusUnprocessableEntity,
	wire.CodeOtherAudience:    http.StatusUnprocessableEntity,

	wire.CodeLedgerUnavailable: http.StatusServiceUnavailable,
	wire.CodeUncertain:         http.StatusGatewayTimeout,
	wire.CodeInternal:          http.StatusInternalServerError,

	string(validation.UnknownCard):        http.StatusNotFound,
	string(validation.AlreadyUsed):        http.StatusConflict,
	string(validation.Superseded):         http.StatusConflict,
	string(validation.NotInService):       http.StatusConflict,
	string(validation.HistoryLost):        http.StatusConflict,
	string(validation.Revoked):            http.StatusGone,
	string(validation.Moved):              http.StatusGone,
	string(validation.MalformedURL):       http.StatusUnprocessableEntity,
	string(validation.UnsupportedVersion): http.StatusUnprocessableEntity,
	string(validation.UnsignedURL):        http.StatusUnprocessableEntity,
	string(validation.BadSignature):       http.StatusUnprocessableEntity,
	string(validation.RetryMismatch):      http.StatusUnprocessableEntity,
	string(validation.PayloadRejected):    http.StatusUnprocessableEntity,
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
		{lifecycle.ErrRevoked, string(validation.Revoked)},
		{lifecycle.ErrMoved, string(validation.Moved)},
		{lifecycle.ErrNotInService, string(validation.NotInService)},
		{secrets.ErrElsewhere, wire.CodeElsewhere},
		{settings.ErrNoService, string(validation.NotInService)},
		{settings.ErrOvertaken, wire.CodeOvertaken},
		{bundle.ErrTooLarge, wire.CodeTooLarge},
		{notify.ErrUnknownEndpoint, wire.CodeNotFound},
		{notify.ErrTooMany, wire.CodeFull},
		{sandbox.ErrUnknown, string(validation.UnknownCard)},
		{sandbox.ErrTooMany, wire.CodeFull},
		{sandbox.ErrUsedUp, wire.CodeFull},
		{alarm.ErrUnknown, wire.CodeNotFound},
		{alarm.ErrMalformed, wire.CodeInvalidRequest},

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

// faultOf says what can be said of an error.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if busy, ok := errors.AsType[desk.ErrTooMany](err); ok {
		return &fault{code: wire.CodeTooMany, wait: busy.RetryAfter}
	}
	return &fault{code: codeOf(err)}
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
