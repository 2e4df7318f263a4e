package alarm

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/store"
)

// The kinds of alarms.
const (
	Gap          = "gap"            // a tap skipped many counters: somebody read the card and recorded none of it
	PrePlay      = "preplay"        // a skipped counter turned up later: it was read before and shown after
	Rate         = "rate"           // a card is tapped too often
	TwoPlaces    = "two_places"     // a card was farther apart than it can travel
	UsedURLAgain = "used_url_again" // a URL that was used up is shown again, from another network
)

// Kinds returns the kinds of alarms.
func Kinds() []string { return []string{Gap, PrePlay, Rate, TwoPlaces, UsedURLAgain} }

// GapEvidence is what an alarm of the kind Gap goes by.
type GapEvidence struct {
	Counter uint32 `json:"counter"` // of the tap
	From    uint32 `json:"from"`    // the counters that it skipped
	To      uint32 `json:"to"`
}

// PrePlayEvidence is what an alarm of the kind PrePlay goes by.
type PrePlayEvidence struct {
	Counter    uint32    `json:"counter"`    // that turned up
	From       uint32    `json:"from"`       // the counters that were skipped
	To         uint32    `json:"to"`         //
	RecordedAt time.Time `json:"recordedAt"` // when the tap behind them was
	Recorded   uint32    `json:"recorded"`   // its counter
}

// RateEvidence is what an alarm of the kind Rate goes by.
type RateEvidence struct {
	Taps    int `json:"taps"` // different ones
	Minutes int `json:"minutes"`
}

// TwoPlacesEvidence is what an alarm of the kind TwoPlaces goes by.
type TwoPlacesEvidence struct {
	First      Place     `json:"first"`
	FirstAt    time.Time `json:"firstAt"`
	Second     Place     `json:"second"`
	SecondAt   time.Time `json:"secondAt"`
	Kilometres int       `json:"kilometres"`
}

// UsedURLAgainEvidence is what an alarm of the kind UsedURLAgain goes by.
type UsedURLAgainEvidence struct {
	Counter uint32    `json:"counter"`
	UsedAt  time.Time `json:"usedAt"`
}

