package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/productid/productid/host/console"
	stage "github.com/productid/productid/host/demo"
	"github.com/productid/productid/host/pcsc"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// demo is the story that productid demo tells.
type demo struct {
	*app
	virtual virtualCard
	house   *house
	ready   time.Duration // how long the card took to come up
	alg     tap.Algorithm // of the card's key
	receipt ledger.Evidence

	mu     sync.Mutex // one tap at a time: the terminal's, or the website's
	reader cardReader
	last   string // the URL of the newest tap

	site    *demoSite
	visitor *stage.Visitor // who tapped last on the website
	page    stage.Page     // what he was shown
}

func now() time.Time { return time.Now() }

func (d *demo) close() {
	if d.site != nil {
		d.site.close() // how it ended was told to who waited for it
	}
	if d.reader != nil {
		d.reader.Close()
	}
	if d.house != nil {
		d.house.Close()
	}
	d.virtual.close()
}

// errStory is a step that came out otherwise than it must.
var errStory = errors.New("the demonstration went wrong")

// scene is one step of the story; prove returns what was proved.
type scene struct {
	code, name string
	prove      func(context.Context) (string, error)
}

// run tells the story, one line per step, and ends at the first step that does not come out as it must. The website is open then; the
// context that it returns ends when that fails.
func (d *demo) run(ctx context.Context) (context.Context, error) {
	if err := d.tellCard(ctx); err != nil {
		return ctx, err
	}
	ctx, err := d.openSite(ctx)
	if err != nil {
		return ctx, err
	}
	return ctx, d.tell(ctx, []scene{{"website", "tap 3 on the website", d.tapWebsite}, {"shop", "shop knows who tapped", d.visitShop}})
}

// tellCard is the story of the card, without any website.
func (d *demo) tellCard(ctx context.Context) error {
	err := d.meet(ctx)
	if err != nil {
		return err
	}
	if d.house, err = d.openHouse(ctx, create); err != nil {
		return err
	}
	if err := d.personalise(ctx); err != nil {
		return err
	}
	return d.tell(ctx, []scene{
		{"tap1", "tap 1 valid", d.tapValid},
		{"recorded", "recorded with receipt", d.recorded},
		{"replay", "same URL already used", d.replay},
		{"tap2", "tap 2 valid", d.tapValid},
		{"receipt", "receipt verified offline", d.verifyReceipt},
		{"log", "ledger checked", d.checkLedger},
	})
}

func (d *demo) tell(ctx context.Context, scenes []scene) error {
	for _, s := range scenes {
		if err := d.show(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) show(ctx context.Context, s scene) error {
	d.console.Working("proving: " + s.name)
	begin := now()
	detail, err := s.prove(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	d.console.Proved(console.Step{Code: s.code, Name: s.name, Detail: detail, Took: now().Sub(begin)})
	return nil
}

// meet connects to the card, and waits for it a while: a virtual one comes a moment after its reader.
func (d *demo) meet(ctx context.Context) error {
	const patience, pause = 10 * time.Second, 50 * time.Millisecond
	begin := now()
	for {
		r, err := d.openReader(ctx)
		if err == nil {
			d.reader = r
			break
		}
		if !errors.Is(err, pcsc.ErrNoCard) || ctx.Err() != nil || now().Sub(begin) > patience {
			return err
		}
		d.console.Working("waiting for a card on the reader")
		time.Sleep(pause)
	}
	d.console.Proved(console.Step{Code: "reader", Name: "reader found", Detail: d.virtual.words, Took: d.ready + now().Sub(begin)})
	return nil
}

// personalise has the station make the card; its steps are the story's.
func (d *demo) personalise(ctx context.Context) error {
	template, err := tap.PlainTemplate(demoTemplate)
	if err != nil {
		return err
	}
	order := station.Order{Template: template, Algorithm: d.alg, Subject: record.SubjectProduct, Lock: true}
	order.Confirm = d.confirm(ctx, order)
	issuer, err := d.house.issuerOf(ctx, d.flags.issuer)
	if err != nil {
		return err
	}
	_, err = d.house.station(d.app, issuer).Personalise(ctx, d.reader, order, func(e station.Event) {
		if e.Done {
			d.console.Proved(stepOf(e))
			d.warnSlow(e)
		} else {
			d.console.Working(e.Step.Doing())
		}
	})
	if err != nil {
		return err
	}
	return d.house.registry.Sync(ctx)
}

// Read taps the card.
func (d *demo) Read(context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	url, err := readURL(d.reader)
	if err == nil {
		d.last = url
	}
	return url, err
}

// Last is the URL of the newest tap, at the terminal or on the website.
func (d *demo) Last() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// tapValid taps the card and checks the URL as everybody can.
func (d *demo) tapValid(ctx context.Context) (string, error) {
	url, err := d.Read(ctx)
	if err != nil {
		return "", err
	}
	v, err := d.house.validation.Validate(ctx, url)
	if err != nil {
		return "", err
	}
	if v.Code != validation.Valid {
		return "", unexpected(v)
	}
	return fmt.Sprintf("counter %d, signature verifies, %s", v.Counter, url), nil
}

func unexpected(v validation.Verdict) error {
	return fmt.Errorf("%w: the answer is %s", errStory, v.Code)
}

// recorded uses the tap up.
func (d *demo) recorded(ctx context.Context) (string, error) {
	v, err := d.record(ctx, d.house, validation.Request{URL: d.Last()})
	if err != nil {
		return "", err
	}
	if v.Code != validation.Recorded {
		return "", unexpected(v)
	}
	d.receipt = v.Evidence()
	return fmt.Sprintf("message %d of the card's channel, %s", v.Receipt.Number, v.Receipt.Place()), nil
}

// replay offers the recorded URL once more.
func (d *demo) replay(ctx context.Context) (string, error) {
	v, err := d.record(ctx, d.house, validation.Request{URL: d.Last()})
	if err != nil {
		return "", err
	}
	if v.Code != validation.AlreadyUsed || v.When == nil {
		return "", unexpected(v)
	}
	return "refused, recorded " + v.When.UTC().Format("2006-01-02 15:04:05.000") + " UTC", nil
}

// verifyReceipt checks the receipt as ledger verify does with a file.
func (d *demo) verifyReceipt(ctx context.Context) (string, error) {
	file, err := json.Marshal(d.receipt)
	if err != nil {
		return "", err
	}
	policy, whose, err := trustFlags{}.policyOn(ctx, d.app, d.house.ledger)
	if err != nil {
		return "", err
	}
	p, err := verifyEvidence(file, policy, whose)
	if err != nil {
		return "", err
	}
	return p.Receipt.Place() + ", with the ledger's keys alone", nil
}

func (d *demo) checkLedger(ctx context.Context) (string, error) {
	v, err := d.checkAll(ctx, d.house.ledger, trustFlags{}, func(uint64) {})
	if err != nil {
		return "", err
	}
	if !v.Holds {
		return "", fmt.Errorf("%w: the ledger does not hold: %s", errStory, v.Findings[0])
	}
	return fmt.Sprintf("%d messages in %d channels; signatures, numbers and proofs verify", v.Messages, v.Channels), nil
}
