package databases_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
)

// A task is what another process of the app does. It is this program once more.
type task struct {
	Database string // its name in databases
	DSN      string
	Service  string
	Ahead    time.Duration // of its clock
	Prefix   string        // of the subjects that log in; if empty, it renews
	User     string        // whose token it wants
	Callers  int           // how many want it at once
	Patience time.Duration // how long they wait, if not for ever
}

// A report is how a renewal went.
type report struct {
	OK, NoToken int
	Other       []string
}

const taskVariable = "GATEPASS_TEST_TASK"

// TestTask is no test: it is what the other processes run.
func TestTask(t *testing.T) {
	var do task
	text := os.Getenv(taskVariable)
	if text == "" {
		t.Skip("this is what other tests run in processes of their own")
	}
	if err := json.Unmarshal([]byte(text), &do); err != nil {
		t.Fatal(err)
	}
	for _, db := range databases() {
		if db.name != do.Database {
			continue
		}
		s := db.open(t, do.DSN)
		if db.kind != "sqlite" {
			// A server has room for so many and no more; what is one process's
			// share is the app's to say.
			sqlDB(t, s).SetMaxOpenConns(20)
			sqlDB(t, s).SetMaxIdleConns(20)
		}
		a := newApp(t, s, do.Service, do.Ahead, secret)
		fmt.Println("ready")
		// Whoever started this process says when, and it ends with them.
		in := bufio.NewReader(os.Stdin)
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		if do.Prefix != "" {
			do.logIn(a)
			return
		}
		out, err := json.Marshal(do.renew(t.Context(), a))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\n", out)
		return
	}
	t.Fatalf("there is no database called %q", do.Database)
}

// logIn logs people in for as long as the process lives: each of them twice,
// the first time as somebody new.
func (do task) logIn(a *app) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // nobody is there any more
	}()
	for i := 0; ; i++ {
		subject := fmt.Sprint(do.Prefix, i/2)
		if cookie, err := a.login(subject); err == nil {
			fmt.Println("session", subject, cookie)
		} else {
			fmt.Println("refused", subject, err)
		}
	}
}

func (do task) renew(ctx context.Context, a *app) report {
	var mu sync.Mutex
	var all report
	var wg sync.WaitGroup
	if do.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, do.Patience)
		defer cancel()
	}
	for range do.Callers {
		wg.Go(func() {
			err := a.call(ctx, do.User)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				all.OK++
			case errors.Is(err, middleware.ErrNoToken):
				all.NoToken++
			default:
				all.Other = append(all.Other, err.Error())
			}
		})
	}
	wg.Wait()
	return all
}

// A process is another process of the app.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	err   *tail
}

// tail keeps what a process says when something is wrong.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 4096 {
		t.b = t.b[len(t.b)-4096:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// start starts a process and waits until it has opened the database.
func (do task) start(tb testing.TB) *process {
	tb.Helper()
	text, err := json.Marshal(do)
	if err != nil {
		tb.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{cmd: exec.Command(program, "-test.run=^TestTask$", "-test.timeout=2m"), err: new(tail)}
	p.cmd.Env = append(os.Environ(), taskVariable+"="+string(text))
	p.cmd.Stderr = p.err
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.kill)
	p.lines = bufio.NewScanner(out)
	if !p.lines.Scan() || p.lines.Text() != "ready" {
		tb.Fatalf("the process said %q, want that it is ready\n%s", p.lines.Text(), p.err)
	}
	return p
}

func (p *process) begin(tb testing.TB) {
	tb.Helper()
	if _, err := io.WriteString(p.in, "go\n"); err != nil {
		tb.Fatal(err)
	}
}

// kill ends the process as kill -9 does, and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// report waits for how a renewal went.
func (p *process) report(tb testing.TB) report {
	tb.Helper()
	var r report
	if !p.lines.Scan() {
		tb.Fatalf("the process ended without a report\n%s", p.err)
	}
	if err := json.Unmarshal(p.lines.Bytes(), &r); err != nil {
		tb.Fatalf("the process said %q: %v\n%s", p.lines.Text(), err, p.err)
	}
	return r
}
