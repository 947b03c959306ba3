package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flags(t *testing.T) []string {
	t.Helper()
	return []string{"-addr", "localhost:0", "-service", "127.0.0.1:0", "-db", file(t)}
}

// runUntilOpen runs the program until it has said what there is to say, ends
// it, and returns that.
func runUntilOpen(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append(flags(t), args...), w)
		w.CloseWithError(io.EOF)
		done <- err
	}()
	var said strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "/auth/callback/") {
			stop() // as Ctrl-C does
		}
	}
	if err := <-done; err != nil {
		t.Fatalf("the program ended with %v after\n%s", err, said.String())
	}
	return said.String()
}

func TestRunWithoutKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	for id := range catalog.All() { // whatever the machine's environment has
		t.Setenv(variable(id)+"_ID", "")
		t.Setenv(variable(id)+"_SECRET", "")
	}
	out := runUntilOpen(t)
	for _, want := range []string{"Open http://localhost:", "test service at http://127.0.0.1:", "GITHUB_ID", "/auth/callback/test", "made, and kept in"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in what it says:\n%s", want, out)
		}
	}
}

func TestRunWithKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GITHUB_ID", "id")
	t.Setenv("GITHUB_SECRET", "secret-of-github")
	t.Setenv("GOOGLE_ID", "id")
	t.Setenv("GOOGLE_SECRET", "secret-of-google")
	t.Setenv("BASE_URL", "https://app.example.com")
	out := runUntilOpen(t)
	for _, want := range []string{
		"Open https://app.example.com", "https://app.example.com/auth/callback/github", "https://app.example.com/auth/callback/google",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in what it says:\n%s", want, out)
		}
	}
	for _, not := range []string{"secret-of-", "test service"} {
		if strings.Contains(out, not) {
			t.Errorf("want no %q in what it says:\n%s", not, out)
		}
	}
}

func TestServices(t *testing.T) {
	set := map[string]string{
		"GITHUB_ID": "id", "GITHUB_SECRET": "secret",
		"X_ID": "id", "X_SECRET": "secret", "X_SCOPES": "offline.access",
		"GOOGLE_ID":      "id",
		"DISCORD_SECRET": "secret",
	}
	_, err := services(func(name string) string { return set[name] })
	if err == nil {
		t.Fatal("half of the keys is no mistake")
	}
	for _, want := range []string{"GOOGLE_SECRET", "DISCORD_ID"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in %q", want, err)
		}
	}
	set["GOOGLE_SECRET"], set["DISCORD_ID"] = "secret", "id"
	providers, err := services(func(name string) string { return set[name] })
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range providers {
		ids = append(ids, p.Info().ID)
		if err := provider.Check(p); err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(ids, " "), "discord github google x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryServiceHasItsOwnPair(t *testing.T) {
	for id := range catalog.All() {
		name := variable(id)
		providers, err := services(func(v string) string {
			if v == name+"_ID" || v == name+"_SECRET" {
				return "value"
			}
			return ""
		})
		if err != nil || len(providers) != 1 || providers[0].Info().ID != id {
			t.Errorf("%s_ID and %s_SECRET: got %d providers, %v", name, name, len(providers), err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	env := filepath.Join(t.TempDir(), ".env")
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "environment", "EMPTY": ""}[name]
		return v, ok
	}

	getenv, err := environment(env, lookup)
	if err != nil {
		t.Fatalf("without a file: %v", err)
	}
	if got := getenv("A"); got != "environment" {
		t.Errorf("got %q", got)
	}

	write(t, env, "A=file\nB=file # a remark\nEMPTY=file\n")
	if getenv, err = environment(env, lookup); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "environment", "B": "file", "EMPTY": "", "C": ""} {
		if got := getenv(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if os.Getenv("B") != "" {
		t.Error("the file has changed the environment")
	}

	write(t, env, "GITHUB_SECRET hunter2\n")
	if _, err = environment(env, lookup); err == nil || !strings.Contains(err.Error(), env) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error that names the file and tells nothing of it", err)
	}
}

func TestMemoryLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	one, err := findSecret("", memory)
	if err != nil {
		t.Fatal(err)
	}
	two, err := findSecret("", memory)
	if err != nil {
		t.Fatal(err)
	}
	if one.value == two.value {
		t.Error("two runs have one secret")
	}
	runUntilOpen(t, "-db", memory)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 {
		t.Errorf("it leaves %v", files)
	}
}

func TestStartUpMistakesAreToldTogether(t *testing.T) {
	w := newWorld(t)
	cfg := w.cfg
	cfg.BaseURL, cfg.Secret, cfg.Providers = "http://app.example.com", "short", nil
	_, err := newApp(cfg)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"BaseURL", "Secret", "providers"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in %q", want, err)
		}
	}
}

func TestRunRefusesFlags(t *testing.T) {
	if err := run(t.Context(), []string{"-nonsense"}, io.Discard); err == nil {
		t.Error("no error")
	}
}

func TestRunWhereSomebodyListens(t *testing.T) {
	t.Chdir(t.TempDir())
	w := newWorld(t)
	addr := w.srv.Listener.Addr().String()
	if err := run(t.Context(), []string{"-addr", addr, "-db", memory}, io.Discard); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v, want an error that names %s", err, addr)
	}
}
