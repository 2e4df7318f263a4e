package registry

import "context"

// Plan returns the lines in which SQLite says how it would do a search.
func (r *Registry) Plan(ctx context.Context, s Search, n int) (lines []string, err error) {
	query, args := s.query(n)
	rows, err := r.db.Read().QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		lines = append(lines, detail)
	}
	return lines, rows.Err()
}