const (
	insertCheck = `INSERT INTO checks (id, issuer, card, code, fresh, counter, time, channel, network, placed, latitude, longitude, place)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	// A card that is hammered with one URL costs no more than this many rows to look at.
	selectRate = `SELECT count(DISTINCT counter) FROM
		(SELECT counter FROM checks WHERE card = $1 AND time > $2 AND fresh = 1 ORDER BY time DESC LIMIT 200) AS newest`
	selectPlace = `SELECT latitude, longitude, place, time FROM checks
		WHERE card = $1 AND placed = 1 AND fresh = 1 ORDER BY id DESC LIMIT 1`
	selectUse = "SELECT network, time FROM checks WHERE card = $1 AND counter = $2 AND code = 'recorded' ORDER BY time LIMIT 1"
)

// batch is one transaction that keeps checks.
type batch struct {
	*Watch
	ctx    context.Context
	tx     *sql.Tx
	raised []notify.Event // by the check in hand
}

// kept is what came of a check: its number, and the alarms that it raised.
type kept struct {
	id     int64
	raised []notify.Event
}

// observe keeps a batch of checks.
func (w *Watch) observe(ctx context.Context, tx *sql.Tx, all []Observation) ([]store.Result[kept], error) {
	b := &batch{Watch: w, ctx: ctx, tx: tx}
	id, err := take(ctx, tx, "checks", len(all))
	if err != nil {
		return nil, err
	}
	results := make([]store.Result[kept], len(all))
	for i, o := range all {
		b.raised = nil
		if err := b.keep(id+int64(i), o); err != nil {
			return nil, fmt.Errorf("check of card %v: %w", o.Card.ID, err)
		}
		results[i].Value = kept{id + int64(i), b.raised}
	}
	return results, nil
}

// take returns the first of n numbers of a sequence that nobody else gets.
func take(ctx context.Context, tx *sql.Tx, name string, n int) (int64, error) {
	_, err := tx.ExecContext(ctx, "INSERT INTO sequence (name, next) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET next = sequence.next + $3", name, n+1, n)
	if err != nil {
		return 0, err
	}
	var next int64
	err = tx.QueryRowContext(ctx, "SELECT next FROM sequence WHERE name = $1", name).Scan(&next)
	return next - int64(n), err
}

// keep looks for what is strange in a check, in the light of those before, and keeps it.
func (b *batch) keep(id int64, o Observation) error {
	network := b.network(o.Network)
	look := []func(Observation) error{b.lookForGap, b.lookForTwoPlaces,
		func(o Observation) error { return b.lookForPrePlay(o, network) },
		func(o Observation) error { return b.lookForUsedURL(o, network) }}
	for _, f := range look {
		if err := f(o); err != nil {
			return err
		}
	}
	var placed, latitude, longitude int64
	var place string
	if o.Place != nil {
		placed, latitude, longitude, place = 1, micro(o.Place.Latitude), micro(o.Place.Longitude), o.Place.Name
	}
	fresh := 0
	if o.fresh() {
		fresh = 1
	}
	_, err := b.tx.StmtContext(b.ctx, b.insert).ExecContext(b.ctx, id, o.Card.Issuer[:], o.Card.ID[:], o.Verdict.Code, fresh,
		int64(o.Verdict.Counter), o.Time.UnixMilli(), o.Channel, network, placed, latitude, longitude, place)
	if err != nil {
		return err
	}
	return b.lookForRate(o)
}

func micro(degrees float64) int64 { return int64(math.Round(degrees * 1e6)) }

func (b *batch) lookForGap(o Observation) error {
	s := o.Verdict.Skipped
	if s == nil || !o.fresh() {
		return nil
	}
	if o.Verdict.Code == codeRecorded {
		_, err := b.tx.ExecContext(b.ctx, "INSERT INTO skipped (card, last, first, counter, time) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (card, last) DO NOTHING",
			o.Card.ID[:], int64(s[1]), int64(s[0]), int64(o.Verdict.Counter), o.Time.UnixMilli())
		if err != nil {
			return err
		}
	}
	if s[1]-s[0]+1 < b.Limits.Gap {
		return nil
	}
	return b.raise(o, Gap, GapEvidence{o.Verdict.Counter, s[0], s[1]})
}

// lookForPrePlay finds a genuine counter that was passed over when a later one was recorded. A phone that read the card several times
// may well show the older readings a moment after the newest: on the website that is no alarm from the network that recorded the newest.
// By the API all come from one network.
func (b *batch) lookForPrePlay(o Observation, network []byte) error {
	if o.Verdict.Code != codeSuperseded {
		return nil
	}
	var first, last, counter, at int64
	row := b.tx.QueryRowContext(b.ctx, "SELECT first, last, counter, time FROM skipped WHERE card = $1 AND last >= $2 ORDER BY last LIMIT 1",
		o.Card.ID[:], int64(o.Verdict.Counter))
	if err := row.Scan(&first, &last, &counter, &at); errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	if int64(o.Verdict.Counter) < first {
		return nil
	}
	if o.Channel == channelWeb && o.Time.Sub(fromMilli(at)) <= b.Limits.Per {
		if user, _, err := b.user(o, counter); err != nil || len(network) > 0 && bytes.Equal(user, network) {
			return err
		}
	}
	return b.raise(o, PrePlay, PrePlayEvidence{o.Verdict.Counter, uint32(first), uint32(last), fromMilli(at), uint32(counter)})
}

func (b *batch) lookForRate(o Observation) error {
	if !o.fresh() {
		return nil
	}
	var taps int
	row := b.tx.StmtContext(b.ctx, b.rate).QueryRowContext(b.ctx, o.Card.ID[:], o.Time.Add(-b.Limits.Per).UnixMilli())
	if err := row.Scan(&taps); err != nil || taps <= b.Limits.Taps {
		return err
	}
	return b.raise(o, Rate, RateEvidence{taps, int(b.Limits.Per.Minutes())})
}

// lookForTwoPlaces compares where the card is with where it was last.
func (b *batch) lookForTwoPlaces(o Observation) error {
	if o.Place == nil || !o.fresh() {
		return nil
	}
	var latitude, longitude, at int64
	var name string
	row := b.tx.StmtContext(b.ctx, b.place).QueryRowContext(b.ctx, o.Card.ID[:])
	if err := row.Scan(&latitude, &longitude, &name, &at); errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	before, when := Place{float64(latitude) / 1e6, float64(longitude) / 1e6, name}, fromMilli(at)
	apart := distance(before, *o.Place)
	hours := o.Time.Sub(when).Abs().Hours()
	if apart <= b.Limits.Near || apart <= b.Limits.Speed*hours {
		return nil
	}
	return b.raise(o, TwoPlaces, TwoPlacesEvidence{before, when, *o.Place, o.Time.UTC().Truncate(time.Millisecond), int(apart)})
}

// distance in kilometres along the great circle (the haversine formula, on a sphere).
func distance(a, b Place) float64 {
	const radius, degree = 6371.0, math.Pi / 180
	dLat, dLon := (b.Latitude-a.Latitude)*degree, (b.Longitude-a.Longitude)*degree
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(a.Latitude*degree)*math.Cos(b.Latitude*degree)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * radius * math.Asin(math.Sqrt(min(h, 1)))
}

// lookForUsedURL compares who shows a used URL with who used it up.
func (b *batch) lookForUsedURL(o Observation, network []byte) error {
	if o.Verdict.Code != codeAlreadyUsed || len(network) == 0 {
		return nil
	}
	user, at, err := b.user(o, int64(o.Verdict.Counter))
	if err != nil || len(user) == 0 || bytes.Equal(user, network) {
		return err
	}
	return b.raise(o, UsedURLAgain, UsedURLAgainEvidence{o.Verdict.Counter, fromMilli(at)})
}

// user returns from which network a tap of the same card was recorded, and when; nothing where that is not known.
func (b *batch) user(o Observation, counter int64) (network []byte, at int64, err error) {
	err = b.tx.StmtContext(b.ctx, b.use).QueryRowContext(b.ctx, o.Card.ID[:], counter).Scan(&network, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	return network, at, err
}

// Evidence is what an alarm goes by, at one check.
type Evidence struct {
	Time time.Time       `json:"time"` // of the check
	Data json.RawMessage `json:"data"` // by the alarm's kind: GapEvidence and so on
}

// maxEvidence is how much an alarm keeps: the oldest piece, and the newest others.
const maxEvidence = 20

// raise opens an alarm, or adds to the open one of its kind. The same evidence is not added twice.
func (b *batch) raise(o Observation, kind string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	e := Evidence{o.Time.UTC().Truncate(time.Millisecond), encoded}
	var id int64
	var list []byte
	row := b.tx.QueryRowContext(b.ctx, "SELECT id, evidence FROM alarms WHERE card = $1 AND kind = $2 AND settled = 0", o.Card.ID[:], kind)
	err = row.Scan(&id, &list)
	if errors.Is(err, sql.ErrNoRows) {
		return b.open(o, kind, e)
	}
	if err != nil {
		return err
	}
	var all []Evidence
	if err := json.Unmarshal(list, &all); err != nil {
		return fmt.Errorf("evidence of alarm %d: %w", id, err)
	}
	if list, err = json.Marshal(add(all, e)); err != nil {
		return err
	}
	_, err = b.tx.ExecContext(b.ctx, "UPDATE alarms SET newest = $1, seen = seen + 1, evidence = $2 WHERE id = $3", e.Time.UnixMilli(), string(list), id)
	return err
}

func add(all []Evidence, e Evidence) []Evidence {
	for _, known := range all {
		if bytes.Equal(known.Data, e.Data) {
			return all
		}
	}
	if len(all) == maxEvidence {
		all = append(all[:1], all[2:]...)
	}
	return append(all, e)
}

func (b *batch) open(o Observation, kind string, e Evidence) error {
	id, err := take(b.ctx, b.tx, "alarms", 1)
	if err != nil {
		return err
	}
	list, err := json.Marshal([]Evidence{e})
	if err != nil {
		return err
	}
	a := Alarm{ID: fmt.Sprint(id), Card: o.Card.ID, Issuer: o.Card.Issuer, Kind: kind, Raised: e.Time, Newest: e.Time, Seen: 1, Evidence: []Evidence{e}}
	_, err = b.tx.ExecContext(b.ctx, `INSERT INTO alarms (id, issuer, card, kind, raised, newest, seen, evidence, published, settled, settled_by)
		VALUES ($1, $2, $3, $4, $5, $5, 1, $6, 0, 0, '')`, id, o.Card.Issuer[:], o.Card.ID[:], kind, e.Time.UnixMilli(), string(list))
	if err != nil {
		return err
	}
	event, err := a.event()
	b.raised = append(b.raised, event)
	return err
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
