package record

import (
	"fmt"
	"reflect"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// minSalt is the size in bytes from which on a salt keeps others from finding a removed body by trying bodies out.
const minSalt = 16

// Removable says whether the payload of a message can be removed and everybody still comes to the same States: nil, or
// ledger.ErrKept with the reason. Removable are messages of restricted channels, and public records of a kind that Fold does not
// read, without the head of a tap channel and with a random salt: the hash that stays would tell a short body without one. That a
// channel's newest message stays is for the ledger.
func Removable(m channel.Message) error {
	if m.Removed() || m.Mode() == channel.Restricted {
		return nil
	}
	body, err := m.Body()
	if err != nil {
		return err
	}
	if reason := keep(body); reason != "" {
		return fmt.Errorf("message %d of channel %v %s: %w", m.Number(), m.Channel(), reason, ledger.ErrKept)
	}
	return nil
}

// keep says why a public body is kept, or nothing.
func keep(body []byte) string {
	r, err := Parse(body)
	if err != nil {
		return "is no record"
	}
	if r.Value != nil || r.Must {
		return fmt.Sprintf("is a record that decides, %.40s", r.Kind)
	}
	o, err := parseObject(body)
	if err != nil {
		return "is no record"
	}
	for _, name := range []string{"last", "state"} {
		if _, present := o.get(name); present {
			return "says how a card stands"
		}
	}
	var salted struct {
		Salt Bytes `json:"salt"`
	}
	if err := o.fill(reflect.ValueOf(&salted).Elem()); err != nil || len(salted.Salt) < minSalt {
		return fmt.Sprintf("has no salt of %d bytes", minSalt)
	}
	return ""
}
