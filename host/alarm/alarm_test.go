package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// told is a Publisher that keeps what it was told.
type told struct {
	mu     sync.Mutex
	err    error
	events map[string]notify.Event
}

func (t *told) Publish(_ context.Context, e notify.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if t.events == nil {
		t.events = map[string]notify.Event{}
	}
	t.events[e.ID] = e
	return nil
}

func (t *told) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// all returns what it was told of alarms and reports.
func (t *told) all() map[string]notify.Event {
	return t.kinds(notify.AlarmRaised, notify.ReportReceived)
}

func (t *told) kinds(kinds ...string) map[string]notify.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := map[string]notify.Event{}
	for id, e := range t.events {
		if slices.Contains(kinds, e.Kind) {
			events[id] = e
		}
	}
	return events
}

// world is a Watch with a clock.
type world struct {
	*Watch
	t     testing.TB
	told  *told
	clock *atomic.Int64
	place string
}

func newWorld(t testing.TB, place string) *world {
	w := &world{t: t, told: &told{}, clock: new(atomic.Int64), place: place}
	w.clock.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	w.Watch = w.open()
	return w
}

func (w *world) open() *Watch {
	o := Options{Master: channel.Seed{3}, Publish: w.told, Now: w.now}
	watch, err := Open(w.t.Context(), w.place, o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, watch.Close()) })
	return watch
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

// places are the two kinds of databases.
func places(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, filepath.Join(t.TempDir(), "alarm.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, storetest.Postgres(t))) })
}

var acme = channel.ID{1}

func card(n byte) record.Card { return record.Card{ID: tap.CardID{n}, Issuer: acme} }

// see observes a check that is described by its verdict, with changes.
func (w *world) see(n byte, v Verdict, change ...func(*Observation)) {
	w.t.Helper()
	o := Observation{Card: card(n), Verdict: v, Network: "192.0.2.0/24", Time: w.now(), Channel: "web"}
	for _, c := range change {
		c(&o)
	}
	require.NoError(w.t, w.Observe(context.Background(), o))
}

func from(network string) func(*Observation) { return func(o *Observation) { o.Network = network } }

func at(latitude, longitude float64, name string) func(*Observation) {
	return func(o *Observation) { o.Place = &Place{latitude, longitude, name} }
}

// alarms returns an issuer's open alarms of a kind.
func (w *world) alarms(kind string) []Alarm {
	w.t.Helper()
	list, next, err := w.Alarms(context.Background(), Filter{Issuer: acme, Word: kind, Open: true})
	require.NoError(w.t, err)
	require.Empty(w.t, next)
	return list
}

func evidence[T any](t *testing.T, a Alarm) []T {
	t.Helper()
	list := make([]T, len(a.Evidence))
	for i, e := range a.Evidence {
		require.NoError(t, json.Unmarshal(e.Data, &list[i]))
	}
	return list
}

func TestOrdinaryTapsRaiseNothing(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		for counter := uint32(1); counter < 40; counter++ {
			w.see(1, Verdict{Code: "valid", Counter: counter}, at(45.46, 9.19, "Milano"))
			w.see(1, Verdict{Code: "recorded", Counter: counter}, at(45.46, 9.19, "Milano"))
			w.see(1, Verdict{Code: "already_used", Counter: counter})
			w.advance(time.Minute)
		}
		w.see(1, Verdict{Code: "recorded", Counter: 50, Skipped: &record.Range{41, 49}}) // nine: below the limit
		assert.Empty(t, w.alarms(""))
		assert.Empty(t, w.told.all())
	})
}

func TestGapIsAnAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "valid", Counter: 11, Skipped: &record.Range{1, 10}})
		w.see(1, Verdict{Code: "recorded", Counter: 11, Skipped: &record.Range{1, 10}})
		open := w.alarms(Gap)
		require.Len(t, open, 1)
		assert.Equal(t, []GapEvidence{{11, 1, 10}}, evidence[GapEvidence](t, open[0]), "one look and one record are one gap")
		assert.Equal(t, 2, open[0].Seen)
		assert.Equal(t, card(1).ID, open[0].Card)
		assert.Equal(t, w.now(), open[0].Raised)
		w.advance(time.Hour)
		w.see(1, Verdict{Code: "recorded", Counter: 4_000_000_000, Skipped: &record.Range{12, 3_999_999_999}})
		open = w.alarms(Gap)
		require.Len(t, open, 1, "an open alarm gathers what comes to it")
		assert.Equal(t, []GapEvidence{{11, 1, 10}, {4_000_000_000, 12, 3_999_999_999}}, evidence[GapEvidence](t, open[0]))
		assert.Equal(t, w.now(), open[0].Newest)
		assert.Len(t, w.told.all(), 1, "and is told once")
	})
}

