package office

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestChartShowsEachDayToScale(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	c := drawChart(first, 3, func(day time.Time) map[string]int {
		return map[time.Time]map[string]int{
			first:                  {"recorded": 190, "valid": 10, "already_used": 40, "bad_signature": 1},
			first.AddDate(0, 0, 2): {"a code of later": 2},
		}[day]
	})
	assert.Equal(t, 243, c.Total)
	assert.Equal(t, 400, c.Top, "the next number that reads well")
	assert.Equal(t, []chartLine{{0, 400}, {80, 200}, {160, 0}}, c.Lines)
	assert.Equal(t, []chartGroup{{groupGood, 200}, {groupRepeat, 40}, {groupBad, 1}, {groupOpen, 2}}, c.Groups)
	assert.Equal(t, []chartBox{{groupGood, 3, 80, 14, 80}, {groupRepeat, 3, 64, 14, 16}, {groupBad, 3, 63, 14, 1}}, c.Days[0].Boxes,
		"what happened once is seen too")
	assert.Empty(t, c.Days[1].Boxes)
	assert.Equal(t, groupOpen, c.Days[2].Boxes[0].Group)
	for n, want := range map[int]int{0: 2, 2: 2, 3: 4, 5: 10, 10: 10, 11: 20, 21: 40, 41: 100, 1001: 2000} {
		assert.Equal(t, want, roundUp(n), n)
	}
}

func TestCellsOfATableAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{"": "", "oil": "oil", "=1+1": "'=1+1", "-A1": "'-A1", "@x": "'@x", "+1": "'+1", "\tx": "'\tx", "a=b": "a=b",
		"oil;=1+1": "oil;'=1+1", "oil\t@x": "oil\t'@x", ";;-1;x": ";;'-1;x", "é;é": "é;é"} {
		assert.Equal(t, want, cell(text))
	}
}
