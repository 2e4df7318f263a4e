package record

import (
	"net/url"

	"github.com/productid/productid/pkg/channel"
)

// Settings is what a card is set to: a message of the card's restricted settings channel. The newest one that the card's tap
// channel names is in force. It is written as a whole, each time.
type Settings struct {
	ProductURL    string `json:"productUrl,omitempty"`    // where a good tap leads: an absolute https address
	LoginRequired bool   `json:"loginRequired,omitempty"` // taps are recorded only for somebody who has identified himself
	Form          Form   `json:"form,omitempty"`          // what is asked of whoever taps, and recorded with the tap
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b Settings) Encode() ([]byte, error) { return encode(KindSettings, b) }

func (b Settings) check() error {
	if err := b.Form.Check(); err != nil {
		return err
	}
	if b.ProductURL == "" {
		return nil
	}
	u, err := url.Parse(b.ProductURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return malformed("productUrl is no absolute https address")
	}
	return checkTexts(b.ProductURL)
}

// ParseSettings reads the body of a settings message. The error is ErrMalformed, also for a record of another kind, or ErrMust.
func ParseSettings(body []byte) (Settings, error) {
	r, err := Parse(body)
	if err != nil {
		return Settings{}, err
	}
	s, ok := r.Value.(Settings)
	if !ok {
		return Settings{}, malformed("kind %.40q where settings must stand", r.Kind)
	}
	return s, nil
}

// CardConfigured puts settings in force: from here on the settings message with this hash counts.
type CardConfigured struct {
	Last     uint32       `json:"last"`
	State    string       `json:"state"`
	Settings channel.Hash `json:"settings"`
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b CardConfigured) Encode() ([]byte, error) { return encode(KindCardConfigured, b) }

func (b CardConfigured) check() error { return checkHead(b.State, b.Settings.String()) }
