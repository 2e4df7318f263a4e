package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keep starts a keeper of shell scripts in a folder of its own, which is the working folder then.
func keep(t *testing.T, programs ...program) *keeper {
	t.Helper()
	t.Chdir(t.TempDir())
	for i := range programs {
		p := &programs[i]
		p.Command, p.Dir, p.Log = append([]string{"/bin/sh", "-c"}, p.Command...), ".", p.Name+".log"
	}
	k := newKeeper(plan{Processes: programs}, func() {})
	t.Cleanup(k.stopAll)
	k.startAll()
	return k
}

func (k *keeper) named(name string) status {
	for _, p := range k.report().Processes {
		if p.Name == name {
			return p
		}
	}
	return status{}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to it")
		}
	}
}

const obedient = `trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`

func TestKilledIsToldFromStopped(t *testing.T) {
	for name, c := range map[string]struct{ order, script, want string }{
		"stopped":              {"stop", obedient, stopped},
		"killed":               {"kill", obedient, killed},
		"stopped with trouble": {"stop", `trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done`, killed},
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t, program{Name: "node", Command: []string{c.script}})
			eventually(t, func() bool { text, _ := os.ReadFile("node.log"); return string(text) == "ready\n" })
			before := k.named("node")
			if before.State != running || before.PID == 0 || before.Start == 0 {
				t.Fatalf("%+v", before)
			}
			if a := k.do(request{Do: c.order, Name: "node"}); a.Error != "" {
				t.Fatal(a.Error)
			}
			after := k.named("node")
			if after.State != c.want || after.PID != 0 || after.Exit == "" {
				t.Errorf("%+v", after)
			}
			if err := syscall.Kill(before.PID, 0); err != syscall.ESRCH {
				t.Errorf("the process is left: %v", err)
			}
			if k.do(request{Do: "start", Name: "node"}); k.named("node").State != running {
				t.Error("it does not start again")
			}
		})
	}
}

func TestKilledFromOutsideIsSeen(t *testing.T) {
	k := keep(t, program{Name: "node", Command: []string{obedient}})
	syscall.Kill(k.named("node").PID, syscall.SIGKILL)
	eventually(t, func() bool { return k.named("node").State == killed })
	time.Sleep(50 * time.Millisecond)
	if k.named("node").State != killed {
		t.Error("a node is started again although its database is lost")
	}
}

func TestCoordinatorIsStartedAgain(t *testing.T) {
	k := keep(t, program{Name: "coordinator", Command: []string{obedient}, Restart: true})
	first := k.named("coordinator").PID
	syscall.Kill(first, syscall.SIGKILL)
	eventually(t, func() bool { s := k.named("coordinator"); return s.State == running && s.PID != first })

	k.do(request{Do: "stop", Name: "coordinator"})
	time.Sleep(1200 * time.Millisecond) // longer than it takes to come again
	if s := k.named("coordinator"); s.State == running {
		t.Errorf("what was stopped on purpose comes again: %+v", s)
	}
}

func TestCoordinatorEndsBeforeItsNodes(t *testing.T) {
	k := keep(t, program{Name: "node", Command: []string{`trap 'echo node >>order; exit 0' TERM; echo ready; while :; do sleep 0.01; done`}},
		program{Name: "coordinator", Command: []string{`trap 'sleep 0.1; echo coordinator >>order; exit 0' TERM; echo ready; while :; do sleep 0.01; done`}, Restart: true})
	for _, name := range []string{"node.log", "coordinator.log"} {
		eventually(t, func() bool { text, _ := os.ReadFile(name); return string(text) == "ready\n" })
	}
	k.stopAll()
	order, err := os.ReadFile("order")
	if err != nil || string(order) != "coordinator\nnode\n" {
		t.Errorf("%q, %v", order, err)
	}
}

