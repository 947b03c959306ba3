package catalog_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
)

func TestCheck(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			if err := provider.Check(e.new(clientID, clientSecret)); err != nil {
				t.Errorf("with all arguments: %v", err)
			}
			if err := provider.Check(e.new("", clientSecret)); err == nil {
				t.Error("without an ID: no error")
			}
			if err := provider.Check(e.new(clientID, "")); err == nil && e.dir != "vk" {
				t.Error("without a secret: no error")
			}
			if err := provider.Check(e.new(clientID, clientSecret, provider.WithParam("state", "mine"), provider.WithParam("oauth_token", "mine"))); err == nil {
				t.Error("with a parameter of the protocol's own: no error")
			}
		})
	}
}

func TestArgumentsThatCannotWork(t *testing.T) {
	const id, secret = clientID, clientSecret
	for name, p := range map[string]provider.Provider{
		"GitHub without a host":      catalog.GitHubEnterprise("", id, secret),
		"GitHub over http":           catalog.GitHubEnterprise("http://git.corp.example", id, secret),
		"GitLab with a user":         catalog.GitLabAt("me:password@git.corp.example", id, secret),
		"GitLab with a query":        catalog.GitLabAt("git.corp.example?x={y}", id, secret),
		"Okta without a domain":      catalog.Okta("", id, secret),
		"Auth0 over http":            catalog.Auth0("http://acme.eu.auth0.example", id, secret),
		"Keycloak without a host":    catalog.Keycloak("", "staff", id, secret),
		"Keycloak without a realm":   catalog.Keycloak("login.corp.example", "", id, secret),
		"OIDC without an issuer":     catalog.OIDC("", id, secret),
		"OIDC over http":             catalog.OIDC("http://idp.corp.example", id, secret),
		"OIDC without a scheme":      catalog.OIDC("idp.corp.example", id, secret),
		"Microsoft without a tenant": catalog.MicrosoftTenant("", id, secret),
		"Microsoft with a domain":    catalog.MicrosoftTenant("corp.onmicrosoft.example", id, secret),
		"Microsoft with a path":      catalog.MicrosoftTenant("common/v2.0/..", id, secret),
		"Microsoft with a near UUID": catalog.MicrosoftTenant("4c1f6d0e-1234-4222-8333-0a0b0c0d0e0g", id, secret),
	} {
		if err := provider.Check(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestServersOfDevelopers has hosts as people write them.
func TestServersOfDevelopers(t *testing.T) {
	for _, c := range []struct {
		p    provider.Provider
		want string
	}{
		{catalog.GitHubEnterprise("https://git.corp.example/", clientID, clientSecret), "https://git.corp.example/login/oauth/authorize?"},
		{catalog.GitLabAt("corp.example/gitlab", clientID, clientSecret), "https://corp.example/gitlab/oauth/authorize?"},
		{catalog.GitLabAt("http://localhost:8929", clientID, clientSecret), "http://localhost:8929/oauth/authorize?"},
		{catalog.MicrosoftTenant("Organizations", clientID, clientSecret), "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?"},
	} {
		if err := provider.Check(c.p); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		to, err := c.p.Begin(context.Background(), provider.Request{State: stateValue, CallbackURL: redirectURI})
		if err != nil || !strings.HasPrefix(to.URL, c.want) {
			t.Errorf("got %s (%v), want %s…", to.URL, err, c.want)
		}
	}
}

// TestAll reads the package's source, so that a constructor that somebody
// forgets to list is found.
func TestAll(t *testing.T) {
	var ids []string
	for id, create := range catalog.All() {
		ids = append(ids, id)
		if got := create(clientID, clientSecret).Info().ID; got != id {
			t.Errorf("All: %s makes a provider with the ID %s", id, got)
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("All: got %q, want each once in alphabetical order", ids)
	}
	for range catalog.All() {
		break // must not panic
	}

	simple, listed := map[string]bool{}, map[string]bool{}
	for _, file := range parse(t) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() {
				continue
			}
			if f.Name.Name == "All" {
				ast.Inspect(f, func(n ast.Node) bool {
					if lit, ok := n.(*ast.CompositeLit); ok && lit.Type == nil && len(lit.Elts) == 2 {
						if name, ok := lit.Elts[1].(*ast.Ident); ok {
							if listed[name.Name] {
								t.Errorf("All lists %s twice", name)
							}
							listed[name.Name] = true
						}
					}
					return true
				})
				continue
			}
			if f.Doc == nil || !strings.HasPrefix(f.Doc.Text(), f.Name.Name+" ") {
				t.Errorf("%s: want a comment that begins with its name", f.Name)
			}
			if takesIDAndSecret(f.Type) {
				simple[f.Name.Name] = true
			}
		}
	}
	if !maps.Equal(simple, listed) {
		t.Errorf("All lists %v, and the constructors with ID and secret alone are %v",
			slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(simple)))
	}
}

// takesIDAndSecret reports whether f takes two strings and options.
func takesIDAndSecret(f *ast.FuncType) bool {
	texts, options := 0, 0
	for _, field := range f.Params.List {
		switch x := field.Type.(type) {
		case *ast.Ident:
			if x.Name != "string" {
				return false
			}
			texts += len(field.Names)
		case *ast.Ellipsis:
			options++
		default:
			return false
		}
	}
	return texts == 2 && options == 1
}

// TestNoState finds what would make two programs in one process disturb each
// other.
func TestNoState(t *testing.T) {
	for name, file := range parse(t) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					t.Errorf("%s: a variable of the package", name)
				}
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: an init function", name)
				}
			}
		}
	}
}

// TestFixtures finds constructors without fixtures and fixtures without
// constructors.
func TestFixtures(t *testing.T) {
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, d := range dirs {
		have = append(have, d.Name())
	}
	for _, e := range entries() {
		want = append(want, e.dir)
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("testdata: got %q, want %q", have, want)
	}
}

func parse(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[n.Name()] = f
	}
	return files
}
