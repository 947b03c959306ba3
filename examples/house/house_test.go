package house_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatepass/gatepass"

// mayImport is the table of who may import whom, beside the standard library.
// A path that ends in /... stands for itself and all below it.
var mayImport = map[string][]string{
	"provider": {
		"golang.org/x/oauth2/...", "github.com/coreos/go-oidc/v3/oidc",
		"github.com/go-jose/go-jose/v4/...", "github.com/dghubble/oauth1",
	},
	"provider/catalog": {
		module + "/provider", "golang.org/x/oauth2", "golang.org/x/oauth2/endpoints", "github.com/dghubble/oauth1",
	},
	"provider/gologin": {
		module + "/provider", "github.com/dghubble/gologin/v2", "github.com/dghubble/gologin/v2/oauth1",
		"github.com/dghubble/gologin/v2/oauth2", "github.com/dghubble/gologin/v2/facebook",
		"github.com/dghubble/gologin/v2/bitbucket", "github.com/dghubble/gologin/v2/twitter",
		"github.com/dghubble/gologin/v2/tumblr", "github.com/dghubble/oauth1", "golang.org/x/oauth2/...",
	},
	"provider/providertest": {module + "/provider"},
	"store":                 {},
	"store/memstore":        {module + "/store"},
	"store/storetest":       {module + "/store"},
	"store/gormstore":       {module + "/store", "gorm.io/gorm/...", "github.com/go-gormigrate/gormigrate/v2"},
	"session": {
		module + "/store", "github.com/gorilla/sessions", "github.com/gorilla/securecookie",
		"golang.org/x/net/publicsuffix", "golang.org/x/sync/singleflight",
	},
	"middleware": {
		module + "/provider", module + "/store", module + "/session", "golang.org/x/sync/...", "github.com/mileusna/useragent",
	},
	"middleware/authtest": {module + "/middleware", module + "/store"},
}

// heavy are packages that nobody carries by importing a package of the library.
var heavy = []string{
	"github.com/mattn/go-sqlite3", "gorm.io/driver/", "github.com/dghubble/gologin/v2/google",
	"github.com/dghubble/gologin/v2/github", "google.golang.org/", "github.com/chromedp/", "github.com/joho/godotenv",
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// packages returns the library's packages with what each imports itself.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, line := range goList(t, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...") {
		words := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(words[0], module), "/")
		if name == "" || strings.HasPrefix(name, "examples/") {
			continue
		}
		all[name] = words[1:]
	}
	if len(all) == 0 {
		t.Fatal("go list names no package")
	}
	return all
}

func TestWhoMayImportWhom(t *testing.T) {
	for name, imports := range packages(t) {
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		for _, path := range imports {
			if !standard(path) && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, path) }) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

func TestImportersCarryNothingHeavy(t *testing.T) {
	for name := range packages(t) {
		for _, path := range goList(t, "-deps", "./"+name) {
			if slices.ContainsFunc(heavy, func(h string) bool { return strings.HasPrefix(path, h) }) {
				t.Errorf("who imports %s carries %s", name, path)
			}
		}
	}
}

// standard reports whether path is in the standard library: the first part of
// any other has a dot in it.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func covers(allowed, path string) bool {
	tree, ok := strings.CutSuffix(allowed, "/...")
	if !ok {
		return allowed == path
	}
	return path == tree || strings.HasPrefix(path, tree+"/")
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		allowed, path string
		want          bool
	}{
		{"a.org/x", "a.org/x", true},
		{"a.org/x", "a.org/x/y", false},
		{"a.org/x/...", "a.org/x/y", true},
		{"a.org/x/...", "a.org/x", true},
		{"a.org/x/...", "a.org/xy", false},
	} {
		if got := covers(tt.allowed, tt.path); got != tt.want {
			t.Errorf("covers(%q, %q): got %v, want %v", tt.allowed, tt.path, got, tt.want)
		}
	}
}
