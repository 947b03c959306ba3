package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// manyServices are as many as a program of all the world's services would have.
const manyServices = 240

// definition is that of one service. Ten of them need what ten of the world's
// services need on the average: three speak OpenID Connect, and of the others four
// want HTTP Basic, five have handles, three vouch for addresses, three revoke.
func definition(i int) string {
	kind, of := "OAuth2", i%10
	name := fmt.Sprintf("service%d", i)
	site, api := "https://"+name+".example.com", "https://api."+name+".example.com"
	lines := []string{
		fmt.Sprintf("Info: provider.Info{ID: %q, Name: %q, Setup: %q, API: %q}", name, strings.ToUpper(name), site+"/developers/apps", api),
		`Scopes: []string{"profile", "email"}`,
	}
	add := func(when bool, format string, args ...any) {
		if when {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	if of < 3 {
		kind = "OIDC"
		add(true, "Issuer: %q", site)
	} else {
		style, fields := "", `Subject: "data.id", Name: "data.name", Email: "data.email"`
		if of < 7 {
			style = ", AuthStyle: oauth2.AuthStyleInHeader"
		}
		if of < 8 {
			fields += `, Username: "data.login", AvatarURL: "data.picture"`
		}
		if of > 6 {
			fields += `, EmailVerified: "data.verified"`
		}
		add(true, "Endpoint: oauth2.Endpoint{AuthURL: %q, TokenURL: %q%s}", site+"/oauth/authorize", site+"/oauth/token", style)
		add(true, "UserURL: %q", api+"/v1/me")
		add(true, "Fields: provider.Fields{%s}", fields)
		add(of%2 == 1, "RevokeURL: %q", site+"/oauth/revoke")
		add(of == 8, "ScopeSep: %q", ",")
	}
	return fmt.Sprintf("provider.%s{\n\t\t%s,\n\t}", kind, strings.Join(lines, ",\n\t\t"))
}

// program writes and builds a program with n services, each a function of its
// own and all of them in a list, as in the catalog, and returns the size of its
// binary.
func program(t *testing.T, n int) (binary string, size int64) {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(`package main

import (
	"fmt"
	"iter"
	"os"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
)

func main() {
	var list []provider.Provider
	for _, create := range all() {
		list = append(list, create("id", "secret"))
	}
	_, err := middleware.New(middleware.Config{BaseURL: "http://localhost:8080", Secret: os.Getenv("SECRET"), Store: memstore.New()}, list...)
	fmt.Println(len(list), err)
}

func all() iter.Seq2[string, func(id, secret string, opts ...provider.Option) provider.Provider] {
	type entry struct {
		id  string
		new func(id, secret string, opts ...provider.Option) provider.Provider
	}
	return func(yield func(string, func(id, secret string, opts ...provider.Option) provider.Provider) bool) {
		for _, e := range [...]entry{
`)
	for i := range n {
		fmt.Fprintf(&b, "\t\t\t{\"service%[1]d\", service%[1]d},\n", i)
	}
	b.WriteString(`		} {
			if !yield(e.id, e.new) {
				return
			}
		}
	}
}
`)
	for i := range n {
		fmt.Fprintf(&b, "\nfunc service%d(id, secret string, opts ...provider.Option) provider.Provider {\n\td := &%s\n\treturn d.New(id, secret, opts...)\n}\n", i, definition(i))
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
	const few = 10 // so that both have the engines
	_, least := program(t, few)
	binary, all := program(t, few+manyServices)
	more := all - least
	t.Logf("%d services make a program of %.1f MB larger by %d bytes, %d each", manyServices, float64(least)/1e6, more, more/manyServices)
	if more > 300_000 {
		t.Errorf("%d services make a program larger by %d bytes, want 300,000 at most", manyServices, more)
	}
	// The runtime lists what packages do before main.
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "init runtime") {
		t.Fatalf("%v, no list of inits in %s", err, out)
	}
	if !strings.Contains(string(out), fmt.Sprintf("\n%d ", few+manyServices)) {
		t.Errorf("the program does not make %d services: %s", few+manyServices, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		// Compiled patterns and sentinels of errors take a moment, in a number that
		// does not depend on that of services.
		if strings.Contains(line, module+"/provider/catalog") || strings.HasPrefix(line, "init main ") {
			t.Errorf("before main: %s", line)
		}
	}
}

// Of a literal that is a value the compiler keeps every field in the binary, the
// empty ones too, which were half of what a service weighed; of one behind a
// pointer it sets those that are named, in a quarter of the room.
func TestCatalogDefinesBehindPointers(t *testing.T) {
	files, err := filepath.Glob("../../provider/catalog/*.go")
	if err != nil {
		t.Fatal(err)
	}
	set, found := token.NewFileSet(), 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		behind := make(map[ast.Node]bool)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					behind[n.X] = true
				}
			case *ast.CompositeLit:
				if !defines(n) {
					break
				}
				found++
				if !behind[n] {
					t.Errorf("%s: a definition that is no pointer; write d := &provider.OAuth2{…} and return d.New(…)", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("the catalog has %d definitions, want 20 at least", found)
	}
}

// defines reports whether lit is a service as data.
func defines(lit *ast.CompositeLit) bool {
	sel, ok := lit.Type.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "provider" && (sel.Sel.Name == "OAuth2" || sel.Sel.Name == "OIDC" || sel.Sel.Name == "OAuth1")
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
