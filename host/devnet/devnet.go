// Package devnet runs a private IOTA Stardust network as processes of this machine, for trying and for tests: hornet nodes, the
// coordinator that issues their milestones, and a keeper that holds them together.
//
// A network lives in a folder and outlasts the process that brought it up: another one finds it with Open. Its nodes have a network of
// their own in which nothing but a loopback interface exists, where the system allows that (Status says so); the keeper passes
// connections from two ports of the machine's loopback for each node, one for REST and one for INX.
//
// # Durability
//
// Hornet writes no log ahead: a node that is killed has lost its database. With three nodes the others go on, nothing that a milestone
// confirmed is lost, and Replace makes the node anew from them; with two down, milestones stop. With one node the network is lost. This
// is no production ledger.
//
// # Concurrency
//
// A Network may be used by several goroutines and, each with its own Network of the same folder, by several processes.
//
// # Limitations
//
// Linux only. The programs are built by scripts/devnet/build.sh (make devnet); Programs finds them. There is no proof of work.
package devnet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// What can be wrong with a network.
var (
	// ErrNotBuilt says that the programs of the network are not there.
	ErrNotBuilt = errors.New("hornet and its coordinator are not built")
	// ErrNoNetwork says that the folder holds no network.
	ErrNoNetwork = errors.New("the folder holds no devnet")
	// ErrForeign says that the folder holds something else, or a network of another shape.
	ErrForeign = errors.New("the folder holds something else")
	// ErrDown says that the network is not up.
	ErrDown = errors.New("the devnet is not up")
	// ErrLost says that every node's database is lost: the network cannot go on.
	ErrLost = errors.New("the databases of all nodes are lost")
	// ErrLeftBehind says that the others have pruned the milestone which a node needs next: Replace and Up make it anew.
	ErrLeftBehind = errors.New("the other nodes have pruned what it needs")
	// ErrNoNamespace says that the nodes share the machine's network, which cannot be cut.
	ErrNoNamespace = errors.New("the nodes have no network of their own")
)

// Options says what network to bring up. One that is in the folder already keeps its own Milestone, Fast and KeepMilestones; other
// Nodes than its own are refused.
type Options struct {
	Dir      string // where the network lives; made if it is not there
	Programs string // the folder of hornet, coordinator and keeper, as Programs finds it

	Nodes int // 1 or 3, all peered; 0 is what is there, 1 in a new one

	// Milestone is the time between milestones; 0 is a second, or 100 ms with Fast. Below a second only with Fast.
	Milestone time.Duration
	// Fast is for tests: milestones' timestamps run ahead of the clock, a second each.
	Fast bool
	// KeepMilestones makes nodes prune what is older than so many milestones; at least 50, 0 keeps everything.
	KeepMilestones int

	// Bound ends the network when the process that brought it up ends, however that ends.
	Bound bool
	// Random gives keys and the name; nil is crypto/rand.
	Random io.Reader
}

// Network is a network in a folder.
type Network struct {
	Dir         string
	Name        string // as its nodes report it
	Nodes       []Node
	Funding     ed25519.PrivateKey  // its address holds all tokens at the beginning
	Coordinator []ed25519.PublicKey // who signs milestones; all of them sign each
	Milestone   time.Duration
	Fast        bool

	record record
	bound  io.Closer // what ends a bound network; nil in others
}

func (p ports) node() Node {
	return Node{REST: fmt.Sprintf("http://127.0.0.1:%d", p.REST), INX: fmt.Sprintf("127.0.0.1:%d", p.INX)}
}

// Node is how one node of a network is reached, over the machine's loopback.
type Node struct {
	REST string // http://127.0.0.1:PORT
	INX  string // 127.0.0.1:PORT
}

// FundingKey is the file of the funding key in the network's folder, mode 0600: the 32 bytes of the Ed25519 seed in hex.
const FundingKey = "funding.key"

// FundingAddress is the Ed25519 address of the funding key, in hex.
func (n *Network) FundingAddress() string {
	return "0x" + address(n.Funding.Public().(ed25519.PublicKey))
}

