package web

import (
	"context"
	"net/url"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Desk decides on taps; *desk.Desk is it.
type Desk interface {
	Look(ctx context.Context, url string, c desk.Caller) (desk.Finding, error)
	Record(ctx context.Context, r desk.Request, c desk.Caller) (desk.Finding, error)
	Card(ctx context.Context, id tap.CardID) (desk.Card, error)
	Article(ctx context.Context, gtin gs1.GTIN, serial string) (desk.Article, error)
	Continue(ctx context.Context, id tap.CardID, counter uint32) (*url.URL, error)
}

// Cards knows whose a card is; *registry.Registry is it.
type Cards interface {
	Card(ctx context.Context, id tap.CardID) (record.Card, error)
}

// Reports keeps what people write to makers; *alarm.Watch is it.
type Reports interface {
	Report(ctx context.Context, r alarm.Report) (id string, err error)
}
