package registry

import (
	"context"
	"fmt"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
)

// Retry returns the number of the first message in a card's tap channel that carries this retry key: the part of the member
// "retry" of a tap before the dot. It knows the channel as far as it was folded: call SyncChannel first.
//
// The time it takes grows with the number of keys in the channel, by about 4 µs each: all are summed up, for one that was
// deleted is to be noticed.
func (r *Registry) Retry(ctx context.Context, taps channel.ID, key string) (uint64, bool, error) {
	f, err := r.read(ctx, r.readCardByTaps, taps[:])
	if err != nil || f.values == nil {
		return 0, false, err
	}
	if f.holds() {
		retries, total, err := r.retries(ctx, r.db.Read(), taps)
		if err != nil {
			return 0, false, err
		}
		if total == f.row.retries {
			number, found := retries[key]
			return number, found, nil
		}
	}
	var number uint64
	var found bool
	err = r.write(ctx, func(s *states) (err error) {
		number, found, err = s.retry(taps, key)
		return err
	})
	if err != nil {
		return 0, false, err // the job may still run
	}
	return number, found, nil
}

// retry is Retry under the write lock. It folds the channel again when its keys are not those that were written.
func (s *states) retry(taps channel.ID, key string) (uint64, bool, error) {
	row, err := s.cardByTaps(taps)
	if row == nil || err != nil {
		return 0, false, err
	}
	retries, total, err := s.r.retries(s.ctx, s.tx, taps)
	if err == nil && total != row.retries {
		s.report("retries", taps.String(), "are not as they were written")
		if err = s.refold(row); err == nil {
			retries, _, err = s.r.retries(s.ctx, s.tx, taps)
		}
	}
	number, found := retries[key]
	return number, found, err
}

// retries returns the keys of a tap channel and their sum.
func (r *Registry) retries(ctx context.Context, q querier, taps channel.ID) (map[string]uint64, sum, error) {
	var total sum
	rows, err := q.QueryContext(ctx, "SELECT taps, key, number FROM retries WHERE taps = $1", taps[:])
	if err != nil {
		return nil, total, fmt.Errorf("reading retry keys: %w", unanswered(err))
	}
	defer rows.Close()
	keys := make(map[string]uint64)
	for rows.Next() {
		values := make([]any, 3)
		if err := rows.Scan(pointers(values)...); err != nil {
			return nil, total, fmt.Errorf("reading retry keys: %w", unanswered(err))
		}
		total.toggle(r.sealer, "retries", values...)
		key, isText := values[1].(string)
		number, isNumber := values[2].(int64)
		if isText && isNumber {
			keys[key] = uint64(number)
		}
	}
	return keys, total, store.Explain(rows.Err())
}
