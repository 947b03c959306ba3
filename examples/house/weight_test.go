package house_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// manyServices are as many as a program of all the world's services would have.
const manyServices = 240

// program writes and builds a program with n services, each a function of its
// own, as in the catalog, and returns the size of its binary.
func program(t *testing.T, n int) (binary string, size int64) {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(`package main

import (
	"fmt"
	"os"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
)

func main() {
	_, err := middleware.New(middleware.Config{BaseURL: "http://localhost:8080", Secret: os.Getenv("SECRET"), Store: memstore.New()}, all()...)
	fmt.Println(err)
}

func all() []provider.Provider {
	return []provider.Provider{
`)
	for i := range n {
		fmt.Fprintf(&b, "\t\tservice%d(\"id\", \"secret\"),\n", i)
	}
	b.WriteString("\t}\n}\n")
	for i := range n {
		fmt.Fprintf(&b, `
func service%[1]d(id, secret string, opts ...provider.Option) provider.Provider {
	return provider.OAuth2{
		Info:     provider.Info{ID: "service%[1]d", Name: "Service %[1]d", Setup: "https://service%[1]d.example.com/apps", API: "https://api.service%[1]d.example.com"},
		Endpoint: oauth2.Endpoint{AuthURL: "https://service%[1]d.example.com/authorize", TokenURL: "https://service%[1]d.example.com/token"},
		Scopes:   []string{"profile", "email"},
		UserURL:  "https://api.service%[1]d.example.com/me",
		Fields:   provider.Fields{Subject: "id", Name: "name", Email: "email", AvatarURL: "picture"},
	}.New(id, secret, opts...)
}
`, i)
	}
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, source)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	return binary, info.Size()
}

// An app with every service pays for none at start, and little in its binary.
func TestManyServicesWeighLittle(t *testing.T) {
	_, one := program(t, 1)
	binary, all := program(t, manyServices)
	more := all - one
	t.Logf("%d services make a program of %.1f MB larger by %d bytes, %d each", manyServices, float64(one)/1e6, more, more/(manyServices-1))
	// Half of it are the empty fields of the definition, which the compiler keeps
	// as they are.
	if each := more / (manyServices - 1); each > 2300 {
		t.Errorf("a service makes a program larger by %d bytes, want 2,300 at most", each)
	}
	// The runtime lists what packages do before main.
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "init runtime") {
		t.Fatalf("%v, no list of inits in %s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		// Compiled patterns and sentinels of errors take a moment, in a number that
		// does not depend on that of services.
		if strings.Contains(line, module+"/provider/catalog") || strings.HasPrefix(line, "init main ") {
			t.Errorf("before main: %s", line)
		}
	}
}

// The catalog is data that is made when it is asked for: it has no variables to
// fill in before main.
func TestCatalogHasNoInit(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	source := filepath.Join(dir, "main.go")
	text := "package main\n\nimport \"" + module + "/provider/catalog\"\n\nfunc main() {\n\tfor id, create := range catalog.All() {\n\t\tprintln(id, create(\"id\", \"secret\").Info().Name)\n\t}\n}\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command("go", "tool", "nm", binary).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool nm: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), module+"/provider/catalog.GitHub") {
		t.Error("the catalog is not in the program")
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, module+"/provider/catalog.init") || strings.Contains(line, module+"/provider/catalog..inittask") {
			t.Errorf("before main: %s", line)
		}
	}
}
