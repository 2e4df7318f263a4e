// Command keeper keeps the processes of a private Stardust network and passes connections to them.
//
// It is started in a network namespace that has nothing but a loopback interface of its own: hornet looks for a router to open ports
// on, over every interface it finds, and here it finds none. What the machine's programs may reach is listened on outside, on its
// loopback, by whoever starts the keeper; the keeper inherits those sockets and dials inside. Taking the namespace's interface down
// cuts the network as a pulled cable does.
//
//	keeper FOLDER     with FOLDER/plan.json, and the sockets of the plan as descriptors 3, 4, …
//	keeper probe      says by its exit code whether a keeper started like this may rule its loopback interface
//
// It answers on the socket FOLDER/keeper.sock: one request and one answer, each a line of JSON. FOLDER/processes.json says which
// processes there are, for whoever finds the keeper gone. It ends on SIGTERM, on the request "down" and, when the plan says it is bound,
// at the end of its standard input; it always stops its processes first. If it is killed, the kernel ends them for it.
//
// # Limitations
//
// Linux only. Without a namespace all works but the cut.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// plan is what to keep.
type plan struct {
	Namespace bool      `json:"namespace"` // this process has a network of its own
	Outside   string    `json:"outside"`   // the network namespace that it must not touch
	Bound     bool      `json:"bound"`     // the network ends with its starter
	Processes []program `json:"processes"`
	Forward   []string  `json:"forward"` // where connections of descriptor 3, 4, … go
}

// program is one process of the plan.
type program struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	Log     string   `json:"log"`
	Restart bool     `json:"restart"` // it is started again whenever it ends by itself
	Off     bool     `json:"off"`     // it is not started before it is asked for
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal("keeper: ", err)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: keeper FOLDER | keeper probe")
	}
	if args[0] == "probe" {
		return setLoopback(true)
	}
	if err := os.Chdir(args[0]); err != nil {
		return err
	}
	p, err := readPlan("plan.json")
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, down := context.WithCancel(ctx)
	defer down()
	if p.Namespace {
		if own, err := os.Readlink("/proc/self/ns/net"); err != nil || own == p.Outside || p.Outside == "" {
			return errors.New("this is no network of its own, as the plan says it is")
		}
		if err := setLoopback(true); err != nil {
			return err
		}
	}
	k := newKeeper(p, down)
	control, err := listenControl("keeper.sock")
	if err != nil {
		return err
	}
	defer os.Remove("keeper.sock")
	if err := k.relay.open(p.Forward); err != nil {
		return err
	}
	if p.Bound {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			down()
		}()
	}
	k.startAll()
	go k.serve(control)
	<-ctx.Done()
	k.stopAll()
	k.relay.close()
	control.Close()
	k.answers.Wait()
	return nil
}

func readPlan(path string) (plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return plan{}, fmt.Errorf("reading the plan %s: %w", filepath.Base(path), err)
	}
	for _, program := range p.Processes {
		if program.Name == "" || len(program.Command) == 0 {
			return plan{}, errors.New("reading the plan: a process without name or command")
		}
	}
	return p, nil
}
