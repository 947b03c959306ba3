package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dangerous is every exported name that leaves out a check (Insecure…) or with
// which someone else could get in (Dangerously…). Who adds one adds it here, and
// says in its comment who gets in, and how.
var dangerous = []string{
	"middleware.Config.DangerouslyLinkByEmail",
	"provider.OIDC.InsecureNoNonce",
	"session.Config.Insecure",
}

func TestDangerousNames(t *testing.T) {
	var got []string
	for _, dir := range []string{"provider", "store", "session", "middleware"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			got = append(got, names(t, file)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, dangerous) {
		t.Errorf("got  %v\nwant %v", got, dangerous)
	}
}

// names returns the dangerous names that a file declares: functions, methods,
// types, constants, variables, and what stands in a struct or an interface.
func names(t *testing.T, file *ast.File) []string {
	var found []string
	note := func(comment *ast.CommentGroup, owner string, id *ast.Ident) {
		if !strings.HasPrefix(id.Name, "Insecure") && !strings.HasPrefix(id.Name, "Dangerously") {
			return
		}
		name := strings.Join(slices.DeleteFunc([]string{file.Name.Name, owner, id.Name}, func(s string) bool { return s == "" }), ".")
		found = append(found, name)
		if comment == nil {
			t.Errorf("%s has no comment that says what it lets happen", name)
		}
	}
	fields := func(owner string, list *ast.FieldList) {
		for _, f := range list.List {
			for _, id := range f.Names {
				note(f.Doc, owner, id)
			}
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			note(d.Doc, receiver(d), d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					note(either(s.Doc, d.Doc), "", s.Name)
					switch typ := s.Type.(type) {
					case *ast.StructType:
						fields(s.Name.Name, typ.Fields)
					case *ast.InterfaceType:
						fields(s.Name.Name, typ.Methods)
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						note(either(s.Doc, d.Doc), "", id)
					}
				}
			}
		}
	}
	return found
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func either(a, b *ast.CommentGroup) *ast.CommentGroup {
	if a != nil {
		return a
	}
	return b
}

// The test above is worth what names finds.
func TestNames(t *testing.T) {
	const src = `package p

// InsecureFunc leaves out a check.
func InsecureFunc() {}

type T struct {
	// InsecureField leaves out a check.
	InsecureField bool
	Secure        bool
}

// InsecureMethod leaves out a check.
func (t *T) InsecureMethod() {}

// DangerouslyWith lets somebody in.
type DangerouslyWith interface{ Fine() }

// InsecureMode leaves out a check.
const InsecureMode = 1
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	got := names(t, file)
	want := []string{"p.InsecureFunc", "p.T.InsecureField", "p.T.InsecureMethod", "p.DangerouslyWith", "p.InsecureMode"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
