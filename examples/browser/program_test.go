package browser_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// files is where the tests of one run keep what they make: the program, which
// goes away, and pictures, which stay to be looked at.
var files struct {
	program, pictures string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if files.program != "" {
		os.RemoveAll(files.program)
	}
	if files.pictures != "" {
		fmt.Println("pictures of the pages are in", files.pictures)
	}
	os.Exit(code)
}

// built makes the bundled example, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatepass-server-")
	if err != nil {
		return "", err
	}
	files.program = dir
	file := filepath.Join(dir, "server")
	cmd := exec.Command("go", "build", "-o", file, "./examples/server")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

// pictures makes the folder for screenshots.
var pictures = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatepass-pictures-")
	files.pictures = dir
	return dir, err
})

// A program is the bundled example, as people start it.
type program struct {
	t       *testing.T
	dir     string // with its database
	url     string // of the app
	host    string // of the app, with its port
	service string // of the test service, with its port
	cmd     *exec.Cmd
	done    chan error
}

// newProgram starts the example with a database of its own.
func newProgram(t *testing.T) *program {
	t.Helper()
	app, service := freePort(t), freePort(t)
	p := &program{
		t: t, dir: t.TempDir(),
		url: "http://localhost:" + app, host: "localhost:" + app, service: "127.0.0.1:" + service,
	}
	t.Cleanup(p.stop)
	p.start()
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start starts the program and returns when it has said what to open.
func (p *program) start() {
	p.t.Helper()
	file, err := built()
	if err != nil {
		p.t.Fatalf("build the example: %v", err)
	}
	cmd := exec.Command(file, "-addr", p.host, "-service", p.service)
	cmd.Dir = p.dir
	// Settings of whoever runs the tests must not be those of the program.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.done = cmd, make(chan error, 1)
	open := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Open "+p.url) {
				close(open)
				break
			}
		}
		io.Copy(io.Discard, out)
		p.done <- cmd.Wait()
	}()
	select {
	case <-open:
	case err := <-p.done:
		p.cmd = nil
		p.t.Fatalf("the example has ended: %v", err)
	case <-time.After(20 * time.Second):
		p.t.Fatal("the example does not say what to open")
	}
}

// stop ends the program as the terminal does.
func (p *program) stop() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("stop the example: %v", err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("the example ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		p.cmd.Process.Kill()
		p.t.Error("the example does not stop")
	}
	p.cmd = nil
}
