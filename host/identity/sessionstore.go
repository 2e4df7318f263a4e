package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/productid/productid/host/store"
)

// sessionStore is where scs looks for sessions and keeps them. A row is made at sign-in and by nothing else; a request that
// outlives its session cannot bring it back.
type sessionStore struct{ i *Identity }

type beginKey struct{}

// begin marks the one commit that makes a session.
type begin struct{ person, id, agent string }

// row is a session as the codec hands it to scs.
type row struct {
	Person string `json:"person"`
	ID     string `json:"id"`
	Begun  int64  `json:"begun"` // Unix milliseconds
}

// FindCtx returns the session of a token's hash, unless it is too old or nobody used it for too long.
func (s *sessionStore) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	i, now := s.i, s.i.o.Now()
	var r row
	var seen int64
	err := i.db.Read().QueryRowContext(ctx, "SELECT person, id, created_ms, seen_ms FROM sessions WHERE hash = $1", hash).Scan(&r.Person, &r.ID, &r.Begun, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, store.Explain(err)
	}
	if now.Sub(fromMillis(r.Begun)) >= i.o.Lifetime || now.Sub(fromMillis(seen)) >= i.o.Idle {
		return nil, false, nil
	}
	if now.Sub(fromMillis(seen)) >= seenEvery {
		s.touch(ctx, hash, r.Person, now)
	}
	b, err := json.Marshal(r)
	return b, err == nil, err
}

// touch notes the visit. Whether that succeeds decides nothing but how soon the session counts as unused.
func (s *sessionStore) touch(ctx context.Context, hash, person string, now time.Time) {
	_ = s.i.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE sessions SET seen_ms = $2 WHERE hash = $1 AND seen_ms < $2", hash, now.UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE people SET seen_ms = $2 WHERE id = $1 AND seen_ms < $2", person, now.UnixMilli())
		return err
	})
}

// CommitCtx makes the session that SignIn begins. Any other commit of scs's has nothing to keep.
func (s *sessionStore) CommitCtx(ctx context.Context, hash string, _ []byte, _ time.Time) error {
	b, ok := ctx.Value(beginKey{}).(begin)
	if !ok {
		return nil
	}
	now := s.i.o.Now()
	return s.i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "UPDATE people SET seen_ms = $2 WHERE id = $1", b.person, now.UnixMilli()))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrUnknownPerson
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE created_ms <= $1", now.Add(-s.i.o.Lifetime).UnixMilli()); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO sessions (hash, id, person, agent, created_ms, seen_ms) VALUES ($1, $2, $3, $4, $5, $5)",
			hash, b.id, b.person, b.agent, now.UnixMilli())
		return err
	})
}

// DeleteCtx ends a session.
func (s *sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	return s.i.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", hash)
		return err
	})
}

// Find is FindCtx, for scs's interface: where there is a method with a context scs calls that.
func (s *sessionStore) Find(hash string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), hash)
}

// Commit is CommitCtx, likewise.
func (s *sessionStore) Commit(hash string, b []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), hash, b, expires)
}

// Delete is DeleteCtx, likewise.
func (s *sessionStore) Delete(hash string) error { return s.DeleteCtx(context.Background(), hash) }

// codec hands rows to scs; nothing goes back.
type codec struct{}

// Encode has nothing to say: what makes a session stands in the commit's context.
func (codec) Encode(time.Time, map[string]any) ([]byte, error) { return nil, nil }

// Decode reads a row.
func (codec) Decode(b []byte) (time.Time, map[string]any, error) {
	var r row
	if err := json.Unmarshal(b, &r); err != nil {
		return time.Time{}, nil, err
	}
	return time.Time{}, map[string]any{sessionPerson: r.Person, sessionID: r.ID, sessionBegun: fromMillis(r.Begun)}, nil
}
