package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider/providertest"
)

// A browser is somebody's, at the app.
type browser struct {
	t    *testing.T
	base string
	*http.Client
}

func start(t *testing.T, srv *providertest.Server) *browser {
	t.Helper()
	app := httptest.NewUnstartedServer(nil)
	base := "http://" + app.Listener.Addr().String()
	h, err := newApp(base, "Zk3vQ9xT1mLw8RbY5cHn7PdF2sGj6UaE", testChain(srv), srv.Provider())
	if err != nil {
		t.Fatal(err)
	}
	app.Config.Handler = h
	app.Start()
	t.Cleanup(app.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, base, &http.Client{Jar: jar}}
}

func (b *browser) do(method, path string) (status int, at, body string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Origin", b.base) // as from a page of the app
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.Path, string(text)
}

// user returns the ID of whoever is logged in.
func (b *browser) user() string {
	b.t.Helper()
	_, _, body := b.do("GET", "/auth/session")
	var s struct {
		User struct{ ID string } `json:"user"`
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		b.t.Fatalf("%s: %v", body, err)
	}
	return s.User.ID
}

func (b *browser) wantHome(text string) {
	b.t.Helper()
	if status, _, body := b.do("GET", "/"); status != http.StatusOK || !strings.Contains(body, text) {
		b.t.Fatalf("got status %d and a page without %q:\n%s", status, text, body)
	}
}

func TestBothWaysLeadToOneUser(t *testing.T) {
	b := start(t, providertest.NewServer(t))
	b.wantHome("Hello, stranger!")

	if status, at, body := b.do("GET", "/old/login"); status != http.StatusOK || at != "/" {
		t.Fatalf("login as before: got status %d at %s:\n%s", status, at, body)
	}
	b.wantHome("Hello, Tove Almgren!")
	before := b.user()

	b.do("POST", "/auth/logout")
	b.wantHome("Hello, stranger!")

	if status, at, body := b.do("GET", "/auth/login/house"); status != http.StatusOK || at != "/" {
		t.Fatalf("login by Gatepass: got status %d at %s:\n%s", status, at, body)
	}
	if after := b.user(); after == "" || after != before {
		t.Errorf("got user %q, then %q: want one", before, after)
	}
}

func TestAnotherAccountIsLinked(t *testing.T) {
	b := start(t, providertest.NewServer(t))
	b.do("GET", "/old/login")
	before := b.user()

	if status, at, body := b.do("POST", "/auth/link/test"); status != http.StatusOK || !strings.HasPrefix(at, "/auth/") {
		t.Fatalf("link: got status %d at %s:\n%s", status, at, body)
	}
	b.do("POST", "/auth/logout")
	b.do("GET", "/auth/login/test")
	if after := b.user(); after == "" || after != before {
		t.Errorf("got user %q by the linked account, want %q", after, before)
	}
}

func TestOldCallbackThatFails(t *testing.T) {
	srv := providertest.NewServer(t)
	b := start(t, srv)

	forged := "/old/callback?" + url.Values{"code": {"c"}, "state": {"s"}}.Encode()
	if status, _, _ := b.do("GET", forged); status != http.StatusBadRequest {
		t.Errorf("forged callback: got status %d, want 400", status)
	}
	srv.Fail("userinfo", http.StatusInternalServerError)
	if status, _, body := b.do("GET", "/old/login"); status != http.StatusBadGateway || body != "Login failed.\n" {
		t.Errorf("profile that fails: got status %d, %q", status, body)
	}
	b.wantHome("Hello, stranger!")
}
