package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/middleware"
)

// An app keeps what people put into their cart, before and after they log in.
func TestCartOfAnApp(t *testing.T) {
	a := newApp(t, func(c *middleware.Config) { c.Session.CarryOver = []string{"cart"} })
	a.github.person("ada", ada)
	a.github.person("bob", bob)
	keep := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := a.auth.Sessions().Get(r, name)
			if err != nil {
				http.Error(w, "not now", http.StatusServiceUnavailable)
				return
			}
			if article := r.FormValue("article"); article != "" {
				s.Values[article] = true
				if err := s.Save(r, w); err != nil {
					http.Error(w, "not now", http.StatusServiceUnavailable)
					return
				}
			}
			fmt.Fprint(w, len(s.Values))
		}
	}
	a.mux.Handle("/cart", a.auth.LoadUser(keep("cart")))
	a.mux.Handle("/seen", a.auth.LoadUser(keep("seen")))
	b := a.browser()
	want := func(path, n string) {
		t.Helper()
		if got := body(t, b.get(path)); got != n {
			t.Fatalf("%s: got %s, want %s", path, got, n)
		}
	}
	b.post("/cart", url.Values{"article": {"tea"}})
	b.post("/seen", url.Values{"article": {"tea"}})
	want("/cart", "1")
	want("/seen", "1")
	if got := b.whoami(); got != "" {
		t.Fatalf("got user %s, want a visitor", got)
	}
	b.login("github", "ada")
	want("/cart", "1")
	want("/seen", "0")
	b.post("/cart", url.Values{"article": {"milk"}})
	want("/cart", "2")
	b.post("/auth/logout", nil)
	want("/cart", "0")
	b.login("github", "bob")
	want("/cart", "0")
}

// Whatever asks about a request who is asking, and for their values, may do so
// from any goroutine.
func TestOneRequestAskedFromEverywhere(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	a.mux.Handle("/all", a.auth.LoadUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s, err := a.auth.Sessions().Get(r, "prefs")
				if err != nil {
					t.Error(err)
				}
				s.Values[i] = i
				if err := s.Save(r, httptest.NewRecorder()); err != nil {
					t.Error(err)
				}
				u, err := a.auth.User(r)
				if current := middleware.CurrentUser(r.Context()); err != nil || current == nil || current.ID != u.ID {
					t.Errorf("got %v and %v, %v", u, current, err)
				}
			})
		}
		wg.Wait()
		s, _ := a.auth.Sessions().Get(r, "prefs")
		fmt.Fprint(w, len(s.Values))
	})))
	b := a.browser()
	b.login("github", "ada")
	if got := body(t, b.get("/all")); got != "8" {
		t.Errorf("got %s values, want 8", got)
	}
}
