package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestStolenRememberToken(t *testing.T) {
	a, b := newRemembering(t)
	id := b.whoami()
	thief := b.clone()
	a.clock.advance(week)
	if thief.whoami() != id {
		t.Fatal("the thief was not let in, so that there is nothing to find out")
	}
	a.clock.advance(time.Minute)
	stolen, current := b.token(), thief.token()
	resp := b.get("/private")
	if got := resp.Header.Get("Location"); got != "/auth/login?return_to=%2Fprivate" || b.token() != "" {
		t.Errorf("the victim: got %d to %q, cookies %v; want the login page", resp.StatusCode, got, b.cookies)
	}
	if thief.whoami() != "" || b.whoami() != "" {
		t.Errorf("the thief is %q, the victim %q", thief.whoami(), b.whoami())
	}
	log := a.log.String()
	if want := `level=WARN msg="gatepass: event" event=remember_stolen user=` + id; strings.Count(log, want) != 1 {
		t.Errorf("want the log to say once %q:\n%s", want, log)
	}
	for _, token := range []string{stolen, current, thief.sessionCookie()} {
		if strings.Contains(log, token) {
			t.Error("a key stands in the log")
		}
	}
}

func TestRememberedUntilLogout(t *testing.T) {
	for name, end := range map[string]func(a *app, b *browser){
		"in a session":      func(_ *app, b *browser) { b.post("/auth/logout", nil) },
		"after the session": func(a *app, b *browser) { a.clock.advance(week); b.post("/auth/logout", nil) },
		"by the app": func(a *app, b *browser) {
			a.clock.advance(week)
			w := httptest.NewRecorder()
			if err := a.auth.Logout(w, b.request(t)); err != nil {
				t.Error(err)
			}
		},
		"disabled": func(a *app, b *browser) {
			u, err := a.store.User(t.Context(), b.whoami())
			if err != nil {
				t.Fatal(err)
			}
			u.Disabled = true
			if err := a.store.UpdateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			a.clock.advance(week)
		},
		"deleted": func(a *app, b *browser) {
			if err := a.auth.DeleteUser(t.Context(), b.whoami()); err != nil {
				t.Fatal(err)
			}
		},
		"unlinked elsewhere": func(a *app, b *browser) {
			if err := a.auth.Sessions().EndProvider(t.Context(), b.whoami(), "github", ""); err != nil {
				t.Fatal(err)
			}
		},
		"somebody else logs in": func(a *app, b *browser) {
			b.login("github", "bob")
			a.clock.advance(week)
		},
		"somebody else logs in after the session": func(a *app, b *browser) {
			a.clock.advance(week)
			b.callback("github", b.begin("github"), "bob")
			a.clock.advance(week)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newRemembering(t)
			copied := b.clone()
			end(a, b)
			for _, c := range []*browser{b, copied} {
				if id := c.whoami(); id != "" {
					t.Errorf("got user %s", id)
				}
			}
			if strings.Contains(a.log.String(), "remember_stolen") {
				t.Errorf("an alarm: %s", a.log)
			}
		})
	}
}

// OnLogout is told who has logged out, also if only their browser was remembered.
func TestLogoutOfARememberedUser(t *testing.T) {
	var out []string
	a, b := newRemembering(t, func(c *middleware.Config) {
		c.OnLogout = func(_ context.Context, u *store.User) error { out = append(out, u.Name); return nil }
	})
	a.clock.advance(week)
	if resp := b.post("/auth/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.cookies) != 0 {
		t.Errorf("got %d, cookies %v", resp.StatusCode, b.cookies)
	}
	if fmt.Sprint(out) != "[Ada]" {
		t.Errorf("got %v", out)
	}
}

func TestRememberedWhenTheStoreFails(t *testing.T) {
	broken := &brokenStore{Store: memstore.New()}
	a, b := newRemembering(t, func(c *middleware.Config) { c.Store, c.Session.Remembers = broken, broken.Store.(store.Rememberer) })
	a.clock.advance(week)
	before, n := b.token(), len(b.cookies)
	op := "CreateSession"
	broken.broken.Store(&op)
	for _, path := range []string{"/", "/private", "/fresh", "/auth/account", "/auth/session", "/auth/login", "/auth/reauth"} {
		if resp := b.get(path); resp.StatusCode != http.StatusServiceUnavailable || b.token() != before || len(b.cookies) != n {
			t.Errorf("%s: got %d, cookies %v", path, resp.StatusCode, b.cookies)
		}
	}
	op = ""
	broken.broken.Store(&op)
	if b.whoami() == "" {
		t.Error("not remembered any more")
	}
}

// A service that says who has logged out there means their browsers, also those
// which have no session just now.
func TestBackchannelLogoutForgetsBrowsers(t *testing.T) {
	for name, out := range map[string]provider.Logout{
		"by account":             {Subject: "ada"},
		"by session":             {SID: "s-1"},
		"by session and account": {Subject: "ada", SID: "s-1"},
	} {
		for _, over := range []bool{false, true} {
			op := newOP("op")
			a := newApp(t, remembering, op)
			op.person("ada", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
			op.person("bob", provider.Identity{Subject: "bob", Name: "Bob", SID: "s-2"})
			adas, bobs := a.browser(), a.browser()
			for b, code := range map[*browser]string{adas: "ada", bobs: "bob"} {
				b.callback("op", b.stateOf(b.post("/auth/login/op", url.Values{"remember": {"1"}})), code)
			}
			if over {
				a.clock.advance(week)
			}
			if got := a.backchannel("op", op.token(out)); got != http.StatusOK {
				t.Errorf("%s: got %d", name, got)
			}
			a.clock.advance(week)
			if adas.whoami() != "" || bobs.whoami() == "" {
				t.Errorf("%s, over=%t: ada is %q, bob %q", name, over, adas.whoami(), bobs.whoami())
			}
		}
	}
}
