package record

// KindAuditAct is the kind of the record that says what somebody administered. It decides nothing of a card, so Fold ignores it
// and Parse gives it no Value; ParseAuditAct reads it.
const KindAuditAct = "audit.act"

// AuditAct is what somebody is about to do for an issuer: a message of the issuer's restricted audit channel, written before it is
// done. What was done is recorded; what is recorded may have been broken off.
type AuditAct struct {
	By      string `json:"by"`                // who: the stable id of a person or an API key, no name
	Act     string `json:"act"`               // what, in one stable word such as "card.revoked"
	Subject string `json:"subject,omitempty"` // to what: a card, a key, a person, by id
	Detail  string `json:"detail,omitempty"`  // in words
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b AuditAct) Encode() ([]byte, error) { return encode(KindAuditAct, b) }

func (b AuditAct) check() error {
	if b.By == "" || b.Act == "" {
		return malformed("want by and act")
	}
	return checkTexts(b.By, b.Act, b.Subject, b.Detail)
}

// ParseAuditAct reads a body that is such a record. The error is ErrMalformed.
func ParseAuditAct(body []byte) (AuditAct, error) { return readAs[AuditAct](body, KindAuditAct) }