func TestProcessesAreWrittenDown(t *testing.T) {
	k := keep(t, program{Name: "node", Command: []string{obedient}})
	pid := k.named("node").PID
	var r report
	eventually(t, func() bool {
		text, err := os.ReadFile("processes.json")
		return err == nil && json.Unmarshal(text, &r) == nil && len(r.Processes) == 1 && r.Processes[0].PID == pid
	})
	if r.Keeper.PID != os.Getpid() || r.Keeper.Start == 0 {
		t.Errorf("%+v", r.Keeper)
	}
}

func TestSharedNetworkIsNotCut(t *testing.T) {
	k := keep(t)
	if a := k.do(request{Do: "cut"}); a.Error == "" || k.report().Cut {
		t.Errorf("%+v", a)
	}
	if c, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Errorf("the machine's own loopback is down: %v", err)
	} else {
		c.Close()
	}
}

func TestRequestsThatAreNoneAreAnswered(t *testing.T) {
	k := keep(t, program{Name: "node", Command: []string{obedient}})
	for line, want := range map[string]string{
		`{"do":"status"}`:               `"state":"running"`,
		`{"do":"dance"}`:                `there is no request`,
		`{"do":"kill","name":"nobody"}`: `there is no process`,
		`{"do":"kill"}`:                 `there is no process`,
		`hello`:                         `that is no request`,
		`[]`:                            `that is no request`,
		``:                              `that is no request`,
		strings.Repeat(" ", 5000):       ``, // too long: no answer
	} {
		ours, theirs := net.Pipe()
		go k.converse(theirs)
		go fmt.Fprintln(ours, line)
		answer, err := io.ReadAll(ours)
		if err != nil || !strings.Contains(string(answer), want) || want == "" && len(answer) > 0 {
			t.Errorf("%.20q is answered with %q, %v", line, answer, err)
		}
	}
	if k.named("node").State != running {
		t.Error("one of them stopped the node")
	}
}

func TestSecondKeeperIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := listenControl("keeper.sock")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat("keeper.sock")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := listenControl("keeper.sock"); err == nil {
		t.Error("two keepers in one folder")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a keeper that was killed leaves it
	l.Close()
	if l, err = listenControl("keeper.sock"); err != nil {
		t.Fatalf("the socket of a dead keeper is in the way: %v", err)
	}
	l.Close()
}

func TestRelayPassesBothWaysAndHoldsBackWhatIsCut(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	go func() {
		for {
			c, err := inner.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	r := newRelay()
	outer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	go r.accept(outer, inner.Addr().String())
	say := func(patience time.Duration) (string, error) {
		c, err := net.Dial("tcp", outer.Addr().String())
		if err != nil {
			return "", err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintln(c, "hello")
		return bufio.NewReader(c).ReadString('\n')
	}
	if line, err := say(5 * time.Second); line != "hello\n" {
		t.Fatalf("%q, %v", line, err)
	}
	r.cut(true)
	if line, err := say(50 * time.Millisecond); !os.IsTimeout(err) {
		t.Errorf("cut: %q, %v", line, err)
	}
	r.cut(false)
	if line, err := say(5 * time.Second); line != "hello\n" {
		t.Errorf("healed: %q, %v", line, err)
	}
	inner.Close()
	if _, err := say(5 * time.Second); err == nil || os.IsTimeout(err) {
		t.Errorf("nobody is there, and the connection stays: %v", err)
	}
}

func TestPlansThatAreNoneAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	for _, text := range []string{"", "[]", `{"processes":[{}]}`, `{"processes":[{"name":"node"}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := readPlan(path); err == nil {
			t.Errorf("%s is read as %+v", text, p)
		}
	}
}

func TestStartTimeTellsProcessesApart(t *testing.T) {
	own, err := startTime(os.Getpid())
	if err != nil || own == 0 {
		t.Fatalf("%d, %v", own, err)
	}
	if first, err := startTime(1); err != nil || first == own {
		t.Errorf("process 1 started at %d, this one at %d, %v", first, own, err)
	}
	if _, err := startTime(0); err == nil {
		t.Error("there is no process 0")
	}
}