func TestSkippedCounterThatTurnsUpLaterIsAnAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 3, Skipped: &record.Range{1, 2}})
		recorded := w.now()
		w.see(1, Verdict{Code: "recorded", Counter: 9, Skipped: &record.Range{5, 8}})
		w.advance(time.Hour)
		w.see(1, Verdict{Code: "superseded", Counter: 4})    // never skipped
		w.see(2, Verdict{Code: "superseded", Counter: 6})    // another card's
		w.see(1, Verdict{Code: "already_used", Counter: 9})  // recorded itself
		w.see(1, Verdict{Code: "bad_signature", Counter: 6}) // the card did not sign it
		assert.Empty(t, w.alarms(PrePlay))
		w.see(1, Verdict{Code: "superseded", Counter: 2})
		w.see(1, Verdict{Code: "superseded", Counter: 5})
		open := w.alarms(PrePlay)
		require.Len(t, open, 1)
		assert.Equal(t, []PrePlayEvidence{{2, 1, 2, recorded, 3}, {5, 5, 8, recorded, 9}}, evidence[PrePlayEvidence](t, open[0]))
	})
}

// A phone that was held to the card three times shows the three readings in any order.
func TestOlderReadingsOfOnePhoneAreNoAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 3, Skipped: &record.Range{1, 2}})
		w.advance(time.Minute)
		w.see(1, Verdict{Code: "superseded", Counter: 2})
		assert.Empty(t, w.alarms(PrePlay))
		for i, other := range []func(){
			func() { w.see(1, Verdict{Code: "superseded", Counter: 2}, from("198.51.100.0/24")) },
			func() { w.see(1, Verdict{Code: "superseded", Counter: 2}, from("")) },
			func() { w.see(1, Verdict{Code: "superseded", Counter: 2}, func(o *Observation) { o.Channel = "api" }) },
			func() { w.advance(time.Hour); w.see(1, Verdict{Code: "superseded", Counter: 2}) },
		} {
			other()
			open := w.alarms(PrePlay)
			require.Len(t, open, 1)
			assert.Equal(t, i+1, open[0].Seen)
		}
	})
}

func TestCardThatIsTappedTooOftenIsAnAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		for range 100 {
			w.see(1, Verdict{Code: "valid", Counter: 1}) // one URL, shown often, is one tap
		}
		for counter := uint32(100); counter < 140; counter++ {
			w.see(2, Verdict{Code: "bad_signature", Counter: counter}) // nobody has to have the card for these
		}
		for counter := uint32(200); counter < 240; counter++ {
			w.see(1, Verdict{Code: "already_used", Counter: counter}) // nor for these
		}
		for counter := uint32(2); counter <= 20; counter++ {
			w.see(1, Verdict{Code: "recorded", Counter: counter})
		}
		assert.Empty(t, w.alarms(Rate))
		w.see(1, Verdict{Code: "recorded", Counter: 21})
		open := w.alarms(Rate)
		require.Len(t, open, 1)
		assert.Equal(t, []RateEvidence{{21, 10}}, evidence[RateEvidence](t, open[0]))
		w.advance(10*time.Minute + time.Millisecond)
		require.NoError(t, w.Settle(t.Context(), acme, open[0].ID, "p_1"))
		w.see(1, Verdict{Code: "recorded", Counter: 22})
		assert.Empty(t, w.alarms(Rate), "the ten minutes are over")
	})
}

