package office

import (
	"encoding/json"
	"strconv"

	"github.com/productid/productid/host/alarm"
)

// evidence says in words what an alarm goes by. What this version does not know stays as it is.
func (v *visit) evidence(kind string, e alarm.Evidence) string {
	key := "office.evidence." + kind
	switch kind {
	case alarm.Gap:
		if d, ok := decoded[alarm.GapEvidence](e); ok {
			return v.words.T(key, d.Counter, counters(d.From, d.To))
		}
	case alarm.PrePlay:
		if d, ok := decoded[alarm.PrePlayEvidence](e); ok {
			return v.words.T(key, d.Counter, counters(d.From, d.To), d.Recorded, v.words.Date(d.RecordedAt, v.Zone))
		}
	case alarm.Rate:
		if d, ok := decoded[alarm.RateEvidence](e); ok {
			return v.words.T(key, d.Taps, d.Minutes)
		}
	case alarm.TwoPlaces:
		if d, ok := decoded[alarm.TwoPlacesEvidence](e); ok {
			return v.words.T(key, placeText(d.First), v.words.Date(d.FirstAt, v.Zone), placeText(d.Second), v.words.Date(d.SecondAt, v.Zone), d.Kilometres)
		}
	case alarm.UsedURLAgain:
		if d, ok := decoded[alarm.UsedURLAgainEvidence](e); ok {
			return v.words.T(key, d.Counter, v.words.Date(d.UsedAt, v.Zone))
		}
	}
	return string(e.Data)
}

func decoded[T any](e alarm.Evidence) (d T, ok bool) {
	return d, json.Unmarshal(e.Data, &d) == nil
}

// placeText is a place's name, else where it is.
func placeText(p alarm.Place) string {
	if p.Name != "" {
		return p.Name
	}
	return strconv.FormatFloat(p.Latitude, 'f', 3, 64) + ", " + strconv.FormatFloat(p.Longitude, 'f', 3, 64)
}
