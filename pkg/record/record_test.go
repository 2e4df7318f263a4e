package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestParseRefusesWhatIsNoIJSON(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                     ``,
		"an array":                    `[]`,
		"null":                        `null`,
		"trailing data":               `{"kind":"x"} {}`,
		"bad UTF-8":                   "{\"kind\":\"x\",\"a\":\"\xff\"}",
		"byte order mark":             "\ufeff" + `{"kind":"x"}`,
		"a lone high surrogate":       `{"kind":"x","a":"\uD83D"}`,
		"a lone low surrogate":        `{"kind":"x","a":"\uDE00"}`,
		"surrogates in wrong order":   `{"kind":"x","a":"\uDE00\uD83D"}`,
		"a noncharacter":              `{"kind":"x","a":"\uFFFF"}`,
		"a noncharacter as a name":    `{"kind":"x","\uFDD0":1}`,
		"a member twice":              `{"kind":"x","kind":"x"}`,
		"a member twice, escaped":     `{"kind":"x","\u006bind":"x"}`,
		"a member twice, deep inside": `{"kind":"x","a":[{"b":{"c":1,"c":2}}]}`,
		"an integer beyond 2^53-1":    `{"kind":"x","a":9007199254740992}`,
		"a number beyond a double":    `{"kind":"x","a":1e999}`,
		"nesting without end":         `{"kind":"x","a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
		"no kind":                     `{"Kind":"x"}`,
		"an empty kind":               `{"kind":""}`,
		"kind null":                   `{"kind":null}`,
		"must that is no boolean":     `{"kind":"x","must":"yes"}`,
		"a body that is too long":     `{"kind":"x","a":"` + strings.Repeat("a", channel.MaxBody) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := record.Parse([]byte(body))
			assert.ErrorIs(t, err, record.ErrMalformed)
		})
	}
}

func TestParseKeepsWhatItDoesNotKnow(t *testing.T) {
	body := `{"kind":"weather","must":true,"Kind":"not this","emoji":"\uD83D\uDE00\\uD83D","n":[9007199254740991,-1.5e300]}`
	r, err := record.Parse([]byte(body))
	require.NoError(t, err)
	assert.Equal(t, record.Record{Kind: "weather", Must: true, Raw: []byte(body)}, r)

	body = `{"kind":"card.in_service","last":7,"state":"in_service","STATE":"revoked","later":{"x":1}}`
	r, err = record.Parse([]byte(body))
	require.NoError(t, err)
	assert.Equal(t, recordtest.InService(7), r.Value)
	assert.Equal(t, body, string(r.Raw))
}

// wrongForm puts a value that is not of its form into a good body.
type wrongForm struct{ kind, member, value string }

func wrongForms() []wrongForm {
	return []wrongForm{
		{"issuer", "name", `""`},
		{"issuer", "log", `""`},
		{"issuer", "network", `"both"`},
		{"issuer", "next", `"short"`},
		{"issuer", "url", `null`},
		{"registered", "alg", `"P256"`},
		{"registered", "alg", `"p384"`},
		{"registered", "subject", `"dream"`},
		{"registered", "key", `"AA=="`},
		{"registered", "key", `"AB"`},
		{"registered", "key", `"AA\n"`},
		{"registered", "key", `[1,2]`},
		{"registered", "taps", `7`},
		{"registered", "applet", `[]`},
		{"registered", "applet", `{}`},
		{"registered", "proof", `{"counter":1,"nonce":"AA"}`},
		{"registered", "proof", `{"Counter":1,"nonce":"AA","signature":"AA"}`},
		{"in service", "last", `-1`},
		{"in service", "last", `4294967296`},
		{"in service", "last", `1.0`},
		{"in service", "last", `"1"`},
		{"in service", "state", `"In_Service"`},
		{"in service", "settings", `"x"`},
		{"tap", "i", `"AAAA"`},
		{"tap", "c", `9`},
		{"tap", "c", `"0000000a"`},
		{"tap", "c", `"+0000009"`},
		{"tap", "skipped", `[1]`},
		{"tap", "skipped", `[1,2,3]`},
		{"tap", "skipped", `[null,2]`},
		{"tap", "skipped", `null`},
		{"tap", "salt", `7`},
		{"in service", "last", `true`},
		{"in service", "state", `null`},
		{"in service", "must", `"true"`},
		{"in service", "must", `1`},
		{"tap", "skipped", `{}`},
		{"tap", "payloadHash", `"x"`},
		{"tap", "payload", `null`},
		{"revoked", "state", `"in_service"`},
		{"revoked", "reason", `7`},
		{"revoked", "by", `null`},
		{"associated", "device", `null`},
		{"associated", "device", `["a"]`},
		{"associated", "state", `"gone"`},
	}
}

