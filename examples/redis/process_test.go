package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	argsVariable = "GATEPASS_TEST_ARGS"
	secret       = "pYx0C1q8vK2mWz7RtLhN4sJd6FbGaE3uQoVi9ITk" // of tests
)

// TestProcess is no test: it is what the other processes run.
func TestProcess(t *testing.T) {
	text := os.Getenv(argsVariable)
	if text == "" {
		t.Skip("this is what other tests run in processes of their own")
	}
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // whoever started this process is gone
	}()
	t.Fatal(run(t.Context(), args, secret, os.Stdout))
}

// A process is one of the app's.
type process struct {
	cmd *exec.Cmd
	url *url.URL
}

// start starts a process and waits until it listens.
func start(tb testing.TB, args ...string) *process {
	tb.Helper()
	text, err := json.Marshal(append([]string{"-addr", "127.0.0.1:0"}, args...))
	if err != nil {
		tb.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{cmd: exec.Command(program, "-test.run=^TestProcess$", "-test.timeout=2m")}
	p.cmd.Env = append(os.Environ(), argsVariable+"="+string(text))
	p.cmd.Stderr = tb.Output()
	in, err := p.cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		p.kill()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		tb.Fatalf("the process said %q (%v), want that it listens", line, err)
	}
	if p.url, err = url.Parse(addr); err != nil {
		tb.Fatal(err)
	}
	return p
}

// kill ends the process as kill -9 does, and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// A balancer sends each request to the process whose turn it is. It knows of no
// sessions.
type balancer struct {
	mu   sync.Mutex
	all  []*process
	turn int
}

// servedBy is a header of the answers, with the address of the process.
const servedBy = "X-Served-By"

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	p := b.all[b.turn%len(b.all)]
	b.turn++
	b.mu.Unlock()
	proxy := httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(p.url)
			pr.Out.Host = pr.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Set(servedBy, p.url.Host)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	proxy.ServeHTTP(w, r)
}

// replace has the others do a process's work, or next if that is not nil.
func (b *balancer) replace(p, next *process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = slices.DeleteFunc(slices.Clone(b.all), func(q *process) bool { return q == p })
	if next != nil {
		b.all = append(b.all, next)
	}
}
