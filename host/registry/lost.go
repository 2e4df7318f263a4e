package registry

import (
	"strings"
	"time"

	"github.com/productid/productid/pkg/channel"
)

// line is the channel that registered a card which was carried over, or none.
func (c *cardRow) line() []channel.ID {
	if c.Since.IsZero() {
		return nil
	}
	return []channel.ID{c.Previous}
}

// lineText is how a row holds channels.
func lineText(line []channel.ID) string {
	texts := make([]string, len(line))
	for i, id := range line {
		texts[i] = id.String()
	}
	return strings.Join(texts, " ")
}

// lineFrom reads what lineText wrote; that is what stands under a seal.
func lineFrom(text string) []channel.ID {
	var line []channel.ID
	for _, one := range strings.Fields(text) {
		if id, err := channel.ParseID(one); err == nil {
			line = append(line, id)
		}
	}
	return line
}

// sinceMilli is 0 where there is no time.
func sinceMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func sinceFrom(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
