// The test is in package main, since nobody else can import it.
package main

import (
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const forumSecret = "shared with the forum"

// A forum is a Discourse forum in which somebody is logged in. Change may alter
// what it says before it signs it, and forge what it sends.
type forum struct {
	*httptest.Server
	change func(said url.Values)
	forge  func(sent url.Values)
}

func newForum(t *testing.T) *forum {
	t.Helper()
	f := new(forum)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sso := r.FormValue("sso")
		form, err := base64.StdEncoding.DecodeString(sso)
		if err != nil || r.URL.Path != "/session/sso_provider" || r.FormValue("sig") != sign(sso, forumSecret) {
			http.Error(w, "not signed by the app", http.StatusUnprocessableEntity)
			return
		}
		asked, err := url.ParseQuery(string(form))
		if err != nil || asked.Get("nonce") == "" {
			http.Error(w, "no nonce", http.StatusUnprocessableEntity)
			return
		}
		said := url.Values{"nonce": {asked.Get("nonce")}, "external_id": {"17"}, "username": {"ada"}, "name": {"Ada"}}
		if f.change != nil {
			f.change(said)
		}
		sso = base64.StdEncoding.EncodeToString([]byte(said.Encode()))
		sent := url.Values{"sso": {sso}, "sig": {sign(sso, forumSecret)}}
		if f.forge != nil {
			f.forge(sent)
		}
		http.Redirect(w, r, asked.Get("return_sso_url")+"&"+sent.Encode(), http.StatusFound)
	}))
	t.Cleanup(f.Close)
	return f
}

// visit opens the app as somebody who has never been there.
func visit(t *testing.T, f *forum) (int, string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	base := "http://" + srv.Listener.Addr().String()
	app, err := newApp(base, "4vN0s9QeLw7Ky2TzXb5RmUj8HcGd1PfA", f.URL, forumSecret)
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = app
	srv.Start()
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html") // a page is wanted, so that a visitor goes to log in
	res, err := (&http.Client{Jar: jar}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestForumLogsIn(t *testing.T) {
	status, body := visit(t, newForum(t))
	if status != http.StatusOK || body != "Hello, ada of the forum!\n" {
		t.Errorf("got %d, %q", status, body)
	}
}

func TestForumThatIsNotBelieved(t *testing.T) {
	for name, f := range map[string]*forum{
		"an answer to another login": {change: func(said url.Values) { said.Set("nonce", "another") }},
		"nobody":                     {change: func(said url.Values) { said.Del("external_id") }},
		"no nonce":                   {change: func(said url.Values) { said.Del("nonce") }},
		"a forged signature":         {forge: func(sent url.Values) { sent.Set("sig", sign(sent.Get("sso"), "a guess")) }},
		"no signature":               {forge: func(sent url.Values) { sent.Del("sig") }},
		"another form":               {forge: func(sent url.Values) { sent.Set("sso", "bm9uY2U9") }},
	} {
		t.Run(name, func(t *testing.T) {
			real := newForum(t)
			real.change, real.forge = f.change, f.forge
			if status, body := visit(t, real); status != http.StatusBadGateway || strings.Contains(body, "Hello") {
				t.Errorf("got %d, %q; want 502", status, body)
			}
		})
	}
}

// A provider of one's own is twenty lines.
func TestForumIsShort(t *testing.T) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "forum.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "Forum" {
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > 20 {
				t.Errorf("got %d lines, want at most 20", n)
			}
			return
		}
	}
	t.Error("no function Forum")
}
