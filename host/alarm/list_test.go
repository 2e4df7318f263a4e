package alarm

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func TestChecksArePagedNewestFirst(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		for n := range uint32(25) {
			w.see(byte(1+n%2), Verdict{Code: "valid", Counter: n}, at(1.5, -2.25, "here"))
			w.advance(time.Second)
		}
		var counters []uint32
		f := Filter{Issuer: acme, N: 10}
		for pages := 1; ; pages++ {
			list, next, err := w.Checks(t.Context(), f)
			require.NoError(t, err)
			for _, c := range list {
				counters = append(counters, c.Counter)
			}
			if f.Before = next; next == "" {
				assert.Equal(t, 3, pages)
				break
			}
		}
		require.Len(t, counters, 25)
		for i, c := range counters {
			assert.Equal(t, uint32(24-i), c)
		}
		list, _, err := w.Checks(t.Context(), Filter{Issuer: acme, Card: &tap.CardID{2}, Word: "valid", N: 1})
		require.NoError(t, err)
		require.Len(t, list, 1)
		c := list[0]
		assert.Equal(t, Check{ID: c.ID, Issuer: acme, Card: tap.CardID{2}, Code: "valid", Counter: 23, Time: w.now().Add(-2 * time.Second), Channel: "web",
			Network: c.Network, Place: &Place{1.5, -2.25, "here"}}, c)
		assert.Len(t, c.Network, 6)
		for _, f := range []Filter{{Issuer: channel.ID{9}}, {Issuer: acme, Word: "recorded"}, {Issuer: acme, Card: &tap.CardID{9}}, {Issuer: acme, Before: "0"}} {
			none, next, err := w.Checks(t.Context(), f)
			require.NoError(t, err)
			assert.Empty(t, none)
			assert.Empty(t, next)
		}
		for _, before := range []string{"x", "-1", "01", " 1", "99999999999999999999"} {
			_, _, err := w.Checks(t.Context(), Filter{Issuer: acme, Before: before})
			assert.ErrorIs(t, err, ErrMalformed)
		}
		_, _, err = w.Alarms(t.Context(), Filter{Issuer: acme, Word: "x\uffff"})
		assert.ErrorIs(t, err, ErrMalformed)
	})
}

func TestCountsHaveEveryStep(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		begin := w.now()
		for range 3 {
			w.see(1, Verdict{Code: "valid", Counter: 1})
		}
		w.see(1, Verdict{Code: "recorded", Counter: 1})
		w.advance(2 * time.Hour)
		w.see(1, Verdict{Code: "already_used", Counter: 1})
		counts, err := w.Counts(t.Context(), acme, begin, begin.Add(4*time.Hour), time.Hour)
		require.NoError(t, err)
		require.Len(t, counts, 4)
		assert.Equal(t, []Count{
			{begin, map[string]int{"valid": 3, "recorded": 1}}, {begin.Add(time.Hour), map[string]int{}},
			{begin.Add(2 * time.Hour), map[string]int{"already_used": 1}}, {begin.Add(3 * time.Hour), map[string]int{}},
		}, counts)
		for _, bad := range []struct {
			to   time.Time
			step time.Duration
		}{{begin.Add(time.Hour), 0}, {begin.Add(-1), time.Hour}, {begin.Add(3000 * time.Hour), time.Hour}, {begin.Add(time.Hour), time.Millisecond}} {
			_, err := w.Counts(t.Context(), acme, begin, bad.to, bad.step)
			assert.ErrorIs(t, err, ErrMalformed)
		}
	})
}

func TestSettledAlarmStaysAndTheNextOpensAnother(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 11, Skipped: &record.Range{1, 10}})
		first := w.alarms(Gap)[0]
		assert.ErrorIs(t, w.Settle(t.Context(), channel.ID{9}, first.ID, "p_1"), ErrUnknown, "another issuer's")
		for _, id := range []string{"", "x", "999", "-1"} {
			assert.ErrorIs(t, w.Settle(t.Context(), acme, id, "p_1"), ErrUnknown)
		}
		require.NoError(t, w.Settle(t.Context(), acme, first.ID, "p_1"))
		settled := w.now()
		w.advance(time.Hour)
		require.NoError(t, w.Settle(t.Context(), acme, first.ID, "p_2"), "again: it stays as it was")
		w.see(1, Verdict{Code: "recorded", Counter: 31, Skipped: &record.Range{12, 30}})
		open := w.alarms(Gap)
		require.Len(t, open, 1)
		assert.NotEqual(t, first.ID, open[0].ID)
		all, _, err := w.Alarms(t.Context(), Filter{Issuer: acme})
		require.NoError(t, err)
		require.Len(t, all, 2)
		assert.Equal(t, "p_1", all[1].By)
		assert.Equal(t, settled, all[1].Settled)
		assert.Len(t, w.told.all(), 2)
	})
}

