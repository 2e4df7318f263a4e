package console

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
)

func TestProblemOfAServiceEndsAsItWouldHere(t *testing.T) {
	for _, row := range []struct {
		code   string
		status int
		exit   Exit
	}{
		{"unknown_card", 404, No}, {"revoked", 410, No}, {"overtaken", 409, No}, {"unauthenticated", 401, Authentication}, {"forbidden", 403, Authentication},
		{"ledger_unavailable", 503, Unreachable}, {"too_many", 429, Unreachable}, {"uncertain", 504, Uncertain}, {"invalid_request", 422, Usage}, {"internal", 500, Failure},
	} {
		p := &client.Problem{Problem: wire.Problem{Code: row.code, Status: row.status, Title: "Title", Detail: "what happened", Next: "do this",
			Errors: []wire.Field{{Location: "body.url", Message: "too long"}, {Message: "odd"}}}}
		assert.Equal(t, Problem{Code: row.code, What: "recording the tap", Why: "Title; what happened; body.url: too long; odd", Next: "do this", Exit: row.exit},
			withoutCause(Explain(fmt.Errorf("recording the tap: %w", p))), row.code)
	}
	assert.Equal(t, "asking the service", Explain(&client.Problem{Problem: wire.Problem{Code: "x"}}).What)
}

func withoutCause(p Problem) Problem {
	p.Cause = nil
	return p
}

func TestServiceThatDoesNotAnswerIsToldFromOneThatMayHave(t *testing.T) {
	assert.Equal(t, Unreachable, Explain(fmt.Errorf("asking: %w: connection refused", client.ErrUnavailable)).Exit)
	assert.Equal(t, Uncertain, Explain(errors.Join(client.ErrUncertain, client.ErrUnavailable)).Exit)
	assert.Equal(t, Failure, Explain(fmt.Errorf("asking: %w", client.ErrStrange)).Exit)
	assert.Equal(t, Usage, Explain(fmt.Errorf("asking: %w", client.ErrAddress)).Exit)
}
