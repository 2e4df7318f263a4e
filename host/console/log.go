package console

import (
	"io"
	"log/slog"
)

// Logger returns a logger to standard error: text where a person reads it, JSON elsewhere. Like all talk it breaks into no line that is
// shown, and gives a terminal nothing to obey.
func (c *Console) Logger(level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if isTerminal(c.err) {
		return slog.New(slog.NewTextHandler(lines{c, cleanBytes}, o))
	}
	return slog.New(slog.NewJSONHandler(lines{c, escape}, o))
}

// lines writes whole lines to standard error, each made harmless.
type lines struct {
	c    *Console
	safe func([]byte) []byte
}

var _ io.Writer = lines{}

func (l lines) Write(line []byte) (int, error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.clear()
	if _, err := l.c.err.Write(l.safe(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// cleanBytes is cleanLines of bytes.
func cleanBytes(b []byte) []byte { return []byte(cleanLines(string(b))) }