// Up brings the network of a folder up and returns when its milestones grow. A folder without one gets a new one, with fresh keys; a
// network that is up already gets its stopped nodes started and its killed ones replaced. The context bounds all of that.
func Up(ctx context.Context, o Options) (*Network, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("bringing up the devnet: %w", err)
	}
	_, err := Open(o.Dir)
	if errors.Is(err, ErrNoNetwork) {
		o.Nodes = max(o.Nodes, 1)
		err = create(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("bringing up the devnet: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(o.Dir, "up.lock"))
	if err != nil {
		return nil, fmt.Errorf("bringing up the devnet: %w", err)
	}
	defer unlock()
	n, err := Open(o.Dir) // as whoever held the lock left it
	if err != nil {
		return nil, err
	}
	if o.Nodes != 0 && o.Nodes != n.record.Nodes {
		return nil, fmt.Errorf("bringing up the devnet: %w: a devnet of %d nodes", ErrForeign, n.record.Nodes)
	}
	if err := n.raise(ctx, o); err != nil {
		return nil, fmt.Errorf("bringing up the devnet: %w", err)
	}
	return n, nil
}

// complete checks the options and fills in what they leave out.
func (o *Options) complete() error {
	if o.Nodes != 0 && o.Nodes != 1 && o.Nodes != 3 {
		return fmt.Errorf("a devnet has 1 node or 3, not %d", o.Nodes)
	}
	if o.Milestone == 0 {
		o.Milestone = time.Second
		if o.Fast {
			o.Milestone = 100 * time.Millisecond
		}
	}
	if least := time.Second; o.Milestone < 10*time.Millisecond || !o.Fast && o.Milestone < least || o.Milestone > time.Hour {
		return fmt.Errorf("a milestone every %v: below %v only a fast devnet goes, none below 10 ms or above an hour", o.Milestone, least)
	}
	const fewest = snapshotDepth + 30
	if o.KeepMilestones != 0 && o.KeepMilestones < fewest {
		return fmt.Errorf("keeping %d milestones: a node needs %d at least", o.KeepMilestones, fewest)
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Dir == "" {
		return errors.New("no folder is named")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	return built(o.Programs)
}

// Open finds the network of a folder, up or not.
func Open(dir string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the devnet: %w", err)
	}
	r, err := readRecord(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the devnet: %w", err)
	}
	n := &Network{Dir: dir, Name: r.Name, Milestone: time.Duration(r.MilestoneMS) * time.Millisecond, Fast: r.Fast, record: r}
	if n.Funding, err = readKey(filepath.Join(dir, FundingKey)); err != nil {
		return nil, fmt.Errorf("opening the devnet: %w", err)
	}
	for _, k := range r.Coordinator {
		n.Coordinator = append(n.Coordinator, ed25519.PublicKey(k))
	}
	for _, p := range r.Ports {
		n.Nodes = append(n.Nodes, p.node())
	}
	return n, nil
}

// raise starts what does not run and waits for milestones.
func (n *Network) raise(ctx context.Context, o Options) error {
	r, err := n.ask(request{Do: "status"})
	began := errors.Is(err, ErrDown)
	switch {
	case began:
		if err := n.endLeftovers(ctx); err != nil {
			return err
		}
		if err := n.keep(ctx, o); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		for _, p := range r.Processes {
			if p.State == stopped {
				if _, err := n.ask(request{Do: "start", Name: p.Name}); err != nil {
					return err
				}
			}
		}
	}
	err = n.whole(ctx)
	if err != nil && began {
		n.Down() // what did not come up is not left half up; that it did not is what there is to say
	}
	return err
}

// whole waits for all nodes to follow growing milestones, and replaces those that turn out to be lost or left behind.
func (n *Network) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var first uint32
	var before, s Status
	for {
		before, s = s, n.Status(ctx)
		lost, ready := 0, 0
		for i, node := range s.Nodes {
			switch {
			case node.State == StateKilled:
				lost++
				if s.Milestone > 0 {
					if err := n.replace(ctx, i); err != nil {
						return err
					}
				}
			case node.State == StateRunning && first > 0 && node.Milestone > first: // it confirms new ones itself, so it has what they stand on
				ready++
			case node.State == StateRunning:
			case s.leftBehind(i, before):
				if err := n.replace(ctx, i); err != nil {
					return err
				}
			}
		}
		if first == 0 {
			first = s.Milestone
		}
		switch {
		case lost == len(s.Nodes):
			return fmt.Errorf("%w: remove %s and begin anew", ErrLost, n.Dir)
		case ready == len(s.Nodes):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for milestones (the logs are in %s): %w", n.Dir, ctx.Err())
		case <-time.After(min(n.Milestone/2, 100*time.Millisecond)):
		}
	}
}
