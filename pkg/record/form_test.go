package record_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

// visit is a form with a field of each type.
func visit() record.Form {
	return record.Form{
		{Name: "who", Label: record.Label{"": "Who are you?"}, Type: record.FieldText, Required: true, MaxLength: 9},
		{Name: "kg", Label: record.Label{"en": "Weight", "it": "Peso"}, Type: record.FieldNumber},
		{Name: "place", Label: record.Label{"it": "Dove"}, Type: record.FieldChoice, Options: []string{"Milano", "Roma"}},
		{Name: "day", Label: record.Label{"": "Day"}, Type: record.FieldDate},
		{Name: "ok", Label: record.Label{"": "All well?"}, Type: record.FieldCheckbox},
	}
}

func TestAFormIsReadAgain(t *testing.T) {
	want := record.Settings{ProductURL: "https://shop.example.com/<&>", Form: visit()}
	got, err := record.ParseSettings(recordtest.Body(want))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	got, err = record.ParseSettings([]byte(`{"kind":"settings","form":[ {"name":"a","label":"A","type":"date","later":[]} ]}`))
	require.NoError(t, err)
	assert.Equal(t, record.Form{{Name: "a", Label: record.Label{"": "A"}, Type: record.FieldDate}}, got.Form)
	got, err = record.ParseSettings([]byte(`{"kind":"settings","form":[]}`))
	require.NoError(t, err)
	assert.Zero(t, got)
}

