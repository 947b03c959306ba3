package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gorilla/sessions"
)

// A shelf is a store for gorilla sessions, with a browser that has a small one.
type shelf struct {
	store   sessions.Store
	request *http.Request
}

func newShelf(b *testing.B, s sessions.Store, r *http.Request) *shelf {
	b.Helper()
	sh := &shelf{store: s, request: r}
	g, err := s.New(sh.request, "prefs")
	if err != nil {
		b.Fatal(err)
	}
	g.Values["theme"], g.Values["visits"], g.Values["tags"] = "dark", 0, []string{"go", "tea"}
	h := &header{http.Header{}}
	if err := g.Save(sh.request, h); err != nil {
		b.Fatal(err)
	}
	for _, c := range (&http.Response{Header: h.h}).Cookies() {
		sh.request.AddCookie(c)
	}
	return sh
}

// read is what a page does that shows something of a session. New is what
// gorilla's Get calls once for each request.
func (sh *shelf) read(b *testing.B) *sessions.Session {
	s, err := sh.store.New(sh.request, "prefs")
	if err != nil || s.Values["theme"] != "dark" {
		b.Fatalf("got %v, %v", s.Values, err)
	}
	return s
}

func (sh *shelf) write(b *testing.B) {
	s := sh.read(b)
	s.Values["visits"] = s.Values["visits"].(int) + 1
	if err := s.Save(sh.request, &header{http.Header{}}); err != nil {
		b.Fatal(err)
	}
}

// A gorilla session of three values, in our Manager and in gorilla's own stores.
// What ours takes is given as a part of what theirs take: less than 1 is less.
func BenchmarkGorilla(b *testing.B) {
	ours := func(b *testing.B, login bool) *shelf {
		w := newWorld(b)
		w.clock.t = time.Now()
		m := w.manager(func(c *session.Config) { c.Store, c.Users, c.Now = w.store.Store, w.store.Store, w.benchClock() })
		r := httptest.NewRequest("GET", "/", nil)
		if login {
			browser := newBrowser(b)
			w.loginAs(browser, m, w.user)
			r = browser.request("GET")
		}
		return newShelf(b, m, r)
	}
	for _, who := range []struct {
		name  string
		login bool
	}{{"visitor", false}, {"user", true}} {
		for _, theirs := range []struct {
			name string
			make func() sessions.Store
		}{
			{"CookieStore", func() sessions.Store { return sessions.NewCookieStore(gorillaKey) }},
			{"FilesystemStore", func() sessions.Store { return sessions.NewFilesystemStore(b.TempDir(), gorillaKey) }},
		} {
			b.Run("read/"+who.name+"/beside="+theirs.name, func(b *testing.B) {
				mine, other := ours(b, who.login), newShelf(b, theirs.make(), httptest.NewRequest("GET", "/", nil))
				against(b, func() { other.read(b) }, func() { mine.read(b) })
			})
			b.Run("write/"+who.name+"/beside="+theirs.name, func(b *testing.B) {
				mine, other := ours(b, who.login), newShelf(b, theirs.make(), httptest.NewRequest("GET", "/", nil))
				against(b, func() { other.write(b) }, func() { mine.write(b) })
			})
		}
	}
	// What theirs take by themselves, for their allocations.
	for name, s := range map[string]sessions.Store{
		"CookieStore": sessions.NewCookieStore(gorillaKey), "FilesystemStore": sessions.NewFilesystemStore(b.TempDir(), gorillaKey),
	} {
		b.Run("read/"+name, func(b *testing.B) {
			sh := newShelf(b, s, httptest.NewRequest("GET", "/", nil))
			b.ReportAllocs()
			for b.Loop() {
				sh.read(b)
			}
		})
		b.Run("write/"+name, func(b *testing.B) {
			sh := newShelf(b, s, httptest.NewRequest("GET", "/", nil))
			b.ReportAllocs()
			for b.Loop() {
				sh.write(b)
			}
		})
	}
}
