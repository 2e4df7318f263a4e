package serve

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// Each alarm, and a report, is put into the words of both languages, and says where to look.
func TestMailsAreInWords(t *testing.T) {
	s := &Service{Options: Options{Base: &url.URL{Scheme: "https", Host: "tap.example.com"}, Mail: &notify.Mail{}}}
	compose := s.mail().Compose
	require.Nil(t, s.Mail.Compose, "the caller's settings stay as they are")
	card, issuer := tap.CardID{1}, channel.ID{2}
	at := time.Date(2026, 11, 24, 10, 42, 0, 0, time.UTC)
	for _, kind := range alarm.Kinds() {
		data, err := json.Marshal(alarm.AlarmData{Alarm: "7", Card: card, Kind: kind, Data: json.RawMessage("{}")})
		require.NoError(t, err)
		subject, text := compose(notify.Event{ID: "alarm-7", Kind: notify.AlarmRaised, Issuer: issuer, Time: at, Data: data})
		assert.Contains(t, subject, card.String())
		for _, missing := range []string{"office.", "mail.", "{1}"} {
			assert.NotContains(t, subject, missing)
			assert.NotContains(t, strings.ReplaceAll(text, "/office/", ""), missing)
		}
		assert.Equal(t, 2, strings.Count(text, "https://tap.example.com/office/i/"+issuer.String()+"/alarms"))
		assert.Contains(t, text, "Un allarme")
	}
	data, err := json.Marshal(alarm.ReportData{Report: "7", Card: &card})
	require.NoError(t, err)
	subject, text := compose(notify.Event{ID: "report-7", Kind: notify.ReportReceived, Issuer: issuer, Time: at, Data: data})
	assert.Equal(t, "ProductID: somebody reported a card", subject)
	assert.Contains(t, text, card.String())
	assert.Contains(t, text, "/reports")
	_, text = compose(notify.Event{ID: "report-8", Kind: notify.ReportReceived, Issuer: issuer, Time: at, Data: json.RawMessage(`{"report":"8"}`)})
	assert.NotContains(t, text, "Card:")
	none := &Service{}
	assert.Nil(t, none.mail())
}
