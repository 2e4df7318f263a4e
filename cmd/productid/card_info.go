package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

func (a *app) cardInfo() *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Show what the card says about itself",
		Long:    "Shows what the card on the reader says about itself. It costs no count and proves nothing: productid card verify proves.",
		Example: "  productid card info --reader pcsc:ACR122",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withCard(c.Context(), func(r cardReader) error {
				client, err := card.Open(r)
				if err != nil {
					return err
				}
				info, err := client.Info()
				if err != nil {
					return err
				}
				v := viewOf(info)
				if template, err := client.Template(); err == nil {
					v.Template = template.Prefix + "…" + template.Middle + "…"
				}
				return a.console.Answer(v, v.words)
			})
		},
	}
}

// infoView is a card's information as it is printed.
type infoView struct {
	Applet     string      `json:"applet"`
	Algorithms []string    `json:"algorithms"`
	State      card.State  `json:"state"`
	ID         *tap.CardID `json:"card,omitempty"`
	Algorithm  string      `json:"alg,omitempty"`
	Template   string      `json:"template,omitempty"`
	Counter    uint32      `json:"counter"`
	CounterMax uint32      `json:"counterMax"`
	Challenge  bool        `json:"challengeOnly"`
	MaxRead    uint16      `json:"maxRead"`
}

func viewOf(i card.Info) infoView {
	v := infoView{Applet: i.Version.String(), State: i.State, Counter: i.Counter, CounterMax: i.CounterMax,
		Challenge: i.Profile.ChallengeOnly, MaxRead: i.Profile.MaxRead, Algorithms: []string{}}
	for _, alg := range i.Algorithms {
		v.Algorithms = append(v.Algorithms, alg.String())
	}
	if i.State != card.Installed {
		v.ID, v.Algorithm = &i.ID, i.Algorithm.String()
	}
	return v
}

func (v infoView) words(w io.Writer) {
	var id, profile string
	if v.ID != nil {
		id = v.ID.String()
	}
	if p := (card.Profile{ChallengeOnly: v.Challenge, MaxRead: v.MaxRead}); p != (card.Profile{MaxRead: card.DefaultMaxRead}) {
		profile = p.String()
	}
	console.Fields(w, "card", id, "state", v.State.String(), "key", v.Algorithm, "template", v.Template, "profile", profile,
		"counter", fmt.Sprintf("%d of %d", v.Counter, v.CounterMax), "applet", v.Applet,
		"can make", strings.Join(v.Algorithms, ", "), "next", v.next())
}

// next is what can be done with the card.
func (v infoView) next() string {
	switch {
	case v.State == card.Keyed:
		return "productid card personalise finishes it"
	case v.State == card.Locked && v.Counter >= v.CounterMax:
		return "its counter is at its end, so it signs nothing any more: make a new card in its place"
	case v.State == card.Locked && v.Challenge:
		return "nothing on it can be changed; productid card verify has it prove itself"
	case v.State == card.Locked:
		return "nothing on it can be changed; productid card read taps it"
	}
	return "productid card personalise makes its key"
}
