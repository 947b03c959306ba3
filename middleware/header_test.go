package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store"
)

// machine marks a request of a program that is no browser and keeps no cookies.
func machine(r *http.Request) {
	for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Cookie", "Origin"} {
		r.Header.Del(name)
	}
	r.Header.Set("User-Agent", "app/1.0")
	r.Header.Set("Accept", "application/json")
}

// keyed sends a key, which may be empty.
func keyed(key string) step {
	return func(r *http.Request) { r.Header["X-Session"] = []string{key} }
}

// newHeaderApp is an app with a login of its own, for programs that keep their
// key themselves, and a user.
func newHeaderApp(t *testing.T) (*app, *store.User) {
	t.Helper()
	a := newApp(t, func(c *middleware.Config) {
		c.LocalAccounts = []string{"password"}
		c.Session.Header = "x-session"
	})
	u := &store.User{Name: "Ada"}
	if err := a.store.CreateUser(context.Background(), u, &store.Account{Key: store.Key{Provider: "password", Subject: "ada"}}); err != nil {
		t.Fatal(err)
	}
	a.mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.auth.Login(w, r, u.ID); err != nil {
			t.Error(err)
		}
	})
	return a, u
}

// The whole way of a program that keeps no cookies.
func TestLoginByHeader(t *testing.T) {
	a, _ := newHeaderApp(t)
	b := a.browser()
	resp := b.post("/login", nil, machine, keyed("")) // it has no key yet
	key := resp.Header.Get("X-Session")
	if len(key) != 64 || len(resp.Cookies()) != 0 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("login: got header %v", resp.Header)
	}
	resp = b.get("/private", machine, keyed(key))
	if got := body(t, resp); resp.StatusCode != http.StatusOK || got != "hello Ada" {
		t.Errorf("with the key: got %d: %s", resp.StatusCode, got)
	}
	if got := resp.Header["Vary"]; len(got) != 1 || got[0] != "Cookie, X-Session" {
		t.Errorf("Vary: got %q", got)
	}
	for _, wrong := range []string{"", key[:63] + "A", "Bearer " + key} {
		if resp := b.get("/private", machine, keyed(wrong)); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("with %q: got %d, want 401", wrong, resp.StatusCode)
		}
	}
	if resp := b.post("/private", nil, machine, keyed(key)); resp.StatusCode != http.StatusOK {
		t.Errorf("POST: got %d", resp.StatusCode)
	}
	resp = b.post("/auth/logout", nil, machine, keyed(key))
	if lines := resp.Header["X-Session"]; resp.StatusCode != http.StatusSeeOther || len(lines) != 1 || lines[0] != "" || len(resp.Cookies()) != 0 {
		t.Errorf("logout: got %d, header %v", resp.StatusCode, resp.Header)
	}
	if resp := b.get("/private", machine, keyed(key)); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: got %d, want 401", resp.StatusCode)
	}
}

// A browser's cookie does not count beside the header, which a page of another
// site cannot send without being asked whether it may.
func TestCookieBesideHeader(t *testing.T) {
	a, u := newHeaderApp(t)
	b := a.browser()
	if resp := b.post("/login", nil); len(resp.Cookies()) != 1 || resp.Header["X-Session"] != nil {
		t.Fatalf("login with cookies: got header %v", resp.Header)
	}
	if got := body(t, b.get("/")); got != "user "+u.ID {
		t.Errorf("with the cookie: got %q", got)
	}
	for _, key := range []string{"", "junk"} {
		if got := body(t, b.get("/", keyed(key))); got != "visitor" {
			t.Errorf("beside the header %q: got %q, want visitor", key, got)
		}
		if resp := b.get("/private", script, keyed(key)); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("beside the header %q: got %d, want 401", key, resp.StatusCode)
		}
	}
	// The guard is as strict as without it.
	if resp := b.post("/auth/logout", nil, crossSite, header("Origin", "https://evil.example"), keyed("")); resp.StatusCode != http.StatusForbidden {
		t.Errorf("logout by another site: got %d, want 403", resp.StatusCode)
	}
	if got := body(t, b.get("/")); got != "user "+u.ID {
		t.Errorf("with the cookie, afterwards: got %q", got)
	}
}

// A program that goes through a provider gets its session in a cookie, since a
// browser comes back from there; the cookies of that login do not change.
func TestCallbackWithoutHeader(t *testing.T) {
	a, _ := newHeaderApp(t)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	if got := body(t, b.get("/")); !strings.HasPrefix(got, "user ") {
		t.Errorf("got %q", got)
	}
}

func TestVaryWithoutHeader(t *testing.T) {
	a := newApp(t, nil)
	w := httptest.NewRecorder()
	w.Header()["Vary"] = []string{"Accept"}
	a.auth.LoadUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header()["Vary"]; len(got) != 2 || got[1] != "Cookie" {
		t.Errorf("got %q", got)
	}
	if got := a.browser().get("/").Header["Vary"]; len(got) != 1 || got[0] != "Cookie" {
		t.Errorf("got %q", got)
	}
}
