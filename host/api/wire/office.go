package wire

import (
	"encoding/json"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Log says which ledger this service writes to.
type Log struct {
	Kind        string `json:"kind" doc:"tlog is our own transparency log, stardust an IOTA Stardust network." example:"tlog"`
	Origin      string `json:"origin" doc:"Names the ledger in receipts and policies." example:"productid-1f2e3d4c"`
	VerifierKey string `json:"verifierKey,omitempty" doc:"The key that signs the log's checkpoints, for the policy of whoever trusts it."`
	Size        uint64 `json:"size" doc:"Number of messages that are recorded."`
	MaxMessage  int    `json:"maxMessage" doc:"Bytes that a message has at most."`
	Highest     string `json:"highest" enum:"final,witnessed,anchored" doc:"How far a record can get."`
	Uniqueness  string `json:"uniqueness" doc:"Who sees to it that a tap is recorded once."`
	Retention   string `json:"retention" doc:"How long messages and proofs can be had."`
	Finality    string `json:"finality" doc:"When a record is final."`
	Checkpoint  string `json:"checkpoint,omitempty" doc:"The log's newest signed checkpoint (C2SP tlog-checkpoint), whole."`
	Tiles       string `json:"tiles,omitempty" format:"uri" doc:"Where the log itself is served (C2SP tlog-tiles)."`
}

// Messages are messages of a channel, in order, each with the proof that it is recorded.
type Messages struct {
	Items []Message `json:"items" nullable:"false"`
	Next  *uint64   `json:"next,omitempty" doc:"Give it as from to get what follows; missing at the channel's end."`
	Tiles string    `json:"tiles,omitempty" format:"uri" doc:"Where the log itself is served (C2SP tlog-tiles)."`
}

// Message is one message of a channel.
type Message struct {
	At       Ref             `json:"at" doc:"Where the ledger has it."`
	Body     json.RawMessage `json:"body,omitempty" doc:"What it says; missing in a restricted channel, and when it was removed."`
	Evidence Evidence        `json:"evidence"`
}

// Webhook is an address that events are sent to.
type Webhook struct {
	ID       string    `json:"id"`
	URL      string    `json:"url" format:"uri"`
	Events   []string  `json:"events" nullable:"false" doc:"Kinds of events that are sent."`
	Created  time.Time `json:"created"`
	Failures int       `json:"failures" minimum:"0" doc:"Deliveries in a row that failed; 0 when the last one went well."`
}

// Webhooks is a list of them.
type Webhooks struct {
	Items []Webhook `json:"items" nullable:"false"`
}

// WebhookRequest asks for events to be sent.
type WebhookRequest struct {
	URL    string   `json:"url" minLength:"1" maxLength:"2048" doc:"An https address on the public internet." example:"https://shop.example/productid"`
	Events []string `json:"events,omitempty" nullable:"false" maxItems:"20" enum:"tap.recorded,tap.refused,alarm.raised,report.received,card.revoked" doc:"Kinds of events to send; all where it names none."`
}

// NewWebhook is a webhook with the secret that its deliveries are signed with. It is shown once.
type NewWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"HMAC-SHA-256 key of the header ProductID-Signature. It is not shown again."`
}

// Delivery is one event on its way to one webhook.
type Delivery struct {
	Webhook  string          `json:"webhook,omitempty" doc:"Id of the webhook; missing for a mail."`
	Event    string          `json:"event" doc:"Id of the event: the same in every repetition."`
	Kind     string          `json:"kind" doc:"Kind of the event."`
	Time     time.Time       `json:"time" doc:"When it happened."`
	Data     json.RawMessage `json:"data,omitempty" doc:"What the event says."`
	State    string          `json:"state" enum:"waiting,delivered,given_up"`
	Attempts int             `json:"attempts" minimum:"0" doc:"How often it was tried."`
	Next     *time.Time      `json:"next,omitempty" doc:"When it is tried next."`
	Done     *time.Time      `json:"done,omitempty" doc:"When it was delivered or given up."`
	Error    string          `json:"error,omitempty" doc:"What went wrong the last time."`
}

// Deliveries are the newest ones, the newest first.
type Deliveries struct {
	Items []Delivery `json:"items" nullable:"false"`
}

// Alarm is something about a card that somebody should see to. It is a hint with its evidence, never a verdict.
type Alarm struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind" doc:"gap, preplay, rate, two_places or used_url_again." example:"gap"`
	Card     tap.CardID      `json:"card" pattern:"^[A-Za-z0-9_-]{16}$"`
	Raised   time.Time       `json:"raised"`
	Newest   time.Time       `json:"newest" doc:"When the newest evidence came."`
	Seen     int             `json:"seen" minimum:"1" doc:"In how many checks."`
	Evidence []AlarmEvidence `json:"evidence" nullable:"false" doc:"What it goes by, the oldest first."`
	Settled  *time.Time      `json:"settled,omitempty" doc:"When somebody had seen to it."`
	By       string          `json:"by,omitempty" doc:"Who that was: the id of a person or a key."`
}

