package pcsc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	empty   = Reader{Name: "ACS ACR122U 00 00"}
	virtual = Reader{Name: "Virtual PCD 00 00", Present: true, ATR: []byte{0x3B, 0x80}, insertions: 1}
	second  = Reader{Name: "Virtual PCD 00 01", Present: true, ATR: []byte{0x3B, 0x81}, insertions: 1}
)

func TestChooseByNamePartOrFirstCard(t *testing.T) {
	all := []Reader{empty, virtual, second}
	for name, want := range map[string]Reader{
		"":                  virtual,
		"Virtual PCD 00 01": second,
		"virtual pcd":       virtual,
		"00 01":             second,
		"00 00":             virtual,
	} {
		got, err := choose(all, name)
		require.NoError(t, err, name)
		assert.Equal(t, want.Name, got.Name, name)
	}
}

func TestChooseSaysWhatIsMissing(t *testing.T) {
	_, err := choose(nil, "")
	assert.ErrorIs(t, err, ErrNoReader)
	_, err = choose([]Reader{empty, virtual}, "Gemalto")
	assert.ErrorIs(t, err, ErrNoReader)
	assert.ErrorContains(t, err, "ACS ACR122U 00 00, Virtual PCD 00 00")
	_, err = choose([]Reader{empty, virtual}, "acr122")
	assert.ErrorIs(t, err, ErrNoCard)
	_, err = choose([]Reader{empty, virtual}, empty.Name)
	assert.ErrorIs(t, err, ErrNoCard, "an exact name means that reader")
	_, err = choose([]Reader{empty}, "")
	assert.ErrorIs(t, err, ErrNoCard)
}

func TestDiff(t *testing.T) {
	without := Reader{Name: virtual.Name, insertions: 2}
	exchanged, counted := virtual, virtual
	exchanged.ATR = []byte{0x3B, 0x99}
	counted.insertions = 3
	inserted := Event{CardInserted, virtual.Name, virtual.ATR}
	removed := Event{CardRemoved, virtual.Name, nil}
	for name, row := range map[string]struct {
		before, after []Reader
		want          []Event
	}{
		"nothing":                   {[]Reader{empty, virtual}, []Reader{empty, virtual}, nil},
		"other order":               {[]Reader{empty, virtual}, []Reader{virtual, empty}, nil},
		"first look":                {nil, []Reader{empty, virtual}, []Event{{ReaderAdded, empty.Name, nil}, {ReaderAdded, virtual.Name, nil}, inserted}},
		"inserted":                  {[]Reader{without}, []Reader{virtual}, []Event{inserted}},
		"removed":                   {[]Reader{virtual}, []Reader{without}, []Event{removed}},
		"exchanged":                 {[]Reader{virtual}, []Reader{exchanged}, []Event{removed, {CardInserted, virtual.Name, exchanged.ATR}}},
		"taken away and put back":   {[]Reader{virtual}, []Reader{counted}, []Event{removed, inserted}},
		"reader unplugged":          {[]Reader{virtual, empty}, []Reader{empty}, []Event{removed, {ReaderRemoved, virtual.Name, nil}}},
		"all unplugged":             {[]Reader{empty}, nil, []Event{{ReaderRemoved, empty.Name, nil}}},
		"from one to another":       {[]Reader{virtual, empty}, []Reader{without, second}, []Event{removed, {ReaderRemoved, empty.Name, nil}, {ReaderAdded, second.Name, nil}, {CardInserted, second.Name, second.ATR}}},
		"an empty reader's counter": {[]Reader{empty}, []Reader{{Name: empty.Name, insertions: 9}}, nil},
	} {
		assert.Equal(t, row.want, diff(row.before, row.after), name)
	}
}

func TestEventKindsInWords(t *testing.T) {
	for kind, word := range map[EventKind]string{
		ReaderAdded: "reader added", ReaderRemoved: "reader removed", CardInserted: "card inserted", CardRemoved: "card removed", 0: "unknown event",
	} {
		text, err := kind.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, word, string(text))
	}
}
