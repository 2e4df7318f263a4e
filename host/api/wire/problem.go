package wire

// MediaProblem is the media type of a Problem (RFC 9457).
const MediaProblem = "application/problem+json"

// Problem is what every answer is that is no success (RFC 9457). Machines branch on Code; the other texts are for people and may
// change. The members of Verdict are filled where a tap was refused.
type Problem struct {
	Type      string  `json:"type" format:"uri" doc:"Page that explains the problem; ends in its code." example:"https://tap.example.com/problems/already_used"`
	Title     string  `json:"title" doc:"What the code is called." example:"Already used"`
	Status    int     `json:"status" minimum:"400" maximum:"599" doc:"The HTTP status."`
	Code      string  `json:"code" pattern:"^[a-z0-9_]+$" doc:"The problem in one stable word." example:"already_used"`
	Detail    string  `json:"detail,omitempty" doc:"What happened."`
	Next      string  `json:"next,omitempty" doc:"What to do now."`
	RequestID string  `json:"requestId,omitempty" doc:"Names this request in the service's log."`
	Errors    []Field `json:"errors,omitempty" nullable:"false" doc:"What is wrong with the request, member by member."`
	// RetryAfter is also the header of that name.
	RetryAfter int `json:"retryAfter,omitempty" minimum:"1" doc:"Seconds after which it makes sense to try again."`
	Verdict
}

// Field says what is wrong with one member of a request. The value itself is not repeated: it may be a secret.
type Field struct {
	Location string `json:"location,omitempty" doc:"Where it stands, such as body.url, query.limit or path.id." example:"body.url"`
	Message  string `json:"message" doc:"What is wrong with it."`
}

// The codes of problems that are no verdict on a tap; those are validation's.
const (
	CodeMalformedRequest  = "malformed_request"
	CodeInvalidRequest    = "invalid_request"
	CodeUnauthenticated   = "unauthenticated"
	CodeInvalidKey        = "invalid_key"
	CodeExpiredKey        = "expired_key"
	CodeRevokedKey        = "revoked_key"
	CodeLoginRequired     = "login_required"
	CodeForbidden         = "forbidden"
	CodeNotFound          = "not_found"
	CodeUnknownIssuer     = "unknown_issuer"
	CodeUnknownChannel    = "unknown_channel"
	CodeMethodNotAllowed  = "method_not_allowed"
	CodeOvertaken         = "overtaken"
	CodeElsewhere         = "elsewhere"
	CodeFull              = "full"
	CodeMediaType         = "unsupported_media_type"
	CodeTooLarge          = "too_large"
	CodeTooMany           = "too_many"
	CodeBadToken          = "bad_token"
	CodeUsedToken         = "used_token"
	CodeExpiredToken      = "expired_token"
	CodeOtherAudience     = "other_audience"
	CodeLedgerUnavailable = "ledger_unavailable"
	CodeUncertain         = "uncertain"
	CodeInternal          = "internal"
)
