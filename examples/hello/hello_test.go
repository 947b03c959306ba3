// The tests are in package main, since nobody else can import it.
package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The program must be in the README and on the front page as it is here.
func TestProgramIsWhatIsPrinted(t *testing.T) {
	program := read(t, "main.go")
	if printed := blocks(read(t, "../../README.md")); printed[0] != program {
		t.Errorf("README.md prints\n%s", printed[0])
	}
	var front strings.Builder
	for line := range strings.Lines(program) {
		front.WriteString(strings.TrimRight("//\t"+line, "\t\n") + "\n")
	}
	doc := read(t, "../../doc.go")
	if !strings.Contains(strings.ReplaceAll(doc, "//\n", ""), strings.ReplaceAll(front.String(), "//\n", "")) {
		t.Error("doc.go prints another program")
	}
}

// The program is the measure of the API: it must not grow.
func TestProgramIsShort(t *testing.T) {
	if lines := strings.Count(read(t, "main.go"), "\n"); lines > 36 {
		t.Errorf("got %d lines, want at most 36", lines)
	}
}

// The fragments of the README are taken from the functions of readme_test.go,
// which compile.
func TestFragmentsOfREADME(t *testing.T) {
	code := unindented(read(t, "readme_test.go"))
	for _, b := range blocks(read(t, "../../README.md"))[1:] {
		if !strings.Contains(code, unindented(b)) {
			t.Errorf("not in readme_test.go:\n%s", b)
		}
	}
}

// blocks returns the Go programs and fragments of a Markdown text.
func blocks(text string) []string {
	var found []string
	for _, part := range strings.Split(text, "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		found = append(found, strings.TrimRight(block, " "))
	}
	return found
}

// unindented drops what depends on where a fragment stands: white space at both
// ends of a line, and in front of a remark.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		code, remark, ok := strings.Cut(line, " // ")
		b.WriteString(strings.TrimSpace(code))
		if ok {
			b.WriteString(" // " + strings.TrimSpace(remark))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestHome(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContext(middleware.WithUser(r.Context(), &store.User{ID: "1", Name: "Ada"}))
	w := &answer{header: http.Header{}}
	home(w, r)
	if got := w.String(); got != "Hello, Ada!\n" {
		t.Errorf("got %q", got)
	}
}

type answer struct {
	bytes.Buffer
	header http.Header
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}

// TestRunAsPrinted builds the program, starts it and opens its page as a
// visitor, who is sent to GitHub with the callback that the README says to
// register.
func TestRunAsPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hello")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("without settings", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), file)
		cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("got %v, want an error", err)
		}
		for _, want := range []string{"Secret", "github"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("want %q in %q", want, out)
			}
		}
	})

	t.Run("with settings", func(t *testing.T) {
		l, err := net.Listen("tcp", "localhost:8080")
		if err != nil {
			say := t.Skipf
			if os.Getenv("CI") == "true" {
				say = t.Fatalf
			}
			say("somebody else listens on the program's port: %v; end that program and try again", err)
		}
		l.Close()
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		cmd := exec.CommandContext(ctx, file)
		cmd.Dir = t.TempDir()
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITHUB_ID=id", "GITHUB_SECRET=secret", "SECRET=w1Z8xQ3nV6kR0tY5uB2mL9cJ4hG7fD1s"}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer stop()
		waitFor(ctx, t, "localhost:8080")
		to := first(ctx, t, "http://localhost:8080/")
		if to != "/auth/login/github?return_to=%2F" {
			t.Errorf("a visitor is sent to %s", to)
		}
		to = first(ctx, t, "http://localhost:8080/auth/login/github")
		if !strings.HasPrefix(to, "https://github.com/login/oauth/authorize?") ||
			!strings.Contains(to, "redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fauth%2Fcallback%2Fgithub") {
			t.Errorf("a login goes to %s", to)
		}
	})
}

// waitFor returns once something listens at addr.
func waitFor(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if c, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the program does not listen")
		}
	}
}

// first returns where a page sends the browser.
func first(ctx context.Context, t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Location")
}
