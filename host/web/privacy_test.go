package web

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/words"
)

// TestWhatIsPromisedToBeForgottenIs holds the page that says what is kept against what is kept.
func TestWhatIsPromisedToBeForgottenIs(t *testing.T) {
	const day = 24 * time.Hour
	days := func(d time.Duration) string { return fmt.Sprint(int(d / day)) }
	numbers := regexp.MustCompile(`[0-9]+`)
	for _, lang := range words.Languages() {
		speak := words.For("", lang)
		for key, want := range map[string][]string{
			"privacy.days":          {days(alarm.Kept)},
			"privacy.reports_means": {days(alarm.Kept)},
			"privacy.browser_means": {days(receiptsAge), fmt.Sprint(int(draftAge / time.Minute))},
		} {
			assert.Equal(t, want, numbers.FindAllString(speak.T(key), -1), "%s: %s", lang, key)
		}
	}
	assert.Equal(t, day, browserAge, "one day, in words")
	assert.LessOrEqual(t, notify.Kept, alarm.Kept, "what is sent on is no older than what it came from")
}
