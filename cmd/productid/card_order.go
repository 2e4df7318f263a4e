package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/tap"
)

// orderFlags are an order as it is typed.
type orderFlags struct {
	template, alg string
	gs1           string
	profile       profileFlags
	order         station.Order
	noLock        bool
	dryRun        bool
}

func (f *orderFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.template, "template", "", "`URL` that taps lead to, such as https://tap.example.com/t")
	flags.StringVar(&f.alg, "alg", "p256", "key `algorithm`: p256, rsa2048")
	flags.StringVar(&f.order.Subject, "subject", "product", "`kind` of thing the card stands for: product, place, event, device, actuator")
	flags.StringVar(&f.order.GTIN, "gtin", "", "`GTIN` of the product")
	flags.StringVar(&f.gs1, "gs1", "", "`GTIN` of the product; taps lead to a GS1 Digital Link below --template, https://HOST[/PATH]")
	flags.StringVar(&f.order.Lot, "lot", "", "`lot` of the product")
	flags.StringVar(&f.order.Serial, "serial", "", "`serial` number of the product")
	flags.StringVar(&f.order.Operator, "operator", "", "`id` of who makes the card; the record is public, so no personal name")
	f.profile.declare(flags)
	flags.BoolVar(&f.noLock, "no-lock", false, "stop before the lock; another run goes on")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the commands and records; write nothing")
}

func (f *orderFlags) parse() (station.Order, error) {
	o := f.order
	var err error
	if o.GTIN != "" {
		gtin, err := readGTIN("gtin", o.GTIN)
		if err != nil {
			return o, err
		}
		o.GTIN = string(gtin)
	}
	if o.Template, err = f.leadsTo(&o); err != nil {
		return o, err
	}
	if o.Algorithm, err = algorithmOf(f.alg); err != nil {
		return o, err
	}
	if o.Profile, err = f.profile.parse(); err != nil {
		return o, err
	}
	o.Lock = !f.noLock
	return o, nil
}

// algorithmOf reads --alg.
func algorithmOf(text string) (tap.Algorithm, error) {
	a, err := tap.ParseAlgorithm(text)
	if err == nil && a == tap.Ed25519 {
		err = fmt.Errorf("%w: no card makes keys of ed25519", tap.ErrUnsupported)
	}
	if err != nil {
		return 0, console.Misuse("reading --alg", err.Error(), "give --alg p256 or --alg rsa2048")
	}
	return a, nil
}

// leadsTo is the template; with --gs1 the order gets the number of its article.
func (f *orderFlags) leadsTo(o *station.Order) (tap.Template, error) {
	refuse := func(why string) (tap.Template, error) {
		next := "give --template https://HOST/PATH"
		if f.gs1 != "" {
			next = "give --gs1 a GTIN and --template https://HOST or https://HOST/PATH; --lot and --serial are of at most 20 characters"
		}
		return tap.Template{}, console.Misuse("reading the order", why, next)
	}
	if f.template == "" {
		return refuse("no template: where should taps lead?")
	}
	if f.gs1 == "" {
		t, err := tap.PlainTemplate(f.template)
		if err != nil {
			return refuse(err.Error())
		}
		return t, nil
	}
	gtin, err := readGTIN("gs1", f.gs1)
	if err != nil {
		return tap.Template{}, err
	}
	if o.GTIN != "" && o.GTIN != string(gtin) {
		return refuse("--gs1 and --gtin name two articles")
	}
	o.GTIN = string(gtin)
	t, err := station.GS1Template(f.template, gtin, o.Lot, o.Serial)
	if err != nil {
		return refuse(err.Error())
	}
	return t, nil
}

// profileFlags say how a card is to behave towards readers.
type profileFlags struct{ profile, maxRead string }

// Values of the flags.
const (
	profilePlain     = "plain"
	profileChallenge = "challenge-only"
	maxReadOld       = "old-reader"
)

func (f *profileFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.profile, "profile", profilePlain, "plain: each tap is signed; challenge-only: none is, and the card answers challenges")
	flags.StringVar(&f.maxRead, "max-read", strconv.Itoa(card.DefaultMaxRead),
		fmt.Sprintf("most `bytes` that a reader may ask for at once, 15 to %d, or %s (%d)", card.DefaultMaxRead, maxReadOld, card.OldReaderMaxRead))
}

func (f *profileFlags) parse() (card.Profile, error) {
	const doing = "reading the order"
	if f.profile != profilePlain && f.profile != profileChallenge {
		return card.Profile{}, console.Misuse(doing, fmt.Sprintf("--profile is %q", f.profile), "give --profile plain or --profile challenge-only")
	}
	p := card.Profile{ChallengeOnly: f.profile == profileChallenge, MaxRead: card.OldReaderMaxRead}
	if f.maxRead == maxReadOld {
		return p, nil
	}
	n, err := strconv.ParseUint(f.maxRead, 10, 16)
	p.MaxRead = uint16(n)
	if err != nil || p.Check() != nil {
		return p, console.Misuse(doing, fmt.Sprintf("--max-read is %q", f.maxRead),
			fmt.Sprintf("give a number from 15 to %d, or %s; without the flag it suits phones", card.DefaultMaxRead, maxReadOld))
	}
	return p, nil
}

// flagsOf are the flags that order a profile.
func flagsOf(p card.Profile) string {
	kind := profilePlain
	if p.ChallengeOnly {
		kind = profileChallenge
	}
	return fmt.Sprintf("--profile %s --max-read %d", kind, p.MaxRead)
}
