package devnet

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// plan is what the keeper reads: see scripts/devnet/keeper.
type plan struct {
	Namespace bool      `json:"namespace"`
	Outside   string    `json:"outside"` // the machine's network namespace, which the keeper must never cut
	Bound     bool      `json:"bound"`
	Processes []program `json:"processes"`
	Forward   []string  `json:"forward"`
}

type program struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Env     []string `json:"env,omitempty"`
	Dir     string   `json:"dir"`
	Log     string   `json:"log"`
	Restart bool     `json:"restart,omitempty"`
}

// coordinatorName is the coordinator among the processes.
const coordinatorName = "coordinator"

// keep starts the keeper, and with it all processes.
func (n *Network) keep(ctx context.Context, o Options) error {
	space, err := chooseSpace(ctx, filepath.Join(o.Programs, "keeper"))
	if err != nil {
		return err
	}
	listeners, err := n.listen()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	inside := insidePorts(len(n.Nodes))
	if !space.own {
		if inside, err = freePorts(len(n.Nodes)); err != nil {
			return err
		}
	}
	if err := configure(n.Dir, n.record, inside); err != nil {
		return err
	}
	p, err := n.plan(o, inside)
	if err != nil {
		return err
	}
	p.Namespace, p.Outside = space.own, outside()
	if err := writeJSON(filepath.Join(n.Dir, "plan.json"), p); err != nil {
		return err
	}
	return n.startKeeper(ctx, o, space, listeners)
}

// listen opens the network's ports on the machine's loopback: those it had before, where they are free, and else others.
func (n *Network) listen() (all []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	for i := range n.record.Ports {
		p := &n.record.Ports[i]
		for _, port := range []*int{&p.REST, &p.INX} {
			f, number, err := listenOn(*port)
			if err != nil {
				return all, err
			}
			all, *port = append(all, f), number
		}
		n.Nodes[i] = p.node()
	}
	return all, n.record.write(n.Dir)
}

func listenOn(port int) (*os.File, int, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil && port != 0 {
		return listenOn(0)
	}
	if err != nil {
		return nil, 0, err
	}
	defer l.Close() // the file is a copy, which the keeper inherits
	f, err := l.File()
	return f, l.Addr().(*net.TCPAddr).Port, err
}

// freePorts are for nodes on the machine's own network; nothing holds them until the nodes do.
func freePorts(nodes int) ([]ports, error) {
	all := make([]ports, nodes)
	for i := range all {
		for _, port := range []*int{&all[i].REST, &all[i].INX, &all[i].Peer} {
			f, number, err := listenOn(0)
			if err != nil {
				return nil, err
			}
			defer f.Close() // at the end, so that no number comes twice
			*port = number
		}
	}
	return all, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (n *Network) plan(o Options, inside []ports) (plan, error) {
	keys, err := os.ReadFile(filepath.Join(n.Dir, "coordinator.keys"))
	if err != nil {
		return plan{}, err
	}
	p := plan{Bound: o.Bound}
	coordinator := []string{filepath.Join(o.Programs, "coordinator"), "-state", "coordinator.state", "-interval", n.Milestone.String()}
	if n.Fast {
		coordinator = append(coordinator, "-fast")
	}
	for i, in := range inside {
		name := nodeName(i)
		p.Processes = append(p.Processes, program{Name: name, Command: []string{filepath.Join(o.Programs, "hornet"), "-c", "config.json", "-n", "peering.json"},
			Dir: filepath.Join(n.Dir, name), Log: filepath.Join(n.Dir, name+".log")})
		inx := fmt.Sprintf("127.0.0.1:%d", in.INX)
		p.Forward = append(p.Forward, fmt.Sprintf("127.0.0.1:%d", in.REST), inx)
		coordinator = append(coordinator, inx)
	}
	p.Processes = append(p.Processes, program{Name: coordinatorName, Command: coordinator, Dir: n.Dir,
		Log: filepath.Join(n.Dir, coordinatorName+".log"), Env: []string{"COO_PRV_KEYS=" + string(keys)}, Restart: true})
	return p, nil
}

func (n *Network) startKeeper(ctx context.Context, o Options, space space, listeners []*os.File) error {
	logged, err := os.OpenFile(filepath.Join(n.Dir, "keeper.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logged.Close()
	cmd := exec.Command(filepath.Join(o.Programs, "keeper"), n.Dir) // it outlives ctx, and this process
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = n.Dir, logged, logged, listeners, space.attributes()
	if o.Bound {
		if n.bound, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the keeper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if _, err := n.ask(request{Do: "status"}); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("starting the keeper: it ended (%v): %s", err, tailOf(logged.Name()))
		case <-ctx.Done():
			n.unbind()
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// unbind lets a bound network end.
func (n *Network) unbind() {
	if n.bound != nil {
		n.bound.Close()
	}
}

// tailOf is the last line of a log.
func tailOf(path string) string {
	const most = 4096
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		f.Seek(-most, io.SeekEnd)
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(lastLine(text))
}
