package console

import (
	"net/http"
	"strings"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
)

// ofServices is what can go wrong between this program and a service that it asks.
func ofServices() []entry {
	return []entry{
		is(client.ErrUncertain, Uncertain, "uncertain", "nobody knows yet whether the service did it", "run the same command again; a tap update finds its own tap only by the same --idempotency-key"),
		is(client.ErrUnavailable, Unreachable, "service_unavailable", "the service does not answer; nothing was done", "check --server, then run it again"),
		is(client.ErrStrange, Failure, "no_service", "what answers there is no ProductID service, or one of another version", "check --server: it is the service's own address, without a path below"),
		is(client.ErrAddress, Usage, "malformed_url", "that is not the address of a service", "give https://HOST, or http:// on this machine"),
	}
}

// ofService is a problem that a service answered, in its own words.
func ofService(err error, p *client.Problem) Problem {
	what, _, _ := strings.Cut(err.Error(), ": the service answered")
	if what == err.Error() {
		what = "asking the service"
	}
	why := []string{p.Title}
	if p.Detail != "" {
		why = append(why, p.Detail)
	}
	for _, f := range p.Errors {
		why = append(why, strings.TrimPrefix(f.Location+": "+f.Message, ": "))
	}
	return Problem{Code: p.Code, What: what, Why: strings.Join(why, "; "), Next: p.Next, Exit: exitOf(p), Cause: err}
}

// exitOf is the code to end with, as if it had happened here.
func exitOf(p *client.Problem) Exit {
	switch {
	case p.Code == wire.CodeUncertain:
		return Uncertain
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden:
		return Authentication
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable:
		return Unreachable
	case p.Code == wire.CodeInvalidRequest:
		return Usage
	case p.Status < http.StatusInternalServerError:
		return No
	}
	return Failure
}
