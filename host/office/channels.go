package office

import (
	"errors"
	"net/http"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

const channelsOnPage = 25 // cards, of two channels each

// channelLine is one channel of an issuer's.
type channelLine struct {
	Kind   string // issuer, audit, taps, settings
	ID     string
	Card   string // of taps and settings
	Link   string // of the card
	Verify string // path of what can be verified without us; "" where nobody else can read
	Length uint64 // messages
	Head   *ledger.Entry
}

type channelsPage struct {
	Channels []channelLine
	Next     string
	First    bool
}

// channels lists an issuer's channels: his own two, and those of each card.
func (v *visit) channels() error {
	p := channelsPage{First: v.query("after") == ""}
	after, _ := tap.ParseCardID(v.query("after"))
	if p.First {
		own := channelLine{Kind: "issuer", ID: v.issuer.String()}
		if err := v.measure(&own, v.issuer); err != nil {
			return err
		}
		p.Channels = append(p.Channels, own)
		if author, err := v.Authors.Audit(v.issuer); err == nil {
			line := channelLine{Kind: "audit", ID: author.Channel().String()}
			if err := v.measure(&line, author.Channel()); err != nil {
				return err
			}
			p.Channels = append(p.Channels, line)
		}
	}
	cards, err := v.Registry.Find(v.ctx, registry.Search{Issuer: v.issuer, After: after}, channelsOnPage+1)
	if err != nil {
		return err
	}
	if len(cards) > channelsOnPage {
		cards = cards[:channelsOnPage]
		p.Next = v.at("channels") + "?after=" + cards[channelsOnPage-1].ID.String()
	}
	for _, c := range cards {
		id := c.ID.String()
		taps := channelLine{Kind: "taps", ID: c.Taps.String(), Card: id, Link: v.at("cards", id), Verify: "/c/" + id}
		if err := v.measure(&taps, c.Taps); err != nil {
			return err
		}
		p.Channels = append(p.Channels, taps)
		author, err := v.Authors.Settings(v.issuer, c.ID)
		if err != nil {
			continue // another installation's
		}
		set := channelLine{Kind: "settings", ID: author.Channel().String(), Card: id, Link: v.at("cards", id)}
		if err := v.measure(&set, author.Channel()); err != nil {
			return err
		}
		p.Channels = append(p.Channels, set)
	}
	return v.show(http.StatusOK, "channels", p)
}

// measure asks the ledger how far a channel has come.
func (v *visit) measure(line *channelLine, id channel.ID) error {
	head, err := v.Ledger.Head(v.ctx, id)
	if errors.Is(err, ledger.ErrNoChannel) {
		return nil
	}
	if err != nil {
		return err
	}
	line.Head, line.Length = &head, head.Message.Number()+1
	return nil
}
