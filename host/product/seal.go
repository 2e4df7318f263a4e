package product

import (
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Tampered names a row that is not as it was written here. It is not shown, until it is written anew: no ledger has it.
type Tampered struct {
	Table string
	Key   string // the row's, as text
}

// String says what was found, as one line.
func (t Tampered) String() string {
	return fmt.Sprintf("product: table %s, row %s: is not as it was written, and is not shown until it is put again", t.Table, t.Key)
}

// errTampered ends the reading of a row that does not hold.
var errTampered = errors.New("the row is not as it was written")

// holds reports whether a row is as it was written, and tells once of each that is not.
func (p *Products) holds(mac []byte, table, key string, values ...any) bool {
	if p.sealer.Holds(mac, table, values...) {
		return true
	}
	t := Tampered{table, key}
	if _, told := p.told.LoadOrStore(t, true); !told && p.o.Report != nil {
		p.o.Report(t)
	}
	return false
}

// imageValues are what a picture's row is sealed over.
func imageValues(i Image) []any {
	return []any{i.Hash[:], i.Type, int64(i.Width), int64(i.Height)}
}

// faceRow is a face as its row holds it.
type faceRow struct {
	name, website, support string
	logo                   []byte
	goOn                   int64
	hosts                  string
}

func (f *faceRow) values(issuer channel.ID) []any {
	return []any{issuer[:], f.name, f.website, f.support, f.logo, f.goOn, f.hosts}
}

// productRow is a product as its row holds it.
type productRow struct {
	id         string
	issuer     []byte
	gtin, name string
	texts      string
	picture    []byte
	url        string
}

func (r *productRow) values() []any {
	return []any{r.id, r.issuer, r.gtin, r.name, r.texts, r.picture, r.url}
}
