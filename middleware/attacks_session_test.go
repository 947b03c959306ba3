package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// What somebody has seen does not come back when the next person at the browser
// goes back after a logout.
func TestPagesOfUsersAreNotKept(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.mux.Handle("/relaxed", a.auth.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
	})))
	b := a.browser()
	b.login("github", "ada")
	for path, want := range map[string]string{
		"/": "no-store", "/private": "no-store", "/fresh": "no-store", "/auth/account": "no-store", "/auth/session": "no-store",
		"/relaxed": "private, max-age=60",
	} {
		resp := b.get(path)
		if got := resp.Header.Get("Cache-Control"); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: got %d with Cache-Control %q, want %q", path, resp.StatusCode, got, want)
		}
		if got := strings.Join(resp.Header["Vary"], ", "); !strings.Contains(got, "Cookie") {
			t.Errorf("%s: got Vary %q, want Cookie", path, got)
		}
	}
	b.post("/auth/logout", nil)
	if got := b.get("/private").Header.Get("Location"); got != "/auth/login?return_to=%2Fprivate" {
		t.Errorf("after the logout: sent to %q", got)
	}
}

// A handler is given the very writer that there is, with all that it can do: send
// in parts, or take the connection over.
func TestHandlerIsGivenTheWriterItself(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"LoadUser": a.auth.LoadUser, "RequireUser": a.auth.RequireUser,
		"RequireFresh": a.auth.RequireFresh(time.Minute), "RequireAccount": a.auth.RequireAccount("github"),
	} {
		w, called := httptest.NewRecorder(), false
		wrap(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
			if called = true; got != http.ResponseWriter(w) {
				t.Errorf("%s: the handler got a %T", name, got)
			}
		})).ServeHTTP(w, b.request(t))
		if !called {
			t.Errorf("%s: got %d", name, w.Code)
		}
	}
}

// Whoever logs out of what has ended already is out, and keeps no cookie.
func TestLogoutOfASessionThatIsOver(t *testing.T) {
	for name, end := range map[string]func(a *app, b *browser){
		"idle":     func(a *app, _ *browser) { a.clock.advance(week) },
		"revoked":  func(_ *app, b *browser) { b.clone().post("/auth/logout", nil) },
		"disabled": func(a *app, b *browser) { a.disable(b.whoami()) },
	} {
		a := newApp(t, nil)
		a.github.person("ada", ada)
		b := a.browser()
		b.login("github", "ada")
		end(a, b)
		resp := b.post("/auth/logout", nil)
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(b.cookies) > 0 {
			t.Errorf("%s: got %d to %q, cookies %v", name, resp.StatusCode, resp.Header.Get("Location"), b.cookies)
		}
	}
}

// A login begins at one instance, ends at another, and holds at a third.
func TestLoginAcrossInstances(t *testing.T) {
	service := newFake("service")
	service.person("ada", ada)
	first := newApp(t, nil, service)
	same := func(c *middleware.Config) { c.Store, c.Session.Now = first.store, first.clock.Now }
	second, third := newApp(t, same, service), newApp(t, same, service)
	b := first.browser()
	state := b.begin("service")
	b.app = second
	if resp := b.callback("service", state, "ada"); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the callback: got %d: %s", resp.StatusCode, second.log)
	}
	b.app = third
	id, kept := b.whoami(), b.clone()
	if id == "" {
		t.Error("a visitor at the third")
	}
	b.app = first
	if resp := b.callback("service", state, "ada"); resp.StatusCode != http.StatusBadRequest || b.whoami() != id || service.completions() != 1 {
		t.Errorf("the callback again, at the first: got %d, and %d exchanges", resp.StatusCode, service.completions())
	}
	if resp := b.post("/auth/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: got %d", resp.StatusCode)
	}
	first.clock.advance(time.Second)
	if me := kept.whoami(); me != "" {
		t.Errorf("a second later, the third takes the browser for %q", me)
	}
}

// Who has come back because the browser is remembered takes no way in away, and
// adds none, before they have proved who they are.
func TestRememberedUserChangesNoWayIn(t *testing.T) {
	a, b := newRemembering(t)
	id := b.whoami()
	second := &store.Account{UserID: id, Key: store.Key{Provider: "other", Subject: "o-1"}}
	if err := a.store.AddAccount(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/auth/unlink/other", "/auth/unlink/github", "/auth/link/other"} {
		a.clock.advance(week)
		resp := b.post(path, nil)
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || to != "/auth/reauth?return_to=%2Fauth%2Faccount" {
			t.Errorf("%s: got %d to %q, want to prove who they are", path, resp.StatusCode, to)
		}
	}
	if accounts, err := a.store.UserAccounts(t.Context(), id); err != nil || len(accounts) != 2 || b.whoami() != id {
		t.Errorf("got %d accounts, %v, and the browser is %q", len(accounts), err, b.whoami())
	}
}

// The ID of somebody who is gone is nobody's again, nor is their session.
func TestUserIDIsNotUsedAgain(t *testing.T) {
	for name, open := range map[string]func() store.Store{
		"memstore":  func() store.Store { return memstore.New() },
		"gormstore": func() store.Store { db, _ := openFaulty(t); return db },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *middleware.Config) { c.Store = open() })
			seen := make(map[string]bool)
			for i := range 3 {
				code := fmt.Sprint("person-", i)
				a.github.person(code, provider.Identity{Subject: code, Name: code})
				b := a.browser()
				b.login("github", code)
				id, before := b.whoami(), b.clone()
				if seen[id] || len(id) < 16 {
					t.Errorf("got the ID %q after %v", id, seen)
				}
				seen[id] = true
				if err := a.auth.DeleteUser(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				a.github.person("next", provider.Identity{Subject: "after " + code, Name: "next"})
				next := a.browser()
				next.login("github", "next")
				if me := before.whoami(); me != "" {
					t.Errorf("the browser of before is %q", me)
				}
				if err := a.auth.DeleteUser(t.Context(), next.whoami()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Pages of another site can post to a callback as often as they like: a browser
// gets one cookie of it, of bounded size, and its own login is still there.
func TestFloodOfPostsFromElsewhere(t *testing.T) {
	posting := newFake("posting")
	posting.info.PostsBack = true
	posting.person("ada", ada)
	a := newApp(t, nil, posting)
	posted := func(r *http.Request) { // without a cookie, since they are Lax
		crossSite(r)
		r.Header.Set("Origin", "https://posting.example")
		r.Header.Del("Cookie")
	}
	b := a.browser()
	state := b.begin("posting")
	for range 100 {
		form := url.Values{"state": {session.NewState()}, "code": {strings.Repeat("c", 2000)}, "user": {strings.Repeat("u", 10_000)}}
		if resp := b.post("/auth/callback/posting", form, posted); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("got %d", resp.StatusCode)
		}
	}
	n := 0
	for name, c := range b.cookies {
		n += len(name) + len(c.Value)
	}
	if len(b.cookies) != 2 || n > 6000 {
		t.Errorf("got %d cookies of %d bytes, want the login's and one", len(b.cookies), n)
	}
	form := url.Values{"state": {state}, "code": {"ada"}}
	resp := b.post("/auth/callback/posting", form, posted)
	if resp = b.get(resp.Header.Get("Location"), crossSite); resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
		t.Errorf("their own login: got %d: %s", resp.StatusCode, a.log)
	}
}
