// Command coordinator issues the milestones of a private Stardust network.
//
// It speaks INX to all nodes of the network. A block enters a milestone when more than half of them hold it, and the next milestone
// waits until as many have confirmed the last: of three nodes, any one may be lost, and nothing that was confirmed is lost with it. A
// milestone is on disk, signed, before it is sent; after a crash or the loss of a node the same bytes are sent again, so no number is
// ever signed twice.
//
//	COO_PRV_KEYS=HEX,… coordinator -state FILE -interval 1s HOST:PORT [HOST:PORT …]
//
// With -fast a milestone may come sooner than one second after the last, and its time is then one second after that one's: the
// timestamps run ahead of the clock. That is for tests; the time of a milestone is the time of the events in it.
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		log.Fatal("coordinator: ", err)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("coordinator", flag.ContinueOnError)
	path := flags.String("state", "", "`file` of the newest milestone, as hornet's bootstrap makes it")
	interval := flags.Duration("interval", time.Second, "time between milestones")
	fast := flags.Bool("fast", false, "for tests: milestones' timestamps run ahead of the clock")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *path == "" || flags.NArg() == 0 || *interval <= 0 {
		return errors.New("usage: coordinator -state FILE [-interval 1s] [-fast] HOST:PORT …")
	}
	keys, err := parseKeys(os.Getenv("COO_PRV_KEYS"))
	if err != nil {
		return err
	}
	c, err := open(*path, keys, *fast)
	if err != nil {
		return err
	}
	for i, address := range flags.Args() {
		n, err := dial(address, i)
		if err != nil {
			return err
		}
		defer n.close()
		c.nodes = append(c.nodes, n)
		go n.follow(ctx, c.tips)
	}
	log.Printf("begins after milestone %d, every %v, fast: %v, nodes: %s", c.state.Index, *interval, *fast, strings.Join(flags.Args(), " "))
	c.every(ctx, *interval)
	log.Printf("stops after milestone %d", c.state.Index)
	return nil
}

// every issues a milestone per interval until ctx ends, on the clock's own boundaries so that whole seconds are not missed.
func (c *coordinator) every(ctx context.Context, interval time.Duration) {
	var trouble trouble
	for {
		now := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(now.Truncate(interval).Add(interval).Sub(now)):
		}
		err := c.next(ctx, time.Now())
		if ctx.Err() != nil {
			return
		}
		if words := trouble.words(err, time.Now()); words != "" {
			log.Printf("milestone %d: %s", c.state.Index, words)
		}
	}
}

// trouble decides what of the errors of many rounds is worth a line: a round that fails alone is not.
type trouble struct{ since, told time.Time }

func (t *trouble) words(err error, now time.Time) string {
	const alone, again = 2 * time.Second, 30 * time.Second
	if err == nil {
		told := !t.told.IsZero()
		*t = trouble{}
		if told {
			return "milestones go on"
		}
		return ""
	}
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.since) < alone || now.Sub(t.told) < again {
		return ""
	}
	t.told = now
	return err.Error()
}

// parseKeys reads Ed25519 private keys, 64 bytes each in hex, with commas between them.
func parseKeys(text string) ([]ed25519.PrivateKey, error) {
	var keys []ed25519.PrivateKey
	for i, part := range strings.Split(text, ",") {
		key, err := hex.DecodeString(part)
		if err != nil || len(key) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("reading COO_PRV_KEYS: key %d is no Ed25519 private key of 64 bytes in hex", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