// AlarmEvidence is what an alarm goes by, at one check.
type AlarmEvidence struct {
	Time time.Time       `json:"time" doc:"Of the check."`
	Data json.RawMessage `json:"data" doc:"By the alarm's kind."`
}

// Alarms is a list of them, the newest first.
type Alarms struct {
	Items []Alarm `json:"items" nullable:"false"`
	Page
}

// Report is what somebody who held a card told its issuer.
type Report struct {
	ID      string      `json:"id"`
	Card    *tap.CardID `json:"card,omitempty" pattern:"^[A-Za-z0-9_-]{16}$"`
	Code    string      `json:"code,omitempty" doc:"The verdict that he saw."`
	Text    string      `json:"text" doc:"In his words."`
	Contact string      `json:"contact,omitempty" doc:"Where to reach him."`
	Time    time.Time   `json:"time"`
	Settled *time.Time  `json:"settled,omitempty"`
	By      string      `json:"by,omitempty"`
}

// Reports is a list of them, the newest first.
type Reports struct {
	Items []Report `json:"items" nullable:"false"`
	Page
}

// KeyRequest asks for an API key.
type KeyRequest struct {
	Name    string    `json:"name" minLength:"1" maxLength:"100" doc:"What it is for, for those who see the list." example:"till 4"`
	Scopes  []string  `json:"scopes" nullable:"false" minItems:"1" maxItems:"20" enum:"cards:read,cards:write,taps:record,alarms:read,alarms:settle,webhooks:manage,keys:manage,people:manage,issuer:manage,audit:read,sandbox" doc:"What it may do; nothing that who asks may not do himself."`
	Expires time.Time `json:"expires,omitzero" doc:"Until when it is good; without it, for a year."`
}

// Act is something that was administered for an issuer, or at least begun.
type Act struct {
	Number  uint64    `json:"number" doc:"Number of the record on the issuer's audit channel."`
	Time    time.Time `json:"time" doc:"The ledger's time."`
	By      string    `json:"by,omitempty" doc:"Who: the id of a person or an API key."`
	Act     string    `json:"act,omitempty" doc:"What, in one word." example:"card.revoked"`
	Subject string    `json:"subject,omitempty" doc:"To what, by id; empty for the issuer himself."`
	Detail  string    `json:"detail,omitempty" doc:"In words."`
}

// Acts is a list of them, the newest first.
type Acts struct {
	Items []Act `json:"items" nullable:"false"`
	Page
}

// Key is an API key, without the secret.
type Key struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Scopes  []string   `json:"scopes" nullable:"false"`
	Test    bool       `json:"test" doc:"It acts on the sandbox alone."`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"used,omitempty" doc:"When it was used last, give or take a minute."`
	Revoked *time.Time `json:"revoked,omitempty"`
}

// Keys is a list of them.
type Keys struct {
	Items []Key `json:"items" nullable:"false"`
}

// NewKey is an API key that was just made. It is shown once.
type NewKey struct {
	Key
	Token string `json:"token" doc:"To be sent as Authorization: Bearer. It is not shown again." example:"pid_live_…"`
}

// SandboxCardRequest asks for a software card.
type SandboxCardRequest struct {
	Name string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]+$" doc:"What to call it." example:"test watch"`
}

// SandboxCard is a card in software. It proves nothing.
type SandboxCard struct {
	ID      tap.CardID `json:"card" doc:"The card." pattern:"^[A-Za-z0-9_-]{16}$"`
	Name    string     `json:"name" doc:"As whoever made it called it; it stands on no ledger."`
	Made    time.Time  `json:"made"`
	Counter uint32     `json:"counter" maximum:"4294967295" doc:"The last count that it used."`
}

// SandboxCards is a list of them.
type SandboxCards struct {
	Items []SandboxCard `json:"items" nullable:"false"`
}

// SandboxTap is a fresh URL of a software card.
type SandboxTap struct {
	Card tap.CardID `json:"card" pattern:"^[A-Za-z0-9_-]{16}$"`
	URL  string     `json:"url" format:"uri" doc:"What a phone would read; good once."`
}

// ChannelID is a channel's id in a path.
type ChannelID = channel.ID
