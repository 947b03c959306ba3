package middleware_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// changeable are stores of which an administrator's part of the app, in the same
// process, uses the one that the Auth has.
var changeable = map[string]func(*testing.T) store.Store{
	"memstore":  func(*testing.T) store.Store { return memstore.New() },
	"gormstore": func(t *testing.T) store.Store { s, _ := openFaulty(t); return s },
}

func setDisabled(t *testing.T, s store.Store, id string, disabled bool) {
	t.Helper()
	u, err := s.User(t.Context(), id)
	if err == nil {
		u.Disabled = disabled
		err = s.UpdateUser(t.Context(), u)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantOut fails if the browser is let in by GET or by POST.
func wantOut(t *testing.T, b *browser, when string) {
	t.Helper()
	if resp := b.get("/private"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("%s: GET got %d, want to be sent to log in", when, resp.StatusCode)
	}
	if resp := b.post("/private", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s: POST got %d, want 401", when, resp.StatusCode)
	}
	if me := b.whoami(); me != "" {
		t.Errorf("%s: the browser is %q", when, me)
	}
}

func TestDisabledUserIsOutAtTheNextRequest(t *testing.T) {
	for name, open := range changeable {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *middleware.Config) { c.Store = open(t) })
			a.github.person("ada", ada)
			a.github.person("bob", bob)
			b, second, bobs := a.browser(), a.browser(), a.browser()
			b.login("github", "ada")
			second.login("github", "ada")
			bobs.login("github", "bob")
			id := b.whoami()
			for _, c := range []*browser{b, second, bobs} {
				if resp := c.get("/private"); resp.StatusCode != http.StatusOK { // and is in the cache
					t.Fatalf("got %d", resp.StatusCode)
				}
			}
			setDisabled(t, a.store, id, true)
			wantOut(t, b, "disabled")
			wantOut(t, second, "disabled, in another browser")
			if bobs.get("/private").StatusCode != http.StatusOK {
				t.Error("somebody else is out as well")
			}
			setDisabled(t, a.store, id, false)
			if b.whoami() != id {
				t.Error("enabled again: the session has ended")
			}
			if err := a.store.DeleteUser(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			wantOut(t, b, "deleted")
		})
	}
}

// Another process changes the same tables, and cannot tell this one.
func TestDisabledByAnotherProcess(t *testing.T) {
	for name, open := range changeable {
		t.Run(name, func(t *testing.T) {
			shared := open(t)
			a := newApp(t, func(c *middleware.Config) { c.Store = struct{ store.Store }{shared} })
			a.github.person("ada", ada)
			b := a.browser()
			b.login("github", "ada")
			id := b.whoami()
			if resp := b.get("/private"); resp.StatusCode != http.StatusOK {
				t.Fatalf("got %d", resp.StatusCode)
			}
			setDisabled(t, shared, id, true)
			a.clock.advance(time.Second - time.Millisecond)
			if resp := b.get("/private"); resp.StatusCode != http.StatusOK {
				t.Errorf("within the cache's second: GET got %d, want it answered without the store", resp.StatusCode)
			}
			if resp := b.get("/fresh"); resp.StatusCode == http.StatusOK {
				t.Error("within the second: a page of RequireFresh was shown")
			}
			if resp := b.get("/auth/account"); resp.StatusCode == http.StatusOK {
				t.Error("within the second: the account page was shown")
			}
			setDisabled(t, shared, id, false)
			if resp := b.get("/private"); resp.StatusCode != http.StatusOK {
				t.Fatalf("enabled again: got %d", resp.StatusCode)
			}
			setDisabled(t, shared, id, true)
			if resp := b.post("/private", nil); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("within the second: POST got %d, want 401", resp.StatusCode)
			}
			a.clock.advance(time.Millisecond)
			wantOut(t, b, "after the second")
		})
	}
}

// A hundred requests are under way when their user logs out, and more come. Those
// that begin when the answer to the logout is there are let in no more.
func TestLogoutWhileAHundredRequestsAreUnderWay(t *testing.T) {
	for name, open := range changeable {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *middleware.Config) { c.Store = open(t) })
			a.github.person("ada", ada)
			b := a.browser()
			b.login("github", "ada")
			var ended atomic.Bool
			var in, after atomic.Int32
			var waiting, all sync.WaitGroup
			waiting.Add(100)
			for i := range 100 {
				c := &browser{t: t, app: a, cookies: map[string]*http.Cookie{"__Host-session": b.cookies["__Host-session"]}}
				all.Go(func() {
					for n := 0; ; n++ {
						was := ended.Load()
						var resp *http.Response
						if i%10 == 0 {
							resp = c.post("/private", nil)
						} else {
							resp = c.get("/private")
						}
						if resp.StatusCode == http.StatusOK {
							in.Add(1)
							if was {
								after.Add(1)
							}
						}
						if n == 0 {
							waiting.Done()
						}
						if was {
							return
						}
					}
				})
			}
			waiting.Wait()
			resp := b.post("/auth/logout", nil)
			ended.Store(true)
			all.Wait()
			if resp.StatusCode != http.StatusSeeOther || in.Load() < 100 || after.Load() > 0 {
				t.Errorf("got %d; %d requests were let in, want at least 100; %d of them after the logout, want none", resp.StatusCode, in.Load(), after.Load())
			}
			wantOut(t, b, "logged out")
		})
	}
}
