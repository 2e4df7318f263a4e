package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func (a *API) registerLedger(h huma.API) {
	handle(a, h, operation{
		id: "listIssuers", method: http.MethodGet, path: "/v1/issuers", tag: "issuers", summary: "List issuers",
		text: "All that list cards on this service's ledger, in the order in which they began.",
	}, a.listIssuers)
	handle(a, h, operation{
		id: "getIssuer", method: http.MethodGet, path: "/v1/issuers/{issuer}", tag: "issuers", summary: "What the ledger says of an issuer",
	}, a.getIssuer)
	handle(a, h, operation{
		id: "getLog", method: http.MethodGet, path: "/v1/log", tag: "ledger", summary: "Which ledger this is",
		text: "What a verifier has to know: origin and key for his policy, the newest checkpoint, and where the log itself is served.",
	}, a.getLog)
	handle(a, h, operation{
		id: "getChannel", method: http.MethodGet, path: "/v1/channels/{channel}", tag: "ledger", summary: "Read a channel with proofs",
		text: "The messages of a channel in order, each with the proof that the ledger holds it. Restricted channels too: what they say is for holders of their capability.",
	}, a.getChannel)
}

// IssuerPath names an issuer in a path.
type IssuerPath struct {
	Issuer channel.ID `path:"issuer" pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" doc:"The issuer's channel."`
}

// listIssuers lists all issuers.
func (a *API) listIssuers(ctx context.Context, _ *call, _ *empty) (*body[wire.Issuers], error) {
	all, err := a.Registry.Issuers(ctx)
	if err != nil {
		return nil, err
	}
	list := wire.Issuers{Items: []wire.Issuer{}}
	for _, i := range all {
		v, err := a.issuer(ctx, i)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, v)
	}
	return answer(list), nil
}

// getIssuer tells about one.
func (a *API) getIssuer(ctx context.Context, _ *call, in *IssuerPath) (*body[wire.Issuer], error) {
	i, err := a.Registry.Issuer(ctx, in.Issuer)
	if err != nil {
		return nil, err
	}
	v, err := a.issuer(ctx, i)
	if err != nil {
		return nil, err
	}
	return answer(v), nil
}

// issuer is one as the ledger has it, with what it says of itself here.
func (a *API) issuer(ctx context.Context, i record.Issuer) (wire.Issuer, error) {
	face, err := a.Faces.Face(ctx, i.Channel)
	if err != nil {
		return wire.Issuer{}, fmt.Errorf("how issuer %v shows himself: %w", i.Channel, err)
	}
	return wire.Issuer{ID: i.Channel, Name: i.Name, URL: i.URL, Website: face.Website, Support: face.Support,
		Test: a.Sandbox.IsTest(ctx, i.Channel), Opened: wire.Ref(i.Opened), Place: i.Place, Status: a.statusList(i.Channel)}, nil
}

// getLog tells which ledger this is.
func (a *API) getLog(ctx context.Context, _ *call, _ *empty) (*body[wire.Log], error) {
	i, err := a.Ledger.Info(ctx)
	if err != nil {
		return nil, err
	}
	v := wire.Log{Kind: i.Kind, Origin: i.Origin, VerifierKey: i.VerifierKey, Size: i.Size, MaxMessage: i.MaxMessage, Highest: i.Highest.String(),
		Uniqueness: i.Uniqueness, Retention: i.Retention, Finality: i.Finality}
	if a.Log != nil {
		checkpoint, err := a.Log.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		v.Checkpoint, v.Tiles = string(checkpoint), a.tiles()
	}
	return answer(v), nil
}

// tiles is where the log itself is served; empty for a ledger that is none.
func (a *API) tiles() string {
	if a.Log == nil {
		return ""
	}
	return a.Base.JoinPath("log").String() + "/"
}

type channelInput struct {
	Channel channel.ID `path:"channel" pattern:"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" doc:"The channel."`
	From    uint64     `query:"from" doc:"Number of the first message." maximum:"9007199254740991"`
	Limit   int        `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most."`
}

// getChannel reads a channel.
func (a *API) getChannel(ctx context.Context, _ *call, in *channelInput) (*body[wire.Messages], error) {
	entries, err := a.Ledger.Range(ctx, in.Channel, in.From, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := wire.Messages{Items: []wire.Message{}, Tiles: a.tiles()}
	for i, e := range entries {
		if i == in.Limit {
			page.Next = new(e.Message.Number())
			break
		}
		m := wire.Message{At: refOf(e)}
		if m.Evidence, err = a.evidence(ctx, e); err != nil {
			return nil, err
		}
		m.Body, err = e.Message.Body()
		if err != nil && !errors.Is(err, channel.ErrCannotOpen) && !errors.Is(err, channel.ErrRemoved) {
			return nil, err
		}
		page.Items = append(page.Items, m)
	}
	return answer(page), nil
}

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }
