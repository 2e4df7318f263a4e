// Package wire holds the bodies of the HTTP API's requests and answers, as the service writes them and its clients read them.
//
// The tags are the API's documentation: host/api makes openapi.json of them, and checks every request against it. Names and
// meanings of members are stable; members may be added, so a reader skips what he does not know. Times are RFC 3339 in UTC.
// Channels, hashes and card ids are base64url without padding.
package wire

import (
	"encoding/json"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

// Limits that requests are held to.
const (
	MinIdempotencyKey = 22       // characters: 128 bits in base64url
	MaxIdempotencyKey = 200      // characters
	MaxBody           = 64 << 10 // bytes of a request, all of it
	MaxURL            = 2048     // characters of a tap URL
	MaxPage           = 100      // things in one answer of a list
)

// Header names that the API has of its own, and one that it shares with others.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderReplayed       = "Idempotency-Replayed" // "true" on an answer that was given before
	HeaderRequestID      = "X-Request-Id"
)

// Ref is a message's place in its channel and on the ledger.
type Ref struct {
	Channel channel.ID   `json:"channel" doc:"Channel of the message." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" example:"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"`
	Number  uint64       `json:"number" doc:"Place in the channel, from 0."`
	Hash    channel.Hash `json:"hash" doc:"SHA-256 of the message's stub." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Index   uint64       `json:"index" doc:"Place in the ledger's order; in a log the number of the leaf."`
	Time    time.Time    `json:"time" doc:"When the ledger recorded it, by its own clock."`
}

// Proof is what proves a recorded message to somebody who trusts the ledger's key.
type Proof struct {
	Kind string `json:"kind" doc:"Format of the text: tlog is C2SP tlog-proof, stardust a block with its Merkle path." example:"tlog"`
	Text string `json:"text" doc:"The proof, to be kept byte for byte."`
}

// Evidence is a message with the proof that it is recorded: saved as a file it is what "productid ledger verify" checks offline.
type Evidence struct {
	Message string        `json:"message,omitempty" doc:"The signed message, base64url. Missing when its payload was removed."`
	Stub    *channel.Stub `json:"stub,omitempty" doc:"What is left of a message whose payload was removed, base64url."`
	Proof   Proof         `json:"proof" doc:"Proof that the ledger holds the message."`
}

// NewEvidence returns the evidence as it stands in an answer. The error is channel.ErrMalformed where there is no message.
func NewEvidence(e ledger.Evidence) (Evidence, error) {
	var v Evidence
	text, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return v, err
}

// Ledger returns the evidence as packages of the ledger take it. The message is genuine then; that the proof holds is for
// ledger.Policy.Verify. The error is that of ledger.ParseEvidence.
func (e Evidence) Ledger() (ledger.Evidence, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return ledger.Evidence{}, err
	}
	return ledger.ParseEvidence(text)
}

// Receipt is what the ledger says about a message that it accepted; the proof of it stands in Evidence.
type Receipt struct {
	Ledger string `json:"ledger" doc:"Origin of the log, or name of the network." example:"productid-1f2e3d4c"`
	Ref
	Phase string `json:"phase" doc:"How far the record is." enum:"final,witnessed,anchored"`
}

// NewReceipt returns the receipt as it stands in an answer.
func NewReceipt(r ledger.Receipt) Receipt {
	return Receipt{Ledger: r.Ledger, Ref: Ref{r.Channel, r.Number, r.Hash, r.Index, r.Time}, Phase: r.Phase.String()}
}

// Page is where a list goes on.
type Page struct {
	Next string `json:"next,omitempty" doc:"Give it as cursor to get what follows; missing at the end of the list."`
}

// Issuer is who lists cards.
type Issuer struct {
	ID      channel.ID `json:"id" doc:"The issuer's channel, which names it." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Name    string     `json:"name" doc:"As the issuer calls itself on the ledger." example:"Bell GmbH"`
	URL     string     `json:"url" doc:"The issuer's own address." example:"https://bell.example"`
	Website string     `json:"website,omitempty" doc:"Where to read about the issuer, as it set it here."`
	Support string     `json:"support,omitempty" doc:"Where to ask the issuer."`
	Test    bool       `json:"test" doc:"Whether it is the sandbox: its cards are software and prove nothing."`
	Opened  Ref        `json:"opened" doc:"Where the ledger says so."`
	Place   string     `json:"place,omitempty" doc:"Ledger it moved to, of an issuer that moved."`
	Status  string     `json:"statusList" doc:"Where its list of revoked cards is." format:"uri"`
}

// Issuers is a list of issuers.
type Issuers struct {
	Items []Issuer `json:"items" nullable:"false"`
}

// CardID is a card's id in a path.
type CardID = tap.CardID
