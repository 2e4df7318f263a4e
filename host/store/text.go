package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// nul has no place in PostgreSQL's text. A noncharacter stands for it, which no text
// from outside holds: records refuse it (RFC 7493 section 2.1).
const (
	nul       = "\x00"
	standsFor = "\uFFFF"
)

var errNoncharacter = errors.New("text holds the noncharacter U+FFFF")

// keepEveryCharacter lets a connection write and read nul in text.
func keepEveryCharacter(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "text", OID: pgtype.TextOID, Codec: textCodec{}})
	return nil
}

type textCodec struct{ pgtype.TextCodec }

// PlanEncode plans to write a string.
func (c textCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, isText := value.(string); isText {
		return withoutNul{}
	}
	return c.TextCodec.PlanEncode(m, oid, format, value)
}

// PlanScan plans to read a string.
func (c textCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, isText := target.(*string); isText {
		return withNul{}
	}
	return c.TextCodec.PlanScan(m, oid, format, target)
}

type withoutNul struct{}

func (withoutNul) Encode(value any, buf []byte) ([]byte, error) {
	text := value.(string)
	if strings.Contains(text, standsFor) {
		return nil, errNoncharacter
	}
	return append(buf, strings.ReplaceAll(text, nul, standsFor)...), nil
}

type withNul struct{}

func (withNul) Scan(src []byte, into any) error {
	if src == nil {
		return errors.New("no text")
	}
	*into.(*string) = strings.ReplaceAll(string(src), standsFor, nul)
	return nil
}