func TestCardInTwoPlacesAtOnceIsAnAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 1}, at(45.4642, 9.19, "Milano"))
		w.advance(time.Second)
		w.see(1, Verdict{Code: "recorded", Counter: 2}, at(45.4842, 9.20, "Milano Nord"))                              // two kilometres in a second: one place
		w.see(1, Verdict{Code: "already_used", Counter: 2}, at(35.68, 139.69, "Tokyo"))                                // the URL travels, not the card
		w.see(1, Verdict{Code: "recorded", Counter: 2, Replayed: true}, at(35.68, 139.69, "Tokyo"))                    // an answer again
		w.see(1, Verdict{Code: "recorded", Counter: 3}, func(o *Observation) { o.Time = w.now().Add(11 * time.Hour) }) // nobody said where
		w.advance(time.Hour)
		assert.Empty(t, w.alarms(TwoPlaces))
		w.see(1, Verdict{Code: "valid", Counter: 4}, at(45.4842, 9.20, "Milano Nord")) // so it was never in Tokyo
		assert.Empty(t, w.alarms(TwoPlaces))
		w.advance(11 * time.Hour)
		w.see(1, Verdict{Code: "recorded", Counter: 4}, at(35.68, 139.69, "Tokyo")) // 9,720 km in eleven hours: an aeroplane
		assert.Empty(t, w.alarms(TwoPlaces))
		before := w.now()
		w.advance(time.Hour)
		w.see(1, Verdict{Code: "valid", Counter: 5}, at(-33.87, 151.21, "Sydney"))
		open := w.alarms(TwoPlaces)
		require.Len(t, open, 1)
		got := evidence[TwoPlacesEvidence](t, open[0])
		require.Len(t, got, 1)
		assert.Equal(t, Place{35.68, 139.69, "Tokyo"}, got[0].First)
		assert.Equal(t, Place{-33.87, 151.21, "Sydney"}, got[0].Second)
		assert.Equal(t, []time.Time{before, w.now()}, []time.Time{got[0].FirstAt, got[0].SecondAt})
		assert.InDelta(t, 7820, got[0].Kilometres, 30)
	})
}

func TestDistances(t *testing.T) {
	assert.InDelta(t, 20015, distance(Place{90, 0, ""}, Place{-90, 0, ""}), 1)
	assert.InDelta(t, 20015, distance(Place{0, 0, ""}, Place{0, 180, ""}), 1)
	assert.InDelta(t, 222, distance(Place{0, 179, ""}, Place{0, -179, ""}), 1)
	assert.Zero(t, distance(Place{45, 9, ""}, Place{45, 9, ""}))
}

func TestUsedURLFromAnotherNetworkIsAnAlarm(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		used := w.now()
		w.see(1, Verdict{Code: "recorded", Counter: 1})
		w.see(2, Verdict{Code: "recorded", Counter: 1}, from(""))
		w.advance(time.Hour)
		w.see(1, Verdict{Code: "already_used", Counter: 1})                          // who used it looks again
		w.see(1, Verdict{Code: "already_used", Counter: 1}, from(""))                // nobody knows
		w.see(2, Verdict{Code: "already_used", Counter: 1}, from("198.51.100.0/24")) // nobody knows who used it
		w.see(3, Verdict{Code: "already_used", Counter: 1}, from("198.51.100.0/24")) // used where no Watch was
		assert.Empty(t, w.alarms(UsedURLAgain))
		w.see(1, Verdict{Code: "already_used", Counter: 1}, from("198.51.100.0/24"))
		open := w.alarms(UsedURLAgain)
		require.Len(t, open, 1)
		assert.Equal(t, []UsedURLAgainEvidence{{1, used}}, evidence[UsedURLAgainEvidence](t, open[0]))
	})
}

func TestOneAlarmGathersManyAtOnce(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		second := &world{Watch: w.open(), t: t}
		watches := []*Watch{w.Watch, second.Watch}
		var all sync.WaitGroup
		for n := range uint32(60) {
			all.Go(func() {
				v := Verdict{Code: "recorded", Counter: 100*n + 99, Skipped: &record.Range{100 * n, 100*n + 98}}
				assert.NoError(t, watches[n%2].Observe(t.Context(), Observation{Card: card(1), Verdict: v, Time: w.now(), Channel: "api"}))
			})
		}
		all.Wait()
		open := w.alarms(Gap)
		require.Len(t, open, 1)
		assert.Equal(t, 60, open[0].Seen)
		assert.Len(t, open[0].Evidence, maxEvidence)
		checks, next, err := w.Checks(t.Context(), Filter{Issuer: acme, N: 1000})
		require.NoError(t, err)
		assert.Len(t, checks, 60)
		assert.Empty(t, next)
		assert.Len(t, w.told.all(), 2, "a gap, and too many taps: each told once")
	})
}

