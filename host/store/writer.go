package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
)

// MaxBatch is the largest number of requests that share one transaction.
const MaxBatch = 256

// Result is what became of one request of a batch. A result with an Err is a
// refusal of that request alone; the rest of the batch is committed.
type Result[A any] struct {
	Value A
	Err   error
}

// Apply decides a batch inside one transaction: it is given the requests in
// the order they came and returns one result for each. Its results are handed
// out only after the commit. An error rolls the whole batch back. It runs after
// BEGIN IMMEDIATE, so what it reads is the newest state and stays so, whatever
// other processes do.
type Apply[Q, A any] func(ctx context.Context, tx *sql.Tx, batch []Q) ([]Result[A], error)

// Writer commits the requests of many goroutines in groups: one transaction
// and one sync for all that came while the last one was being written.
type Writer[Q, A any] struct {
	db    *DB
	apply Apply[Q, A]
	queue chan *request[Q, A]
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

// A request waits until the writer takes it or its caller withdraws it,
// whichever is first.
type request[Q, A any] struct {
	query  Q
	owned  atomic.Bool
	answer chan Result[A]
}

// claim reports whether the caller is the first to claim the request.
func (r *request[Q, A]) claim() bool { return r.owned.CompareAndSwap(false, true) }

// NewWriter starts the one goroutine that writes; Close ends it.
func NewWriter[Q, A any](db *DB, apply Apply[Q, A]) *Writer[Q, A] {
	w := &Writer[Q, A]{
		db:    db,
		apply: apply,
		queue: make(chan *request[Q, A], MaxBatch),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go w.run()
	return w
}

// Do has query applied and waits for its result, which is durable when it
// comes. Errors: the result's own; [ErrNotWritten], which is safe to repeat;
// [ErrUncertain]. When ctx ends first the error is also ctx's: with
// ErrNotWritten the request was withdrawn in time, with ErrUncertain it was
// already being written and will most likely stand.
func (w *Writer[Q, A]) Do(ctx context.Context, query Q) (A, error) {
	var none A
	if err := ctx.Err(); err != nil {
		return none, notWritten(err)
	}
	r := &request[Q, A]{query: query, answer: make(chan Result[A], 1)}
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return none, notWritten(ctx.Err())
	case <-w.done:
		return none, notWritten(ErrClosed)
	}
	select {
	case a := <-r.answer:
		return a.Value, a.Err
	case <-ctx.Done():
		return r.abandon(ctx.Err())
	case <-w.done:
		return r.abandon(ErrClosed)
	}
}

// abandon withdraws the request for the reason given. If the writer has it
// already, the answer counts when it is there.
func (r *request[Q, A]) abandon(reason error) (A, error) {
	var none A
	if r.claim() {
		return none, notWritten(reason)
	}
	select {
	case a := <-r.answer:
		return a.Value, a.Err
	default:
		return none, fmt.Errorf("%w: %w", ErrUncertain, reason)
	}
}

// Close lets the batch in hand finish, refuses what still waits with
// [ErrClosed], and returns when the goroutine has ended.
func (w *Writer[Q, A]) Close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

func (w *Writer[Q, A]) run() {
	defer close(w.done)
	for {
		select {
		case <-w.stop:
			return
		case first := <-w.queue:
			if batch := w.gather(first); len(batch) > 0 {
				w.commit(batch)
			}
		}
	}
}

// gather takes first and all that wait behind it and were not withdrawn;
// nothing once the writer is to stop.
func (w *Writer[Q, A]) gather(first *request[Q, A]) []*request[Q, A] {
	var batch []*request[Q, A]
	for r := first; ; {
		select {
		case <-w.stop:
			return batch
		default:
		}
		if r.claim() {
			batch = append(batch, r)
		}
		if len(batch) == MaxBatch {
			return batch
		}
		select {
		case r = <-w.queue:
		default:
			return batch
		}
	}
}

// commit writes one batch and answers each of its requests.
func (w *Writer[Q, A]) commit(batch []*request[Q, A]) {
	queries := make([]Q, len(batch))
	for i, r := range batch {
		queries[i] = r.query
	}
	var results []Result[A]
	ctx := context.Background()
	err := w.db.transact(ctx, func(tx *sql.Tx) (err error) {
		results, err = w.apply(ctx, tx, queries)
		if err == nil && len(results) != len(queries) {
			err = fmt.Errorf("%d results for %d requests", len(results), len(queries))
		}
		return err
	})
	for i, r := range batch {
		if err != nil {
			r.answer <- Result[A]{Err: err}
			continue
		}
		r.answer <- results[i]
	}
	w.db.hook(PointAnswered)
}
