package office

import (
	"time"
)

// The groups in which verdicts are counted for people, from the bottom of a bar to its top.
const (
	groupGood   = "good"   // recorded
	groupRepeat = "repeat" // a tap that was used before, or is out of date
	groupBad    = "bad"    // refused
	groupOpen   = "open"   // nothing could be said, or something was asked first
)

var groups = []string{groupGood, groupRepeat, groupBad, groupOpen}

// groupOf sorts the codes of verdicts.
func groupOf(code string) string {
	switch code {
	case "recorded", "valid":
		return groupGood
	case "already_used", "superseded":
		return groupRepeat
	case "unknown_card", "bad_signature", "revoked", "malformed_url", "not_in_service":
		return groupBad
	}
	return groupOpen
}

// chart is checks by day, drawn as bars one beside the other on a field of width × height units.
type chart struct {
	Days   []chartDay
	Groups []chartGroup
	Total  int
	Top    int // what the upper edge stands for
	Lines  []chartLine
	First  string // what stands under the first day
	Last   string // and under the last
	Width  int
	Height int
}

// chartDay is one bar.
type chartDay struct {
	Day    time.Time
	Counts []int // in the order of groups
	Total  int
	Boxes  []chartBox
}

// chartBox is one group's part of a bar.
type chartBox struct {
	Group               string
	X, Y, Width, Height float64
}

// chartGroup is one line of the legend.
type chartGroup struct {
	Group string
	Total int
}

// chartLine is a horizontal line of the grid with what it stands for.
type chartLine struct {
	Y     float64
	Value int
}

const (
	chartHeight = 160 // units
	chartStep   = 20  // units from bar to bar
	chartBar    = 14  // units
)

// drawChart counts by day, one bar for each day from first on, whether anything happened or not.
func drawChart(first time.Time, days int, counts func(day time.Time) map[string]int) chart {
	c := chart{Width: days * chartStep, Height: chartHeight}
	totals := make([]int, len(groups))
	highest := 0
	for n := range days {
		d := chartDay{Day: first.AddDate(0, 0, n), Counts: make([]int, len(groups))}
		for code, count := range counts(d.Day) {
			for g, group := range groups {
				if groupOf(code) == group {
					d.Counts[g] += count
					totals[g] += count
					d.Total += count
				}
			}
		}
		highest = max(highest, d.Total)
		c.Total += d.Total
		c.Days = append(c.Days, d)
	}
	for g, group := range groups {
		c.Groups = append(c.Groups, chartGroup{group, totals[g]})
	}
	c.Top = roundUp(highest)
	for n := range c.Days {
		c.Days[n].stack(n, c.Top)
	}
	for _, part := range []int{2, 1, 0} { // from the top
		c.Lines = append(c.Lines, chartLine{float64(chartHeight * (2 - part) / 2), c.Top * part / 2})
	}
	return c
}

// stack puts the day's boxes on one another. What happened at all is seen: a box is never less than a unit high.
func (d *chartDay) stack(n, top int) {
	y := float64(chartHeight)
	for g, count := range d.Counts {
		if count == 0 {
			continue
		}
		height := max(1, float64(count)/float64(top)*chartHeight)
		y -= height
		d.Boxes = append(d.Boxes, chartBox{groups[g], float64(n*chartStep + (chartStep-chartBar)/2), max(0, y), chartBar, height})
	}
}

// roundUp returns the next number that reads well and has a half: 2, 4, 10, 20, 40, 100 and so on.
func roundUp(n int) int {
	for scale := 1; ; scale *= 10 {
		for _, step := range []int{2, 4, 10} {
			if n <= step*scale {
				return step * scale
			}
		}
	}
}