func TestTapsAreToldOnce(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "alarm.db"))
	w.see(1, Verdict{Code: "valid", Counter: 7})
	assert.Empty(t, w.told.kinds(notify.Kinds()...), "nothing happened yet")
	w.see(1, Verdict{Code: "recorded", Counter: 7, Skipped: &record.Range{3, 6}}, at(45, 9, "Milano"))
	w.see(1, Verdict{Code: "recorded", Counter: 7, Replayed: true})
	recorded := w.told.kinds(notify.TapRecorded)
	require.Len(t, recorded, 1)
	e := recorded[fmt.Sprintf("tap-%v-7", tap.CardID{1})]
	assert.Equal(t, []any{acme, w.now()}, []any{e.Issuer, e.Time})
	assert.JSONEq(t, fmt.Sprintf(`{"card":%q,"counter":7,"code":"recorded","skipped":[3,6],"channel":"web","place":{"latitude":45,"longitude":9,"name":"Milano"}}`, tap.CardID{1}), string(e.Data))
	w.see(1, Verdict{Code: "bad_signature", Counter: 9})
	w.see(1, Verdict{Code: "already_used", Counter: 7})
	assert.Len(t, w.told.kinds(notify.TapRefused), 2)
	w.Revoked(t.Context(), card(1), "stolen", w.now())
	e = w.told.kinds(notify.CardRevoked)["revoked-"+card(1).ID.String()]
	assert.Equal(t, []any{acme, w.now()}, []any{e.Issuer, e.Time})
	assert.JSONEq(t, fmt.Sprintf(`{"card":%q,"reason":"stolen"}`, tap.CardID{1}), string(e.Data))
	w.told.fail(errors.New("away"))
	w.see(1, Verdict{Code: "recorded", Counter: 8}) // and nobody's tap fails of it
	w.Revoked(t.Context(), card(2), "stolen", w.now())
}

// What could not be told is told later, under the same id; also by a process that finds it after a crash.
func TestAlarmsAreToldInTheEnd(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "alarm.db"))
	w.told.fail(errors.New("away"))
	w.see(1, Verdict{Code: "recorded", Counter: 11, Skipped: &record.Range{1, 10}})
	id, err := w.Report(t.Context(), Report{Issuer: acme, Card: &tap.CardID{1}, Code: "already_used", Text: "I never tapped it", Contact: "jo@example.com"})
	require.NoError(t, err)
	assert.Empty(t, w.told.all())
	w.told.fail(nil)
	ctx, stop := context.WithCancel(t.Context())
	other := w.open()
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	require.Eventually(t, func() bool {
		var waiting int
		row := w.db.Read().QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM alarms WHERE published = 0) + (SELECT count(*) FROM reports WHERE published = 0)")
		return row.Scan(&waiting) == nil && waiting == 0
	}, 20*time.Second, time.Millisecond)
	require.Len(t, w.told.all(), 2)
	stop()
	require.NoError(t, <-ended)
	raised := w.told.all()["alarm-"+w.alarms(Gap)[0].ID]
	assert.Equal(t, notify.AlarmRaised, raised.Kind)
	assert.JSONEq(t, fmt.Sprintf(`{"alarm":"1","card":%q,"kind":"gap","data":{"counter":11,"from":1,"to":10}}`, tap.CardID{1}), string(raised.Data))
	report := w.told.all()["report-"+id]
	assert.NotContains(t, string(report.Data), "tapped", "neither words nor contact leave the service")
	assert.NotContains(t, string(report.Data), "example")
	w.told.mu.Lock()
	w.told.events = nil
	w.told.mu.Unlock()
	require.NoError(t, other.publishLate(t.Context()))
	assert.Empty(t, w.told.all(), "nothing is left to be told")
}

func TestWhatIsNoObservationIsRefused(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "alarm.db"))
	good := Observation{Card: card(1), Verdict: Verdict{Code: "valid"}, Time: w.now(), Channel: "web"}
	require.NoError(t, w.Observe(t.Context(), good))
	nan := 0.0
	for _, change := range []func(*Observation){
		func(o *Observation) { o.Verdict.Code = "" },
		func(o *Observation) { o.Card = record.Card{} },
		func(o *Observation) { o.Channel = "\x00" },
		func(o *Observation) { o.Place = &Place{Latitude: 91} },
		func(o *Observation) { o.Place = &Place{Longitude: -181} },
		func(o *Observation) { o.Place = &Place{Latitude: nan / nan} },
		func(o *Observation) { o.Place = &Place{Name: strings.Repeat("x", 201)} },
		func(o *Observation) { o.Place = &Place{Name: "\uffff"} },
		func(o *Observation) { o.Place = &Place{Name: "\xff"} },
	} {
		bad := good
		change(&bad)
		assert.ErrorIs(t, w.Observe(t.Context(), bad), ErrMalformed)
	}
}
