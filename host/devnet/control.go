package devnet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// patience bounds what the keeper is asked for, and how long milestones are waited for.
const patience = 2 * time.Minute

// The states of a process, in the keeper's words.
const (
	running = "running"
	stopped = "stopped"
	killed  = "killed"
)

// request, answer, report and process are the keeper's: see scripts/devnet/keeper.
type request struct {
	Do   string `json:"do"`
	Name string `json:"name,omitempty"`
}

type answer struct {
	Error  string `json:"error"`
	Report report `json:"report"`
}

type report struct {
	Keeper    process   `json:"keeper"`
	Namespace bool      `json:"namespace"`
	Cut       bool      `json:"cut"`
	Processes []process `json:"processes"`
}

type process struct {
	Name  string `json:"name"`
	State string `json:"state"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Exit  string `json:"exit"`
}

// ask sends the keeper one request. The error is ErrDown when there is none.
func (n *Network) ask(r request) (report, error) {
	c, err := dialSocket(n.Dir, "keeper.sock")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return report{}, ErrDown
	}
	if err != nil {
		return report{}, fmt.Errorf("asking the devnet's keeper: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	line, err := json.Marshal(r)
	if err != nil {
		return report{}, fmt.Errorf("asking the devnet's keeper: %w", err)
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return report{}, fmt.Errorf("asking the devnet's keeper: %w", err)
	}
	text, err := bufio.NewReader(c).ReadBytes('\n')
	if err != nil {
		return report{}, fmt.Errorf("asking the devnet's keeper: %w", err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return report{}, fmt.Errorf("reading the devnet's keeper: %w", err)
	}
	if a.Error != "" {
		return report{}, fmt.Errorf("the devnet's keeper: %s", a.Error)
	}
	return a.Report, nil
}

// dialSocket connects to a socket in a folder. The folder is named by a descriptor, because a socket's path is short (108 bytes) and a
// folder's may not be.
func dialSocket(dir, name string) (net.Conn, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return net.DialTimeout("unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), name), 5*time.Second)
}

// recorded is what the keeper wrote down last; empty if there was none.
func (n *Network) recorded() (r report) {
	text, err := os.ReadFile(filepath.Join(n.Dir, "processes.json"))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return report{}
	}
	return r
}

// leftovers are the processes that a keeper which does not answer any more left behind.
func (n *Network) leftovers() (all []process) {
	r := n.recorded()
	for _, p := range append(r.Processes, r.Keeper) {
		if alive(p.PID, p.Start) {
			all = append(all, p)
		}
	}
	return all
}

// endLeftovers ends what a dead keeper left running, in order and then by force. Only processes that the keeper started, told by their
// number and their start, get a signal.
func (n *Network) endLeftovers(ctx context.Context) error {
	const polite = 40 * time.Second
	begin, forced := time.Now(), false
	for _, p := range n.leftovers() {
		signal(p.PID, false)
	}
	for {
		left := n.leftovers()
		if len(left) == 0 {
			return nil
		}
		if !forced && time.Since(begin) > polite {
			forced = true
			for _, p := range left {
				signal(p.PID, true)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ending what is left of the devnet: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
