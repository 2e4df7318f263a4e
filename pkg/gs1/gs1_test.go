package gs1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/gs1"
)

func ExampleParse() {
	l, err := gs1.Parse("https://example.com/shop/01/9520123456788/10/A%2F7/21/4711?17=271231&c=0000002A")
	fmt.Println(l.Key.Value, l.Value(gs1.Lot), l.Value(gs1.Serial), l.Value("17"), err)
	fmt.Println(l)
	fmt.Println(l.Canonical())
	// Output:
	// 09520123456788 A/7 4711 271231 <nil>
	// https://example.com/shop/01/09520123456788/10/A%2F7/21/4711?17=271231&c=0000002A
	// https://id.gs1.org/01/09520123456788/10/A%2F7/21/4711?17=271231
}

func ExampleLink_String() {
	l := gs1.Link{Stem: "https://tap.example.com", Key: gs1.Element{AI: gs1.KeyGTIN, Value: "09520123456788"},
		Qualifiers: []gs1.Element{{AI: gs1.Lot, Value: "2026/11"}, {AI: gs1.Serial, Value: "A+1"}}}
	fmt.Println(l, l.Check())
	// Output: https://tap.example.com/01/09520123456788/10/2026%2F11/21/A%2B1 <nil>
}

func TestFullGTINMakesOneNumberOneText(t *testing.T) {
	for text, want := range map[string]string{
		"9520123456788": "09520123456788", "09520123456788": "09520123456788", "96385074": "00000096385074",
		"9520123456789": "9520123456789", "": "", "olive oil": "olive oil",
	} {
		assert.Equal(t, want, gs1.FullGTIN(text))
	}
}

func TestParseGTINHoldsFourteenDigits(t *testing.T) {
	for text, want := range map[string]gs1.GTIN{
		"09520123456788": "09520123456788", "9520123456788": "09520123456788", "614141123452": "00614141123452",
		"96385074": "00000096385074", "19520123456785": "19520123456785",
	} {
		got, err := gs1.ParseGTIN(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
	}
}

func TestParseGTINRefuses(t *testing.T) {
	for _, text := range []string{"", "1", "952012345678", "095201234567880", "0952012345678a", "０9520123456", "9520123456788 ", "+9520123456788", "-520123456788"} {
		got, err := gs1.ParseGTIN(text)
		assert.ErrorIs(t, err, gs1.ErrMalformed, text)
		assert.Empty(t, got, text)
	}
}

// TestAMistypedDigitIsFound: each single wrong digit, in each place.
func TestAMistypedDigitIsFound(t *testing.T) {
	const good = "09520123456788"
	for i := range len(good) {
		for d := byte('0'); d <= '9'; d++ {
			text := good[:i] + string(d) + good[i+1:]
			_, err := gs1.ParseGTIN(text)
			if text == good {
				require.NoError(t, err)
				continue
			}
			var wrong *gs1.WrongCheckDigit
			require.ErrorAs(t, err, &wrong, text)
			assert.ErrorIs(t, err, gs1.ErrMalformed)
			assert.Equal(t, text[13], wrong.Got)
			_, err = gs1.ParseGTIN(text[:13] + string(wrong.Want))
			assert.NoError(t, err)
		}
	}
	_, err := gs1.ParseGTIN("09520123456789")
	assert.EqualError(t, err, "malformed: GTIN: the check digit is 9 and should be 8")
}

func TestCheckDigit(t *testing.T) {
	for digits, want := range map[string]byte{"629104150021": '3', "37610425002123456": '9', "0": '0', "1": '7', "0952012345678": '8'} {
		got, err := gs1.CheckDigit(digits)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), digits)
	}
	for _, digits := range []string{"", "12a", " 1"} {
		_, err := gs1.CheckDigit(digits)
		assert.ErrorIs(t, err, gs1.ErrMalformed, digits)
	}
}

func TestElementsHaveTheirFormat(t *testing.T) {
	const set82 = `!"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz`
	require.Len(t, set82, 82)
	for ai, values := range map[gs1.AI][]string{
		gs1.KeySSCC: {"376104250021234569"},
		gs1.KeyGTIN: {"09520123456788"},
		gs1.KeyGLN:  {"9520123456788"},
		gs1.KeyGRAI: {"09520123456788", "09520123456788" + strings.Repeat("x", 16)},
		gs1.KeyGIAI: {"9520123A", set82[:30], set82[30:60], set82[52:]},
		gs1.Variant: {"2A"}, gs1.GLNExtension: {"32a/b"}, gs1.Serial: {set82[:20], "sCwcVia7OYj7c-_W"},
		gs1.Lot: {"1", set82[60:80], set82[80:]},
		"17":    {"271231"}, "02": {"09520123456788"}, "3103": {"001250"}, "410": {"9520123456788"}, "99": {strings.Repeat("z", 90)}, "20": {"01"}, "240": {"a"}, "7003": {"2712312359"},
	} {
		for _, v := range values {
			assert.NoError(t, gs1.Element{AI: ai, Value: v}.Check(), "%s %s", ai, v)
		}
	}
	for ai, values := range map[gs1.AI][]string{
		gs1.KeySSCC: {"376104250021234568", "3761042500212345", "37610425002123456a", ""},
		gs1.KeyGTIN: {"9520123456788", "09520123456789", ""},
		gs1.KeyGLN:  {"9520123456789", "09520123456788"},
		gs1.KeyGRAI: {"19520123456785", "09520123456787", "0952012345678", "09520123456788" + strings.Repeat("x", 17), "09520123456788 ", "a9520123456788"},
		gs1.KeyGIAI: {"", strings.Repeat("1", 31), "a b", "a#", "a~"},
		gs1.Variant: {"", strings.Repeat("1", 21)}, gs1.GLNExtension: {""}, gs1.Serial: {"", "ä", "a\x00", "a\\", "a$", "a@", "a[", "a`"},
		gs1.Lot: {"", strings.Repeat("1", 21)},
		"17":    {"27123", "2712310", "27123a"}, "02": {"09520123456789"}, "3103": {"1"}, "410": {"9520123456789"}, "99": {"", strings.Repeat("z", 91)},
		"20": {"1"}, "310": {"001250"}, "05": {"1"}, "5": {"1"}, "": {"1"}, "1a": {"1"}, "12345": {"1"}, "6012": {"1"}, "lot": {"1"},
	} {
		for _, v := range values {
			assert.ErrorIs(t, gs1.Element{AI: ai, Value: v}.Check(), gs1.ErrMalformed, "%s %q", ai, v)
		}
	}
}
