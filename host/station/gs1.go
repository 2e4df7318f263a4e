package station

import (
	"errors"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/tap"
)

// ErrDisagrees says that an order's URL, a GS1 Digital Link, names another article, lot or serial number than the order, or none that can be.
var ErrDisagrees = errors.New("the URL names another thing than the order")

// serialPlace is where a GS1 Digital Link has the serial number.
const serialPlace = "/" + string(gs1.Serial) + "/"

// GS1Template makes the template of URLs that are GS1 Digital Links, below an address such as https://tap.example.com, with or without a
// path. lot and serial may be empty; without a serial number the card's id is it. The error is gs1.ErrMalformed or tap.ErrMalformed:
// what GS1 does not allow in its place, an address with a query, or more than a card holds.
func GS1Template(address string, gtin gs1.GTIN, lot, serial string) (tap.Template, error) {
	if address == "" { // GS1's own place would be meant
		return tap.Template{}, fmt.Errorf("%w: no address", tap.ErrMalformed)
	}
	link := gs1.Link{Stem: strings.TrimSuffix(address, "/"), Key: gs1.Element{AI: gs1.KeyGTIN, Value: string(gtin)}}
	for _, e := range []gs1.Element{{AI: gs1.Lot, Value: lot}, {AI: gs1.Serial, Value: serial}} {
		if e.Value != "" {
			link.Qualifiers = append(link.Qualifiers, e)
		}
	}
	if err := link.Check(); err != nil {
		return tap.Template{}, err
	}
	t := tap.Template{Prefix: link.String() + serialPlace, Middle: "?c="}
	if serial != "" {
		t = tap.Template{Prefix: link.String() + "?i=", Middle: "&c="}
	}
	return t, t.Check()
}

// digitalLink returns what the URLs of a template say as a GS1 Digital Link of an article; false if they are none. The serial number is
// that of a card with the id given, where it is its id. The error is *gs1.WrongCheckDigit: they would be one if no digit were mistyped.
func digitalLink(t tap.Template, id tap.CardID) (gs1.Link, bool, error) {
	link, err := gs1.Parse(t.UnsignedURL(id, tap.Exhausted))
	if wrong, mistyped := errors.AsType[*gs1.WrongCheckDigit](err); mistyped {
		return gs1.Link{}, false, wrong
	}
	return link, err == nil && link.Key.AI == gs1.KeyGTIN, nil
}

// idIsSerial reports whether the URLs have the card's id in the place of a serial number.
func (o Order) idIsSerial() bool {
	_, is, _ := digitalLink(o.Template, tap.CardID{})
	return is && strings.HasSuffix(o.Template.Prefix, serialPlace)
}

// serial is the serial number of the thing that the card with this id stands for: the one that its URL says, whoever reads that.
func (o Order) serial(id tap.CardID) string {
	if o.Serial == "" && id != (tap.CardID{}) && o.idIsSerial() {
		return id.String()
	}
	return o.Serial
}

// agrees refuses an order whose record would say something else than its URLs do as GS1 Digital Links. The error is ErrDisagrees.
func (o Order) agrees() error {
	link, is, err := digitalLink(o.Template, tap.CardID{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDisagrees, err)
	}
	if !is {
		return nil
	}
	says := thing{o.Subject, link.Key.Value, link.Value(gs1.Lot), link.Value(gs1.Serial)}
	if o.idIsSerial() {
		says.serial = ""
	}
	if own := o.thing(tap.CardID{}); own != says {
		return fmt.Errorf("%w: it says %v, the order says %v", ErrDisagrees, says, own)
	}
	return nil
}
