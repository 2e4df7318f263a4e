package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// How long clients may take. Who is slower holds a connection and nothing else, and not for longer than this.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10 // bytes
)

// Serving says how a server ends.
type Serving struct {
	// Ending is called when ctx has ended, and before the server refuses connections: readiness turns to no.
	Ending func()
	// Notice is how long it then goes on taking requests, for whoever balances loads to look once more.
	Notice time.Duration
	// Grace is how long the requests that run may take after that; then they are cut off. 0 stands for 8 seconds.
	Grace time.Duration
	Log   *slog.Logger // what the server itself complains of; nil for none
}

// Serve answers requests until ctx ends, and returns when the last has been answered or cut off; the listener is closed then. The
// error is nil after ctx ended, and the network's otherwise. Contexts of requests do not end with ctx.
func Serve(ctx context.Context, l *Listener, h http.Handler, o Serving) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grace == 0 {
		o.Grace = 8 * time.Second
	}
	main, failed := server(h, o.Log), make(chan error, 2)
	servers := []*http.Server{main}
	go func() { failed <- main.Serve(l.Listener) }()
	if l.redirect != nil {
		r := server(l.onward, o.Log)
		servers = append(servers, r)
		go func() { failed <- r.Serve(l.redirect) }()
	}
	if l.issue != nil {
		issuing, stop := context.WithCancel(ctx)
		defer stop()
		go l.issue(issuing)
	}
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
		if o.Ending != nil {
			o.Ending()
		}
		time.Sleep(o.Notice)
	}
	return errors.Join(err, end(servers, o.Grace))
}

// server never reads from a client for ever, and logs under the name of what is served.
func server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken handshakes, mostly
	}
}

// end lets what runs finish, and cuts off what does not.
func end(servers []*http.Server, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("ending: %w", err)
		}
		_ = s.Close() // whoever is left
	}
	return nil
}
