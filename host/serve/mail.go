package serve

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/words"
)

// mail is the settings for mails, with the words that they are put into.
func (s *Service) mail() *notify.Mail {
	if s.Mail == nil || s.Mail.Compose != nil {
		return s.Mail
	}
	m := *s.Mail
	m.Compose = s.compose
	return &m
}

// compose puts an event into words: in every language, one behind the other, because nobody knows which one the reader has.
func (s *Service) compose(e notify.Event) (subject, text string) {
	var texts []string
	for _, lang := range words.Languages() {
		title, body := s.say(words.For("", lang), e)
		if subject == "" {
			subject = title
		} else {
			body = title + "\n\n" + body
		}
		texts = append(texts, body)
	}
	return subject, strings.Join(texts, "\n\n--\n\n") + "\n"
}

func (s *Service) say(w *words.Words, e notify.Event) (title, text string) {
	var lines []string
	var card, page string
	switch e.Kind {
	case notify.AlarmRaised:
		var a alarm.AlarmData
		_ = json.Unmarshal(e.Data, &a) // it is our own; what is missing is seen
		card, page = a.Card.String(), "alarms"
		title = w.T("mail.alarm.subject", w.T("office.alarm."+a.Kind), card)
		lines = append(lines, w.T("office.alarm."+a.Kind+".means")+" "+w.T("mail.hint"))
	case notify.ReportReceived:
		var r alarm.ReportData
		_ = json.Unmarshal(e.Data, &r)
		if r.Card != nil {
			card = r.Card.String()
		}
		page, title = "reports", w.T("mail.report.subject")
		lines = append(lines, w.T("mail.report.means"))
	default:
		title = w.T("office.kind." + e.Kind)
	}
	lines = append(lines, "")
	if card != "" {
		lines = append(lines, w.T("mail.card", card))
	}
	lines = append(lines, w.T("mail.time", w.Date(e.Time, time.UTC)),
		w.T("mail.look", s.Base.JoinPath("office", "i", e.Issuer.String(), page).String()), "", w.T("mail.why"))
	return title, strings.Join(lines, "\n")
}