func TestParseRefusesMembersOfAWrongForm(t *testing.T) {
	card, chain := taptest.NewCard("a"), recordtest.NewChain("a")
	good := map[string][]byte{
		"issuer":     recordtest.Body(recordtest.Opened("issuer")),
		"registered": recordtest.Body(recordtest.Registered(card, chain.ID(), chain.ID())),
		"in service": recordtest.Body(recordtest.InService(1)),
		"tap":        recordtest.Body(recordtest.Tapped(card, 9)),
		"revoked":    recordtest.Body(revoked(9)),
		"associated": recordtest.Body(record.CardAssociated{Last: 9, State: record.StateInService, Device: "lock 7"}),
	}
	for _, row := range wrongForms() {
		t.Run(row.kind+" "+row.member+" "+row.value, func(t *testing.T) {
			var o map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(good[row.kind], &o))
			_, err := record.Parse(good[row.kind])
			require.NoError(t, err)
			o[row.member] = json.RawMessage(row.value)
			bad, err := json.Marshal(o)
			require.NoError(t, err)
			_, err = record.Parse(bad)
			assert.ErrorIs(t, err, record.ErrMalformed)
		})
	}
}

func TestParseRefusesEachMissingMember(t *testing.T) {
	body := recordtest.Body(recordtest.Registered(taptest.NewCard("a"), channel.ID{}, channel.ID{1}))
	var o map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &o))
	for _, optional := range []string{"gtin", "lot", "serial", "operator"} {
		delete(o, optional)
	}
	for name, value := range o {
		delete(o, name)
		bad, err := json.Marshal(o)
		require.NoError(t, err)
		_, err = record.Parse(bad)
		assert.ErrorIs(t, err, record.ErrMalformed, name)
		o[name] = value
	}
}

func TestEncodeRefusesWhatCannotBeReadBack(t *testing.T) {
	opened := recordtest.Opened("issuer")
	opened.Name = "bad \xff"
	_, err := opened.Encode()
	assert.ErrorIs(t, err, record.ErrMalformed)

	tapped := recordtest.Tapped(taptest.NewCard("a"), 1)
	deep := strings.Repeat("[", 16) + strings.Repeat("]", 16)
	for _, payload := range []string{`{"a":1,"a":2}`, `null`, ` null `, deep, `"` + strings.Repeat("x", channel.MaxBody) + `"`} {
		tapped.Payload = json.RawMessage(payload)
		_, err = tapped.Encode()
		assert.ErrorIs(t, err, record.ErrMalformed, payload)
	}
	tapped.Payload, tapped.State = nil, ""
	_, err = tapped.Encode()
	assert.ErrorIs(t, err, record.ErrMalformed)
}

func TestANewRegistrationHasAWholeGTIN(t *testing.T) {
	for gtin, good := range map[string]bool{"": true, "09506000134352": true, "9506000134352": false, "09506000134353": false, "x": false} {
		registered := recordtest.Registered(taptest.NewCard("a"), channel.ID{1}, channel.ID{2})
		registered.GTIN = gtin
		body, err := registered.Encode()
		if good {
			require.NoError(t, err, gtin)
			continue
		}
		assert.ErrorIs(t, err, record.ErrMalformed, gtin)
		registered.GTIN = "09506000134352"
		body = bytes.Replace(recordtest.Body(registered), []byte("09506000134352"), []byte(gtin), 1)
		read, err := record.Parse(body)
		require.NoError(t, err, "an older one is read")
		assert.Equal(t, gtin, read.Value.(record.CardRegistered).GTIN)
	}
	registered := recordtest.Registered(taptest.NewCard("a"), channel.ID{1}, channel.ID{2})
	registered.GTIN = "09506000134353"
	_, err := registered.Encode()
	var wrong *gs1.WrongCheckDigit
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, byte('2'), wrong.Want)
}

func TestURLsStayReadable(t *testing.T) {
	assert.Contains(t, string(recordtest.Body(recordtest.Opened("i"))), `"https://issuer.example.com/?a=1&b=2"`)
}

// text draws any Unicode text that I-JSON lets through.
func text() *rapid.Generator[string] {
	return rapid.StringMatching(`[\x{0}-\x{D7FF}\x{E000}-\x{FDCF}\x{10000}-\x{1FFFD}]{1,20}`)
}

func hash(t *rapid.T, label string) channel.Hash {
	return channel.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
}

func TestEveryBodyReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := rapid.SampledFrom([]string{"", hash(t, "settings").String()}).Draw(t, "settings")
		state := rapid.SampledFrom([]string{"in_service", "completed", "revoked", "moved"}).Draw(t, "state")
		last := rapid.Uint32().Draw(t, "last")
		blob := record.Bytes(rapid.SliceOfN(rapid.Byte(), 0, 99).Draw(t, "bytes"))
		h := hash(t, "hash")
		id := tap.CardID(h[:12])
		tapped := record.Tap{
			ID: id, Counter: record.Counter(last), Signature: blob, Alg: "rsa2048", Action: text().Draw(t, "action"),
			Last: last, State: state, Settings: settings, Salt: record.Bytes(h[:16]), Previous: &h, Operator: text().Draw(t, "operator"),
		}
		if rapid.Bool().Draw(t, "payload") {
			payload, err := json.Marshal(map[string]string{"a": text().Draw(t, "text")})
			require.NoError(t, err)
			tapped.Payload, tapped.Skipped = payload, &record.Range{1, last}
		} else {
			tapped.PayloadHash = &h
		}
		for _, body := range []interface{ Encode() ([]byte, error) }{
			record.IssuerOpened{Name: text().Draw(t, "name"), URL: text().Draw(t, "url"), Network: text().Draw(t, "network"), Next: h},
			record.CardRegistered{
				ID: id, Alg: "p256", Key: blob, Prefix: text().Draw(t, "prefix"), Middle: text().Draw(t, "middle"), Subject: "place",
				Lot: text().Draw(t, "lot"), Taps: channel.ID(h), Station: text().Draw(t, "station"),
				Applet: record.Applet{Version: "1", CAP: text().Draw(t, "cap")}, Proof: record.Proof{Counter: last, Nonce: blob, Signature: blob},
			},
			record.CardInService{Last: last, State: state, Settings: settings},
			record.CardRevoked{Last: last, State: record.StateRevoked, Settings: settings, Reason: text().Draw(t, "reason"), By: text().Draw(t, "by")},
			record.CardAssociated{Last: last, State: state, Settings: settings, Device: text().Draw(t, "device")},
			tapped,
		} {
			encoded, err := body.Encode()
			require.NoError(t, err)
			r, err := record.Parse(encoded)
			require.NoError(t, err, "%s", encoded)
			require.Equal(t, body, r.Value)
		}
	})
}

func TestTheTapHeadIsReadFromEveryKind(t *testing.T) {
	card := taptest.NewCard("a")
	settings := channel.Hash{1}.String()
	for _, row := range []struct {
		body []byte
		want record.TapHead
	}{
		{recordtest.Body(recordtest.Tapped(card, 9)), record.TapHead{Kind: "tap", Last: 9, State: "in_service"}},
		{recordtest.Body(recordtest.InService(3)), record.TapHead{Kind: "card.in_service", Last: 3, State: "in_service"}},
		{recordtest.Body(record.CardAssociated{Last: 4, State: "completed", Settings: settings, Device: "x"}), record.TapHead{Kind: "card.associated", Last: 4, State: "completed", Settings: settings}},
		{[]byte(`{"kind":"card.completed","last":4,"state":"completed"}`), record.TapHead{Kind: "card.completed", Last: 4, State: "completed"}},
		{[]byte(`{"kind":"card.revoked","last":4,"state":"revoked","reason":"lost"}`), record.TapHead{Kind: "card.revoked", Last: 4, State: "revoked"}},
		{fmt.Appendf(nil, `{"kind":"channel.moved","last":4,"state":"moved","settings":%q,"to":"log.example.org","was":"completed"}`, settings), record.TapHead{Kind: "channel.moved", Last: 4, State: "moved", Settings: settings}},
	} {
		head, err := record.ParseTapHead(row.body)
		require.NoError(t, err)
		assert.Equal(t, row.want, head)
	}
	for _, bad := range []string{
		`{"kind":"card.dreamt"}`, `{"kind":"x","last":1}`, `{"kind":"x","last":1,"state":"asleep"}`, `{"kind":"x","LAST":1,"state":"revoked"}`,
		`{"kind":"x","last":1,"state":"revoked","state":"in_service"}`,
	} {
		_, err := record.ParseTapHead([]byte(bad))
		assert.ErrorIs(t, err, record.ErrMalformed, bad)
	}
	_, err := record.ParseTapHead([]byte(`{"kind":"x","must":true,"last":1,"state":"in_service"}`))
	assert.ErrorIs(t, err, record.ErrMust)
}
