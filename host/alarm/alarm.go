// Package alarm keeps what was asked about cards and raises alarms about what is strange in it: counters that nobody recorded, and
// that turn up later; a card that is tapped too often, or in two places at once; a used URL that is offered again elsewhere.
//
// An alarm is a hint with its evidence, never a verdict: what a tap is worth is decided on the ledger alone.
//
// # What is kept
//
// Checks are kept for [Kept], then forgotten. Of a tap URL the signature is never kept, and of a client's network only an HMAC under
// a key derived from the master secret: it tells whether two checks came from one network, and not from which.
//
// # Durability
//
// A check is on the disk when [Watch.Observe] returns nil, with the alarm that it raised. Others are told of an alarm after that, at
// the latest by [Watch.Run] after a restart, under the same event id however often.
//
// # Concurrency
//
// A [Watch] may be used by many goroutines, and several processes may share a database: there is one open alarm of a kind for a
// card, which gathers what comes to it.
package alarm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the name of the tables' schema in a PostgreSQL database.
const schema = "alarm"

// Kept is how long checks are kept, and reports that were settled.
const Kept = 90 * 24 * time.Hour

var (
	// ErrUnknown says that the issuer has no such alarm or report.
	ErrUnknown = errors.New("there is no such alarm or report")
	// ErrMalformed refuses an observation, a report or a filter that does not hold what it must.
	ErrMalformed = errors.New("malformed")
)

// Publisher tells others; *notify.Service is one. What it was told before, under the same id, it tells nobody again.
type Publisher interface {
	Publish(ctx context.Context, e notify.Event) error
}

// Limits are from where on something is strange. A zero field has the value named.
type Limits struct {
	Gap  uint32        // counters that one tap skips: 10
	Taps int           // different taps of one card within Window: 20
	Per  time.Duration // 10 minutes
	// Speed in km/h is how fast a card can travel: 900. Places that are less than Near kilometres apart, 10, are one.
	Speed, Near float64
}

func (l Limits) filled() Limits {
	if l.Gap == 0 {
		l.Gap = 10
	}
	if l.Taps == 0 {
		l.Taps = 20
	}
	if l.Per == 0 {
		l.Per = 10 * time.Minute
	}
	if l.Speed == 0 {
		l.Speed = 900
	}
	if l.Near == 0 {
		l.Near = 10
	}
	return l
}

// Options is what a Watch works with. Master and Now are needed.
type Options struct {
	Master  channel.Seed // the networks' hashes are made under a key derived from it
	Publish Publisher    // nil: nobody is told
	Now     func() time.Time
	Limits  Limits
	Log     *slog.Logger
}

// Watch keeps checks and raises alarms.
type Watch struct {
	Options
	networks [32]byte
	db       *store.DB
	writer   *store.Writer[Observation, kept]

	insert, rate, place, use *sql.Stmt // of the tap path
}

// Open opens or creates the database, which is named as for store.Open, and whose errors are those.
func Open(ctx context.Context, name string, o Options) (*Watch, error) {
	o.Limits = o.Limits.filled()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening alarms: %w", err)
	}
	w := &Watch{Options: o, networks: channel.DeriveKey(o.Master, "networks of checks")}
	if w.db, err = store.Open(ctx, name, store.Options{Migrations: files, Schema: schema}); err != nil {
		return nil, fmt.Errorf("opening alarms: %w", err)
	}
	for statement, text := range map[**sql.Stmt]string{&w.insert: insertCheck, &w.rate: selectRate, &w.place: selectPlace, &w.use: selectUse} {
		if *statement, err = w.db.Prepare(ctx, text); err != nil {
			return nil, errors.Join(fmt.Errorf("opening alarms: %w", store.Explain(err)), w.db.Close())
		}
	}
	w.writer = store.NewWriter(w.db, w.observe)
	return w, nil
}

// Close ends the writing and closes the database. Run is to be ended before.
func (w *Watch) Close() error {
	w.writer.Close()
	return w.db.Close()
}

// Place is where a card was tapped, as the caller says.
type Place struct {
	Latitude  float64 `json:"latitude"` // degrees, WGS 84
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
}

// Check says whether a check can be kept with the place. The error is ErrMalformed.
func (p Place) Check() error {
	if !(p.Latitude >= -90 && p.Latitude <= 90 && p.Longitude >= -180 && p.Longitude <= 180) {
		return fmt.Errorf("place: %w: want degrees from -90 to 90 and from -180 to 180", ErrMalformed)
	}
	return checkText("name of the place", p.Name, 200)
}

// Verdict is of validation's verdict what matters here.
type Verdict struct {
	Code     string // a validation.Code
	Counter  uint32
	Skipped  *record.Range
	Replayed bool
}

// Observation is one tap URL that was shown to the service, and what was found.
type Observation struct {
	Card    record.Card
	Verdict Verdict
	Place   *Place    // nil where the caller did not say
	Network string    // of the client, as edge.Network writes it; "" where it is not known
	Time    time.Time // of the check
	Channel string    // web or api
}

// The codes of validation that alarms go by: all of them are of URLs that the card signed.
const (
	codeValid       = "valid"
	codeRecorded    = "recorded"
	codeAlreadyUsed = "already_used"
	codeSuperseded  = "superseded"
)

// channelWeb is where people come themselves, each from a network of his own.
const channelWeb = "web"

// fresh reports whether the tap was not used before: then somebody has read the card for it.
func (o Observation) fresh() bool {
	return o.Verdict.Code == codeValid || o.Verdict.Code == codeRecorded && !o.Verdict.Replayed
}

func (o Observation) check() error {
	if o.Verdict.Code == "" || o.Card.Issuer == (channel.ID{}) {
		return fmt.Errorf("%w: want a card and a code", ErrMalformed)
	}
	if err := checkText("channel", o.Channel, 20); err != nil {
		return err
	}
	if o.Place == nil {
		return nil
	}
	return o.Place.Check()
}

// Observe keeps a check, and raises the alarms that it gives reason for. Errors: ErrMalformed, or those of store.Writer.
//
// It also tells that a tap was recorded, or refused: once, here. What is not told because the publisher does not answer, or a crash
// came before, is told never; the ledger has the tap all the same. Of alarms the opposite holds.
func (w *Watch) Observe(ctx context.Context, o Observation) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("keeping a check of card %v: %w", o.Card.ID, err)
	}
	k, err := w.writer.Do(ctx, o)
	if err != nil {
		return fmt.Errorf("keeping a check of card %v: %w", o.Card.ID, err)
	}
	if w.Publish != nil {
		w.tell(ctx, o, k)
	}
	return nil
}

// tell publishes what came of a check. It fails nobody's tap.
func (w *Watch) tell(ctx context.Context, o Observation, k kept) {
	for _, e := range k.raised {
		if err := w.publish(ctx, e); err != nil {
			w.Log.Warn("an alarm is told later", "event", e.ID, "error", err)
		}
	}
	e, is, err := o.event(k.id)
	if err == nil && is {
		err = w.Publish.Publish(ctx, e)
	}
	if err != nil {
		w.Log.Warn("a tap is not told", "card", o.Card.ID, "error", err)
	}
}

// network returns what is kept of a client's network.
func (w *Watch) network(text string) []byte {
	if text == "" {
		return []byte{}
	}
	mac := hmac.New(sha256.New, w.networks[:])
	mac.Write([]byte(text))
	return mac.Sum(nil)[:16]
}
