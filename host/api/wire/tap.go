package wire

import (
	"encoding/json"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// What may be asked of a tap.
const (
	ActionValidate = "validate" // look, and write nothing
	ActionUpdate   = "update"   // record it: from then on its URL is used up
)

// TapRequest asks for a tap to be checked or recorded.
type TapRequest struct {
	URL     string          `json:"url" minLength:"1" maxLength:"2048" doc:"The URL that the card gave, whole." example:"https://tap.example.com/t?i=sCwcVia7OYj7c7jW&c=00000007&s=…"`
	Action  string          `json:"action" enum:"validate,update" doc:"validate says whether the tap is genuine and unused, and writes nothing; update records it, once."`
	Payload json.RawMessage `json:"payload,omitempty" doc:"Any JSON value but null that fits, with the tap, into one message of the ledger: about 7,000 bytes where getLog tells of 8,192. It stands in the public record of the tap, for everybody and for good. Only with update; where the card has a form, an object of its answers."`
	Place   *Place          `json:"place,omitempty" doc:"Where the card was tapped, when the caller knows. It is kept for alarms and stands on no ledger."`
}

// Place is where something happened, as the caller says.
type Place struct {
	Latitude  float64 `json:"latitude" minimum:"-90" maximum:"90" doc:"Degrees, WGS 84."`
	Longitude float64 `json:"longitude" minimum:"-180" maximum:"180" doc:"Degrees, WGS 84."`
	Name      string  `json:"name,omitempty" maxLength:"200" doc:"In words." example:"Gate 4"`
}

// Verdict is what was found about a tap. It stands in answers, and as members in the problem that a refusal is.
type Verdict struct {
	ID       *tap.CardID `json:"id,omitempty" doc:"The card, once the URL could be read." pattern:"^[A-Za-z0-9_-]{16}$" example:"sCwcVia7OYj7c7jW"`
	Counter  uint32      `json:"counter,omitempty" maximum:"4294967295" doc:"The tap's own count."`
	Unsigned string      `json:"unsigned,omitempty" enum:"exhausted,challenge" doc:"Why the card did not sign, as the URL has it: its counter has come to its end, or it answers challenges only. Anybody can write such a URL."`
	Last     uint32      `json:"last,omitempty" maximum:"4294967295" doc:"Highest counter that is used up now."`
	State    string      `json:"state,omitempty" enum:"in_service,completed,revoked,moved,lost" doc:"State of the card."`
	MovedTo  string      `json:"movedTo,omitempty" doc:"Ledger where the card's life goes on."`

	Registered   *bool `json:"registered,omitempty" doc:"Only with unsigned: whether the card that the URL names is registered here. The members beside it are that card's, whoever wrote the URL."`
	Contradicted bool  `json:"contradicted,omitempty" doc:"Only with unsigned: the card answers challenges only, says the URL, and the ledger holds taps that it signed. So it does not serve this URL."`

	Skipped *record.Range `json:"skipped,omitempty" doc:"Counters between the tap before and this one that nobody recorded: first and last. Each reading counts, so a gap is no sign of a counterfeit."`
	Since   *time.Time    `json:"since,omitempty" doc:"Until when the card's history is known, where the newest part of it was lost."`
	When    *time.Time    `json:"when,omitempty" doc:"The ledger's time of the record that decided: of this tap when it was recorded, of the newer one when it is superseded."`
}

// Tap is the answer about a tap that is good.
type Tap struct {
	Code string `json:"code" enum:"valid,recorded" doc:"valid: genuine, unused, and nothing was written. recorded: from now on the URL is used up."`
	Verdict
	Replayed bool        `json:"replayed,omitempty" doc:"This request was answered before, and this is that answer again."`
	Test     bool        `json:"test" doc:"A card of the sandbox: it proves nothing."`
	Issuer   *channel.ID `json:"issuer,omitempty" doc:"Whose card it is." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Product  *Product    `json:"product,omitempty" doc:"What the card belongs to, as the issuer shows it."`
	Asks     string      `json:"asks,omitempty" enum:"form,login" doc:"What the card wants with an update: the answers to its form, see getCardInfo, or somebody who has identified himself, as an API key does."`
	Channel  *channel.ID `json:"channel,omitempty" doc:"The card's tap channel, where the record stands. Only when recorded." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Receipt  *Receipt    `json:"receipt,omitempty" doc:"Where and when it was recorded. Only when recorded."`
	Evidence *Evidence   `json:"evidence,omitempty" doc:"The record with its proof: checked offline by whoever trusts the ledger's key. Only when recorded."`
	Redirect string      `json:"redirect,omitempty" format:"uri" doc:"The product's own page, with a token that says once and for 60 seconds that this tap was recorded. Only when recorded, and when the card is set to one."`
}

// Product is what a card belongs to, as its issuer shows it.
type Product struct {
	ID   string            `json:"id" doc:"The issuer's word for it."`
	Name string            `json:"name" doc:"Its name."`
	GTIN string            `json:"gtin,omitempty" doc:"GS1 number, 14 digits."`
	URL  string            `json:"url,omitempty" doc:"Its page."`
	Text map[string]string `json:"text,omitempty" doc:"What the issuer says about it, by language."`
}

// RedirectCheck asks whether a visit came through validation.
type RedirectCheck struct {
	Token    string `json:"token" minLength:"1" maxLength:"2048" doc:"Value of the parameter productid of the visited address."`
	Audience string `json:"audience" minLength:"1" maxLength:"300" format:"uri" doc:"Origin of the site that asks, such as https://shop.example." example:"https://shop.example"`
}

// RedirectClaims is what a token says that was good. It is good once.
type RedirectClaims struct {
	Card     tap.CardID `json:"card" doc:"The card that was tapped." pattern:"^[A-Za-z0-9_-]{16}$"`
	Issuer   channel.ID `json:"issuer" doc:"Whose card it is. Every issuer of a service may send visitors to any site: compare it with your own." pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"`
	Test     bool       `json:"test" doc:"A card of the sandbox: it proves nothing."`
	Counter  uint32     `json:"counter" maximum:"4294967295" doc:"The tap's count."`
	Audience string     `json:"audience" doc:"The origin that the visit was for."`
	Issued   time.Time  `json:"issued" doc:"When the visit was sent on."`
	Expires  time.Time  `json:"expires" doc:"Until when the token would have been good."`
}
