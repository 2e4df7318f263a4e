package office

import (
	"net/http"
	"strconv"
	"time"

	"github.com/productid/productid/host/audit"
)

const actsOnPage = 50

// auditPage is what was administered, the newest first.
type auditPage struct {
	Acts  []actLine
	Older string // address of the page before
	First bool
}

type actLine struct {
	audit.Entry
	By         string
	What       string // the act in words, or its name
	Link       string // to what it was done to, where that is a card
	Unreadable bool
}

func (v *visit) auditLog() error {
	before, _ := strconv.ParseUint(v.query("before"), 10, 64)
	entries, err := v.Audit.List(v.ctx, v.issuer, before, actsOnPage)
	if err != nil {
		return err
	}
	p := auditPage{First: before == 0}
	for _, e := range entries {
		line := actLine{Entry: e, By: v.person(e.Act.By), Unreadable: e.Unreadable != nil, What: e.Act.Act}
		if key := "office.act." + e.Act.Act; v.words.Has(key) {
			line.What = v.words.T(key)
		}
		if len(e.Subject) == 16 { // as a card's id is written
			line.Link = v.at("cards", e.Subject)
		}
		p.Acts = append(p.Acts, line)
	}
	if n := len(entries); n == actsOnPage && entries[n-1].Number > 0 {
		p.Older = v.at("audit") + "?before=" + strconv.FormatUint(entries[n-1].Number, 10)
	}
	return v.show(http.StatusOK, "audit", p)
}

// systemPage is how the installation does.
type systemPage struct {
	Lines   []Line
	Kind    string
	Origin  string
	Key     string
	Size    uint64
	Unique  string
	Kept    string
	Final   string
	Warned  []string
	Rejects int
	Ignored uint64
	Outbox  int       // deliveries that wait
	Oldest  time.Time // of them
}

func (v *visit) system() error {
	info, err := v.Ledger.Info(v.ctx)
	if err != nil {
		return err
	}
	p := systemPage{Kind: info.Kind, Origin: info.Origin, Key: info.VerifierKey, Size: info.Size, Unique: info.Uniqueness,
		Kept: info.Retention, Final: info.Finality, Warned: info.Warnings}
	rejected, err := v.Registry.Rejections(v.ctx)
	if err != nil {
		return err
	}
	p.Rejects = len(rejected)
	if p.Ignored, err = v.Registry.Ignored(v.ctx); err != nil {
		return err
	}
	if p.Outbox, p.Oldest, err = v.Notices.Length(v.ctx); err != nil {
		return err
	}
	if v.System != nil {
		p.Lines = v.System(v.r)
	}
	return v.show(http.StatusOK, "system", p)
}
