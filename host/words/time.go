package words

import (
	"strconv"
	"time"
)

// Date returns day and time in the zone, which it names: "24 November 2026, 10:42 UTC".
func (w *Words) Date(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	return w.Day(t, zone) + ", " + t.Format("15:04 MST")
}

// Day returns the day in the zone: "24 November 2026".
func (w *Words) Day(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = w.T("date.first")
	}
	return w.T("date.day", day, w.T("date.month."+strconv.Itoa(int(t.Month()))), strconv.Itoa(t.Year()))
}

// Ago says how long before now something was: "3 minutes ago". It needs no zone, so it is right for every reader. Clocks differ: what
// lies in the future was just now.
func (w *Words) Ago(then, now time.Time) string {
	passed := now.Sub(then)
	switch {
	case passed < time.Minute:
		return w.T("ago.now")
	case passed < time.Hour:
		return w.N("ago.minutes", int(passed/time.Minute))
	case passed < 24*time.Hour:
		return w.N("ago.hours", int(passed/time.Hour))
	}
	return w.N("ago.days", int(passed/(24*time.Hour)))
}

// Wait says how long to wait, rounded up: "2 minutes".
func (w *Words) Wait(d time.Duration) string {
	if d <= time.Minute {
		return w.N("wait.seconds", max(1, int((d+time.Second-1)/time.Second)))
	}
	return w.N("wait.minutes", int((d+time.Minute-1)/time.Minute))
}