func TestFormsThatAreRefused(t *testing.T) {
	field := func(members string) string { return `[{"name":"a","label":"A",` + members + `}]` }
	many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	numbered := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"name":"a%d","label":"A","type":"date"}`, i))
		}
		return `[` + strings.Join(list, ",") + `]`
	}
	for _, form := range []string{
		`{}`, `"x"`, `null`, `[null]`, `[1]`, `[{"label":"A","type":"date"}]`, `[{"name":"a","type":"date"}]`, `[{"name":"a","label":"A"}]`,
		`[{"name":"A","label":"A","type":"date"}]`, `[{"name":"a_b","label":"A","type":"date"}]`, `[{"name":"a\n","label":"A","type":"date"}]`,
		`[{"name":"` + many(33, "a")[:33] + `","label":"A","type":"date"}]`,
		field(`"type":"file"`), field(`"type":"Text"`), field(`"type":null`), field(`"type":"date","required":1`),
		field(`"type":"choice"`), field(`"type":"choice","options":[]`), field(`"type":"choice","options":["a","a"]`), field(`"type":"choice","options":[""]`),
		field(`"type":"choice","options":[1]`), field(`"type":"choice","options":[null]`), field(`"type":"choice","options":"a"`), field(`"type":"text","options":["a"]`),
		field(`"type":"text","maxLength":1001`), field(`"type":"text","maxLength":-1`), field(`"type":"date","maxLength":1`),
		`[{"name":"a","label":"","type":"date"}]`, `[{"name":"a","label":{},"type":"date"}]`, `[{"name":"a","label":{"EN":"A"},"type":"date"}]`,
		`[{"name":"a","label":{"":"A"},"type":"date"}]`, `[{"name":"a","label":{"en":1},"type":"date"}]`, `[{"name":"a","label":"a\tb","type":"date"}]`,
		`[{"name":"a","label":"` + strings.Repeat("x", 201) + `","type":"date"}]`,
		`[{"name":"a","label":"A","type":"date"},{"name":"a","label":"B","type":"date"}]`, numbered(record.MaxFields + 1),
	} {
		_, err := record.ParseSettings([]byte(`{"kind":"settings","form":` + form + `}`))
		assert.ErrorIs(t, err, record.ErrMalformed, form)
	}
	_, err := record.ParseSettings([]byte(`{"kind":"settings","form":` + numbered(record.MaxFields) + `}`))
	assert.NoError(t, err)
}

func TestALabelSpeaksALanguage(t *testing.T) {
	f := visit()
	assert.Equal(t, "Who are you?", f[0].Label.In("it"))
	assert.Equal(t, "Peso", f[1].Label.In("it"))
	assert.Equal(t, "Weight", f[1].Label.In("de"))
	assert.Equal(t, "Dove", f[2].Label.In("en"))
	assert.Empty(t, record.Label{}.In("en"))
}

func TestAnswersBecomeThePayload(t *testing.T) {
	got, problems := visit().Payload(map[string]string{
		"who": " Jo & \"Co\" ", "kg": "-12.50", "place": "Roma", "day": "2028-02-29", "ok": "on",
	})
	require.Empty(t, problems)
	assert.Equal(t, `{"who":"Jo & \"Co\"","kg":-12.50,"place":"Roma","day":"2028-02-29","ok":true}`, string(got))

	got, problems = visit().Payload(map[string]string{"who": "a\r\nb"})
	require.Empty(t, problems)
	assert.Equal(t, `{"who":"a\nb","ok":false}`, string(got))

	got, problems = record.Form{}.Payload(nil)
	require.Empty(t, problems)
	assert.Equal(t, `{}`, string(got))
}

func TestAnswersThatAreRefused(t *testing.T) {
	for _, row := range []struct{ field, value, problem string }{
		{"who", "", record.ProblemRequired}, {"who", " \n ", record.ProblemRequired}, {"who", "àbcdefghij", record.ProblemTooLong},
		{"who", "a\x00", record.ProblemBadText}, {"who", "a\x7f", record.ProblemBadText}, {"who", "\xff", record.ProblemBadText}, {"who", "\ufffe", record.ProblemBadText},
		{"kg", "12,5", record.ProblemNoNumber}, {"kg", "1e3", record.ProblemNoNumber}, {"kg", "007", record.ProblemNoNumber}, {"kg", "1.", record.ProblemNoNumber},
		{"kg", "+1", record.ProblemNoNumber}, {"kg", "NaN", record.ProblemNoNumber}, {"kg", "1234567890123456", record.ProblemNoNumber}, {"kg", "1\n2", record.ProblemNoNumber},
		{"place", "milano", record.ProblemNoOption}, {"day", "2026-02-29", record.ProblemNoDate}, {"day", "24.11.2026", record.ProblemNoDate}, {"day", "0000-01-01", record.ProblemNoDate},
		{"ok", "maybe", record.ProblemNoTick},
	} {
		values := map[string]string{"who": "Jo"}
		values[row.field] = row.value
		got, problems := visit().Payload(values)
		assert.Nil(t, got)
		assert.Equal(t, []record.FieldProblem{{Field: row.field, Problem: row.problem}}, problems, "%q", row.value)
	}
	_, problems := visit().Payload(map[string]string{"who": "Jo", "x": "1", "y": "2"})
	assert.Equal(t, []record.FieldProblem{{Problem: record.ProblemUnknown}}, problems)
	_, problems = visit().Payload(map[string]string{"kg": "x"})
	assert.Len(t, problems, 2, "all problems at once")

	tick := record.Form{{Name: "ok", Label: record.Label{"": "I agree"}, Type: record.FieldCheckbox, Required: true}}
	_, problems = tick.Payload(map[string]string{"ok": "false"})
	assert.Equal(t, []record.FieldProblem{{Field: "ok", Problem: record.ProblemRequired}}, problems)
}

// Whatever a form lets through fits into the record of a tap.
func TestLongAnswersAreRefusedAsAWhole(t *testing.T) {
	var f record.Form
	values := make(map[string]string)
	for i := range record.MaxFields {
		name := fmt.Sprint("t", i)
		f = append(f, record.Field{Name: name, Label: record.Label{"": "T"}, Type: record.FieldText, MaxLength: record.MaxText})
		values[name] = strings.Repeat("x", 300)
	}
	require.NoError(t, f.Check())
	_, problems := f.Payload(values)
	assert.Equal(t, []record.FieldProblem{{Problem: record.ProblemTooLong}}, problems)
}

func TestAPayloadIsReadAsAnswers(t *testing.T) {
	values, problems := visit().Read([]byte(` {"ok":true, "who":"Jo","kg": 3.5 } `))
	require.Empty(t, problems)
	assert.Equal(t, map[string]string{"ok": "true", "who": "Jo", "kg": "3.5"}, values)
	for payload, want := range map[string]record.FieldProblem{
		``: {Problem: record.ProblemNoObject}, `[]`: {Problem: record.ProblemNoObject}, `null`: {Problem: record.ProblemNoObject}, `{"who":"a","who":"b"}`: {Problem: record.ProblemNoObject},
		`{"x":1}`: {Problem: record.ProblemUnknown}, `{"kg":"3"}`: {Field: "kg", Problem: record.ProblemWrongType}, `{"ok":"on"}`: {Field: "ok", Problem: record.ProblemWrongType},
		`{"who":null}`: {Field: "who", Problem: record.ProblemWrongType}, `{"day":20261124}`: {Field: "day", Problem: record.ProblemWrongType}, `{"kg":{}}`: {Field: "kg", Problem: record.ProblemWrongType},
	} {
		_, problems := visit().Read([]byte(payload))
		assert.Equal(t, []record.FieldProblem{want}, problems, payload)
	}
}

// What becomes a payload is I-JSON that a record can hold, reads back as the same answers, and gives the same payload again.
func FuzzFormPayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, who, kg, place, day, ok string) {
		form := visit()
		payload, problems := form.Payload(map[string]string{"who": who, "kg": kg, "place": place, "day": day, "ok": ok})
		if problems != nil {
			require.Nil(t, payload)
			return
		}
		require.NoError(t, record.CheckIJSON(payload))
		values, problems := form.Read(payload)
		require.Empty(t, problems)
		again, problems := form.Payload(values)
		require.Empty(t, problems)
		require.Equal(t, string(payload), string(again))
	})
}

// Whatever JSON is read as a form and holds is written and read again as the same form.
func FuzzForm(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		var form record.Form
		if record.CheckIJSON(text) != nil || json.Unmarshal(text, &form) != nil || form.Check() != nil {
			return
		}
		b, err := record.Settings{Form: form}.Encode()
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed) // too long for a message
			return
		}
		again, err := record.ParseSettings(b)
		require.NoError(t, err)
		require.Equal(t, form, again.Form)
		_, _ = form.Read(text)
	})
}
