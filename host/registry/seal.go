package registry

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// sealer is the key under which rows are sealed.
type sealer store.Sealer

// String keeps the key out of logs.
func (sealer) String() string { return "[redacted]" }

// seal returns the mac of a row with these values.
func (k sealer) seal(table string, values ...any) []byte {
	return store.Sealer(k).Seal(table, values...)
}

// sealed reports whether the last of the values is the mac of those before it.
func (k sealer) sealed(table string, values []any) bool {
	last := len(values) - 1
	mac, isBlob := values[last].([]byte)
	want := k.seal(table, sealedValues(values[:last])...)
	return isBlob && want != nil && hmac.Equal(mac, want)
}

// A sum says which members a set has, without naming them: the exclusive or of the members' macs. Who has not the key cannot
// make another set with the same sum.
type sum [16]byte

// toggle adds a member to the set, or takes it out.
func (s *sum) toggle(k sealer, table string, member ...any) {
	mac := k.seal("in "+table, member...)
	subtle.XORBytes(s[:], s[:], mac)
}

// catalogue is the sum of the issuers and, by the first byte of their ids, of the cards with the places of their registrations:
// what tells a row that was deleted from one that never was.
type catalogue struct {
	issuers sum
	cards   [256]sum
}

func (c *catalogue) addIssuer(k sealer, id channel.ID) { c.issuers.toggle(k, "issuers", id[:]) }

func (c *catalogue) addCard(k sealer, id tap.CardID, issuer channel.ID, number uint64) {
	c.cards[id[0]].toggle(k, "cards", id[:], issuer[:], int64(number))
}

func (c *catalogue) bytes() []byte {
	b := append(make([]byte, 0, len(sum{})*(1+len(c.cards))), c.issuers[:]...)
	for _, s := range c.cards {
		b = append(b, s[:]...)
	}
	return b
}

// parseCatalogue reads what bytes wrote; that is what stands under a seal.
func parseCatalogue(b []byte) (c catalogue) {
	b = b[copy(c.issuers[:], b):]
	for i := range c.cards {
		b = b[copy(c.cards[i][:], b):]
	}
	return c
}

// meta is the one row that says how far the registry has come.
type meta struct {
	position  uint64       // behind the newest entry that was folded
	newest    channel.Hash // of that entry; zeros when there is none
	ignored   uint64
	catalogue catalogue
}

const metaKey = "1"

// querier is a transaction or the pool of readers.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readMeta returns *altered when the row is not as it was written.
func (r *Registry) readMeta(ctx context.Context, q querier) (meta, error) {
	values := make([]any, 5)
	err := q.QueryRowContext(ctx, "SELECT position, newest, ignored, catalogue, mac FROM meta").Scan(pointers(values)...)
	if errors.Is(err, sql.ErrNoRows) {
		return meta{}, &altered{Tampered{"meta", metaKey, "is gone"}}
	}
	if err != nil {
		return meta{}, fmt.Errorf("reading the registry's position: %w", unanswered(err))
	}
	if !r.sealer.sealed("meta", values) {
		return meta{}, &altered{Tampered{"meta", metaKey, "is not as it was written"}}
	}
	return meta{
		uint64(values[0].(int64)), channel.Hash(values[1].([]byte)), uint64(values[2].(int64)), parseCatalogue(values[3].([]byte)),
	}, nil
}

func (r *Registry) writeMeta(ctx context.Context, tx *sql.Tx, m meta) error {
	values := []any{int64(m.position), m.newest[:], int64(m.ignored), m.catalogue.bytes()}
	values = append(values, r.sealer.seal("meta", values...))
	_, err := tx.ExecContext(ctx, replaceMeta, append([]any{1}, values...)...)
	if err != nil {
		return fmt.Errorf("writing the registry's position: %w", err)
	}
	return nil
}

// keyText names a row by the value of its key, which may have been altered.
func keyText(key any) string {
	if raw, isBlob := key.([]byte); isBlob {
		return base64.RawURLEncoding.EncodeToString(raw) // as ids are written
	}
	return fmt.Sprint(key)
}

// pointers returns what Scan fills values through: whatever type a column holds, for it may have been altered.
func pointers(values []any) []any {
	p := make([]any, len(values))
	for i := range values {
		p[i] = &values[i]
	}
	return p
}
