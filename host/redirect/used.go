package redirect

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/productid/productid/host/store"
)

// use is one token to be used up.
type use struct {
	id      string
	expires time.Time
}

// useUp notes each token of the batch, and lets go of some that expired long ago. One that is there, or comes twice, is refused.
func (s *Service) useUp(ctx context.Context, tx *sql.Tx, batch []use) ([]store.Result[struct{}], error) {
	results := make([]store.Result[struct{}], len(batch))
	for i, u := range batch {
		done, err := tx.ExecContext(ctx, "INSERT INTO used (jti, expires) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING", u.id, u.expires.Unix())
		if err != nil {
			return nil, fmt.Errorf("noting a used token: %w", err)
		}
		rows, err := done.RowsAffected()
		if err != nil {
			return nil, fmt.Errorf("noting a used token: %w", err)
		}
		if rows == 0 {
			results[i].Err = ErrUsedToken
		}
	}
	// More rows go than come, so the table stays as large as what was used in the last minutes.
	const forget = "DELETE FROM used WHERE jti IN (SELECT jti FROM used WHERE expires < $1 ORDER BY expires LIMIT $2)"
	if _, err := tx.ExecContext(ctx, forget, s.Now().Add(-kept).Unix(), 2*len(batch)); err != nil {
		return nil, fmt.Errorf("forgetting used tokens: %w", err)
	}
	return results, nil
}
