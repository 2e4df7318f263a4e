package station_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/tap"
)

const gtin = "09520123456788"

func TestTemplatesOfGS1(t *testing.T) {
	for name, row := range map[string]struct{ address, lot, serial, prefix, middle string }{
		"id is serial":        {"https://tap.example.com", "", "", "https://tap.example.com/01/09520123456788/21/", "?c="},
		"a slash more":        {"https://tap.example.com/", "", "", "https://tap.example.com/01/09520123456788/21/", "?c="},
		"a path":              {"https://tap.example.com/shop/t", "", "", "https://tap.example.com/shop/t/01/09520123456788/21/", "?c="},
		"lot":                 {"https://tap.example.com", "L/1", "", "https://tap.example.com/01/09520123456788/10/L%2F1/21/", "?c="},
		"a lot of that name":  {"https://tap.example.com", "21", "", "https://tap.example.com/01/09520123456788/10/21/21/", "?c="},
		"serial":              {"https://tap.example.com", "", "A+1", "https://tap.example.com/01/09520123456788/21/A%2B1?i=", "&c="},
		"lot and serial":      {"https://tap.example.com", "L1", "4711", "https://tap.example.com/01/09520123456788/10/L1/21/4711?i=", "&c="},
		"a serial like an id": {"https://tap.example.com", "", "sCwcVia7OYj7c7jW", "https://tap.example.com/01/09520123456788/21/sCwcVia7OYj7c7jW?i=", "&c="},
	} {
		got, err := station.GS1Template(row.address, gtin, row.lot, row.serial)
		require.NoError(t, err, name)
		assert.Equal(t, tap.Template{Prefix: row.prefix, Middle: row.middle}, got, name)
	}
}

func TestTemplatesOfGS1ThatCannotBe(t *testing.T) {
	for name, row := range map[string]struct{ address, gtin, lot, serial string }{
		"no address":     {"", gtin, "", ""},
		"no https":       {"http://tap.example.com", gtin, "", ""},
		"a query":        {"https://tap.example.com?a=b", gtin, "", ""},
		"a fragment":     {"https://tap.example.com/#a", gtin, "", ""},
		"a name":         {"https://me@tap.example.com", gtin, "", ""},
		"a check digit":  {"https://tap.example.com", "09520123456789", "", ""},
		"13 digits":      {"https://tap.example.com", "9520123456788", "", ""},
		"a long lot":     {"https://tap.example.com", gtin, strings.Repeat("A", 21), ""},
		"a strange lot":  {"https://tap.example.com", gtin, "Ä", ""},
		"a blank":        {"https://tap.example.com", gtin, "", "A 1"},
		"a dot":          {"https://tap.example.com", gtin, "..", ""},
		"more than fits": {"https://tap.example.com/" + strings.Repeat("a", 70), gtin, "L1", "4711"},
	} {
		_, err := station.GS1Template(row.address, gs1.GTIN(row.gtin), row.lot, row.serial)
		require.Error(t, err, name)
		require.ErrorContains(t, err, "malformed", name)
	}
}

// TestATemplateOfGS1SaysWhatWasOrdered: to those who read taps, and to those who read Digital Links.
func TestATemplateOfGS1SaysWhatWasOrdered(t *testing.T) {
	id := newCard("card").Soft.ID()
	set82 := rapid.StringOfN(rapid.SampledFrom([]rune(`!"%&'()*+,-./0123456789:;<=>?ABCYZ_abcyz`)), 0, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		lot, serial := set82.Draw(t, "lot"), set82.Draw(t, "serial")
		template, err := station.GS1Template("https://t.example", gtin, lot, serial)
		if err != nil {
			long := len(template.Prefix)+len(template.Middle) > 120
			dots := strings.Trim(lot, ".") == "" && len(lot) < 3 || strings.Trim(serial, ".") == "" && len(serial) < 3
			require.True(t, long || dots, "%v", err)
			return
		}
		text := template.URL(id, 7, make([]byte, tap.P256.SignatureLen()))
		read, err := tap.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, id, read.ID)
		require.Equal(t, uint32(7), read.Counter)
		link, err := gs1.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, gtin, link.Key.Value)
		require.Equal(t, lot, link.Value(gs1.Lot))
		if serial == "" {
			serial = id.String()
		}
		require.Equal(t, serial, link.Value(gs1.Serial))
	})
}

// ofGS1 is an order for a card whose URLs are Digital Links.
func ofGS1(t *testing.T, lot, serial string) station.Order {
	t.Helper()
	o := order(t)
	o.GTIN, o.Lot, o.Serial = gtin, lot, serial
	var err error
	o.Template, err = station.GS1Template("https://tap.example.com", gtin, lot, serial)
	require.NoError(t, err)
	return o
}

func TestTheRecordSaysWhatTheDigitalLinkSays(t *testing.T) {
	for _, serial := range []string{"", "4711"} {
		w, c := newWorld(t), newCard("card")
		first := ofGS1(t, "L1", serial)
		first.Lock = false
		_, err := w.make(t, c, first)
		require.NoError(t, err)
		finish, _, err := w.station("acme").Registered(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, serial, finish.Serial)
		finish.Confirm = first.Confirm
		_, err = w.make(t, c, finish)
		require.NoError(t, err)
		w.holds(t, c)
		_, states, err := w.history()
		require.NoError(t, err)
		known, _, err := states.Card(c.Soft.ID())
		require.NoError(t, err)
		link, err := gs1.Parse(c.Soft.Tap())
		require.NoError(t, err)
		assert.Equal(t, []string{link.Key.Value, link.Value(gs1.Lot), link.Value(gs1.Serial)}, []string{known.GTIN, known.Lot, known.Serial})
		_, err = w.make(t, c, ofGS1(t, "L1", serial))
		require.NoError(t, err, "a second run has nothing to do")
	}
}

func TestAnOrderThatDisagreesWithItsDigitalLinkTouchesNothing(t *testing.T) {
	for name, change := range map[string]func(*station.Order){
		"gtin":      func(o *station.Order) { o.GTIN = "09521234543213" },
		"no gtin":   func(o *station.Order) { o.GTIN = "" },
		"lot":       func(o *station.Order) { o.Lot = "L2" },
		"no lot":    func(o *station.Order) { o.Lot = "" },
		"serial":    func(o *station.Order) { o.Serial = "4712" },
		"no serial": func(o *station.Order) { o.Serial = "" },
	} {
		c, o := newCard("card"), ofGS1(t, "L1", "4711")
		change(&o)
		_, err := newWorld(t).make(t, c, o)
		require.ErrorIs(t, err, station.ErrDisagrees, name)
		assert.Zero(t, c.commands, name)
	}
	mistyped, err := tap.PlainTemplate("https://tap.example.com/01/09520123456789")
	require.NoError(t, err)
	for _, gtin := range []string{"", gtin} {
		c, o := newCard("card"), order(t)
		o.Template, o.GTIN = mistyped, gtin
		_, err = newWorld(t).make(t, c, o)
		require.ErrorIs(t, err, station.ErrDisagrees, "a number that no article has")
		assert.ErrorContains(t, err, "the check digit is 9 and should be 8")
		assert.Zero(t, c.commands)
	}
	c, o := newCard("card"), ofGS1(t, "L1", "")
	o.Serial = c.Soft.ID().String()
	_, err = newWorld(t).make(t, c, o)
	require.ErrorIs(t, err, station.ErrDisagrees, "the card's id is for the card to say")
}