func TestReportsAreKeptAsTheyWereTold(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		id, err := w.Report(t.Context(), Report{Issuer: acme, Card: &tap.CardID{1}, Code: "already_used", Text: "I never\ntapped it 🙂", Contact: "jo@example.com"})
		require.NoError(t, err)
		_, err = w.Report(t.Context(), Report{Text: "a card of nobody's"})
		require.NoError(t, err)
		list, next, err := w.Reports(t.Context(), Filter{Issuer: acme})
		require.NoError(t, err)
		assert.Empty(t, next)
		assert.Equal(t, []Report{{ID: id, Issuer: acme, Card: &tap.CardID{1}, Code: "already_used", Text: "I never\ntapped it 🙂", Contact: "jo@example.com", Time: w.now()}}, list)
		nobodys, _, err := w.Reports(t.Context(), Filter{})
		require.NoError(t, err)
		require.Len(t, nobodys, 1)
		assert.Nil(t, nobodys[0].Card)
		assert.ErrorIs(t, w.SettleReport(t.Context(), channel.ID{9}, id, "p_1"), ErrUnknown)
		require.NoError(t, w.SettleReport(t.Context(), acme, id, "p_1"))
		open, _, err := w.Reports(t.Context(), Filter{Issuer: acme, Open: true})
		require.NoError(t, err)
		assert.Empty(t, open)
		for _, bad := range []Report{{}, {Text: "  \n "}, {Text: "\x00"}, {Text: "\xff"}, {Text: "\uffff"}, {Text: "x\u202e"}, {Text: strings.Repeat("x", 4001)},
			{Text: "x", Contact: strings.Repeat("x", 201)}, {Text: "x", Code: strings.Repeat("x", 41)}} {
			_, err := w.Report(t.Context(), bad)
			assert.ErrorIs(t, err, ErrMalformed, "%q", bad.Text)
		}
	})
}

func TestWhatIsOldIsForgotten(t *testing.T) {
	places(t, func(t *testing.T, w *world) {
		w.see(1, Verdict{Code: "recorded", Counter: 3, Skipped: &record.Range{1, 2}})
		settled, err := w.Report(t.Context(), Report{Issuer: acme, Text: "settled"})
		require.NoError(t, err)
		require.NoError(t, w.SettleReport(t.Context(), acme, settled, "p_1"))
		_, err = w.Report(t.Context(), Report{Issuer: acme, Text: "open"})
		require.NoError(t, err)
		w.advance(Kept)
		require.NoError(t, w.prune(t.Context()))
		list, _, err := w.Checks(t.Context(), Filter{Issuer: acme})
		require.NoError(t, err)
		assert.Len(t, list, 1)
		w.advance(time.Millisecond)
		require.NoError(t, w.prune(t.Context()))
		list, _, err = w.Checks(t.Context(), Filter{Issuer: acme})
		require.NoError(t, err)
		assert.Empty(t, list)
		reports, _, err := w.Reports(t.Context(), Filter{Issuer: acme})
		require.NoError(t, err)
		require.Len(t, reports, 1)
		assert.Equal(t, "open", reports[0].Text)
		w.see(1, Verdict{Code: "superseded", Counter: 1})
		assert.Len(t, w.alarms(PrePlay), 1, "what was skipped is evidence for as long as the card lives")
	})
}

// Neither the client's network nor the signature of a URL stands in the file.
func TestNetworksAreKeptAsAKeyedHash(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "alarm.db"))
	w.see(1, Verdict{Code: "valid", Counter: 1}, from("192.0.2.0/24"))
	w.see(1, Verdict{Code: "valid", Counter: 2}, from("192.0.2.0/24"))
	w.see(1, Verdict{Code: "valid", Counter: 3}, from("198.51.100.0/24"))
	w.see(1, Verdict{Code: "valid", Counter: 4}, from(""))
	list, _, err := w.Checks(t.Context(), Filter{Issuer: acme})
	require.NoError(t, err)
	assert.Equal(t, list[3].Network, list[2].Network)
	assert.NotEqual(t, list[2].Network, list[1].Network)
	assert.Empty(t, list[0].Network)
	var network []byte
	require.NoError(t, w.db.Read().QueryRowContext(t.Context(), "SELECT network FROM checks WHERE counter = 1").Scan(&network))
	assert.Len(t, network, 16)
	other, err := Open(t.Context(), filepath.Join(t.TempDir(), "alarm.db"), Options{Master: channel.Seed{4}, Now: w.now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Close()) })
	assert.NotEqual(t, network, other.network("192.0.2.0/24"), "under another master it is another")
}

func FuzzReport(f *testing.F) {
	w := newWorld(f, filepath.Join(f.TempDir(), "alarm.db"))
	f.Add("text", "contact", "valid")
	f.Add("\u202e", "\x00", "\xff")
	f.Fuzz(func(t *testing.T, text, contact, code string) {
		r := Report{Issuer: acme, Text: text, Contact: contact, Code: code}
		if err := r.check(); err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		_, err := w.Report(context.Background(), r)
		require.NoError(t, err)
		list, _, err := w.Reports(context.Background(), Filter{Issuer: acme, N: 1})
		require.NoError(t, err)
		require.Equal(t, []string{text, contact, code}, []string{list[0].Text, list[0].Contact, list[0].Code})
	})
}

// A cursor is a number in its one form.
func FuzzParseID(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseID(text)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, text, strconv.FormatInt(n, 10))
		require.GreaterOrEqual(t, n, int64(0))
	})
}
