package session_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

// An order is a type of an app's own.
type order struct {
	Article string
	N       int
}

// shop is an app as one is written on a gorilla store. Whoever asks for /account
// must be logged in.
func shop(s sessions.Store, m *session.Manager) http.Handler {
	gob.Register(order{})
	mux := http.NewServeMux()
	fail := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusServiceUnavailable) }
	mux.HandleFunc("POST /cart/{article}", func(w http.ResponseWriter, r *http.Request) {
		cart, err := s.Get(r, "cart")
		if err != nil {
			fail(w, err)
			return
		}
		o, _ := cart.Values[r.PathValue("article")].(order)
		o.Article, o.N = r.PathValue("article"), o.N+1
		cart.Values[o.Article] = o
		if err := cart.Save(r, w); err != nil {
			fail(w, err)
			return
		}
		note, err := s.Get(r, "notes")
		if err != nil {
			fail(w, err)
			return
		}
		note.AddFlash("added " + o.Article)
		if err := note.Save(r, w); err != nil {
			fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /theme/{theme}", func(w http.ResponseWriter, r *http.Request) {
		prefs, _ := s.Get(r, "prefs")
		prefs.Values["theme"] = r.PathValue("theme")
		if err := s.Save(r, w, prefs); err != nil {
			fail(w, err)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		cart, _ := s.Get(r, "cart")
		prefs, _ := s.Get(r, "prefs")
		notes, _ := s.Get(r, "notes")
		said := notes.Flashes()
		if len(said) > 0 {
			if err := notes.Save(r, w); err != nil {
				fail(w, err)
				return
			}
		}
		who := "visitor"
		if f, err := m.Resolve(r); err == nil {
			who = f.User.Name
		}
		tea, _ := cart.Values["tea"].(order)
		fmt.Fprintf(w, "%s: %d tea, theme %v, %v", who, tea.N, prefs.Values["theme"], said)
	})
	return mux
}

// open sends a request to h and returns the answer's body.
func (b *browser) open(h http.Handler, method, path string) string {
	b.t.Helper()
	r := b.request(method)
	r.URL.Path = path
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	b.keep(rec.Header())
	body, _ := io.ReadAll(rec.Body)
	if rec.Code >= 400 {
		b.t.Fatalf("%s %s: %d %s", method, path, rec.Code, body)
	}
	return string(body)
}

func wantPage(t *testing.T, b *browser, h http.Handler, want string) {
	t.Helper()
	if got := b.open(h, "GET", "/"); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// change is what a handler does: get, change, save.
func change(b *browser, m *session.Manager, name string, f func(*sessions.Session)) error {
	b.t.Helper()
	return b.do("POST", func(w http.ResponseWriter, r *http.Request) error {
		s, err := m.Get(r, name)
		if err != nil {
			return err
		}
		f(s)
		return s.Save(r, w)
	})
}

func put(t *testing.T, b *browser, m *session.Manager, name string, k, v any) {
	t.Helper()
	if err := change(b, m, name, func(s *sessions.Session) { s.Values[k] = v }); err != nil {
		t.Fatal(err)
	}
}

func wantValues(t *testing.T, b *browser, m *session.Manager, name string, want map[any]any) {
	t.Helper()
	s, err := m.Get(b.request("GET"), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Values)+len(want) > 0 && !reflect.DeepEqual(s.Values, want) || s.IsNew != (len(want) == 0) || s.ID != "" {
		t.Fatalf("%s: got %v, new %t, ID %q, want %v", name, s.Values, s.IsNew, s.ID, want)
	}
}

type values = map[any]any

func TestAppOnGorilla(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	h := shop(w.m, w.m)
	wantPage(t, b, h, "visitor: 0 tea, theme <nil>, []")
	if len(b.header["Set-Cookie"]) != 0 || b.header.Get("Cache-Control") != "" || w.store.count() != 0 {
		t.Errorf("a page that was read: header %v, %d queries", b.header, w.store.count())
	}
	b.open(h, "POST", "/cart/tea")
	lines := b.header["Set-Cookie"]
	if len(lines) != 1 || b.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %v", b.header)
	}
	if got := strings.Replace(lines[0], b.value(cookieName), "V", 1); got != "__Host-session=V; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("got %s", got)
	}
	wantPage(t, b, h, "visitor: 1 tea, theme <nil>, [added tea]")
	wantPage(t, b, h, "visitor: 1 tea, theme <nil>, []")
	b.open(h, "POST", "/theme/dark")
	b.open(h, "POST", "/cart/tea")
	if len(b.header["Set-Cookie"]) != 0 {
		t.Errorf("a second key: %v", b.header)
	}
	wantPage(t, b, h, "visitor: 2 tea, theme dark, [added tea]")

	w.login(b)
	wantPage(t, b, h, "ada: 0 tea, theme <nil>, []")
	b.open(h, "POST", "/cart/tea")
	wantPage(t, b, h, "ada: 1 tea, theme <nil>, [added tea]")
	if err := b.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	wantPage(t, b, h, "visitor: 0 tea, theme <nil>, []")
}

// Two handlers of one request, which know nothing of each other, both save; the
// browser had no session before.
func TestTwoHandlersOfOneRequest(t *testing.T) {
	for _, login := range []bool{false, true} {
		w, b := newWorld(t), newBrowser(t)
		if login {
			w.login(b)
		}
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			before := r.Header.Clone()
			outer, err := w.m.Get(r, "a")
			if err != nil {
				return err
			}
			inner, err := w.m.Get(r, "a")
			if err != nil {
				return err
			}
			other, err := w.m.New(r, "b")
			if err != nil {
				return err
			}
			inner.Values["inner"] = 1
			outer.Values["outer"] = 2
			other.Values["other"] = 3
			for _, s := range []*sessions.Session{inner, outer, other} {
				if err := s.Save(r, rw); err != nil {
					return err
				}
			}
			outer.Values["outer"] = 4
			inner.Values["more"] = 5
			if err := errors.Join(outer.Save(r, rw), inner.Save(r, rw)); err != nil {
				return err
			}
			if !reflect.DeepEqual(before, r.Header) {
				t.Errorf("the request was changed: %v", r.Header)
			}
			return sessions.Save(r, rw) // does nothing, as Get says
		})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, b, w.m, "a", values{"inner": 1, "outer": 4, "more": 5})
		wantValues(t, b, w.m, "b", values{"other": 3})
		if n := w.store.count("CreateSession", "CreateCounted", "ReplaceSessions"); n != 1 {
			t.Errorf("login %t: %d sessions", login, n)
		}
	}
}

// One request, many goroutines, of which each asks what it likes.
func TestOneRequestManyGoroutines(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	put(t, b, w.m, "prefs", "theme", "dark")
	r := b.request("GET")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := w.m.Get(r, "prefs")
			if err != nil || s.Values["theme"] != "dark" {
				t.Errorf("got %v, %v", s.Values, err)
			}
			s.Values[fmt.Sprint(i)] = i
			if err := s.Save(r, httptest.NewRecorder()); err != nil {
				t.Error(err)
			}
			if f, err := w.m.Resolve(r); err != nil || f.User.ID != w.user.ID {
				t.Errorf("got %v, %v", f, err)
			}
		})
	}
	wg.Wait()
	s, err := w.m.Get(r, "prefs")
	if err != nil || len(s.Values) != 9 {
		t.Errorf("got %v, %v, want what all of them saved", s.Values, err)
	}
}

// What one process saved, the next request to another reads.
func TestTwoProcessesReadEachOthersWrites(t *testing.T) {
	for _, login := range []bool{false, true} {
		w, b := newWorld(t), newBrowser(t)
		both := []*session.Manager{w.m, w.manager()}
		if login {
			w.login(b)
		}
		for i := range 20 {
			want := values{"n": i}
			put(t, b, both[i%2], "count", "n", i)
			wantValues(t, b, both[(i+1)%2], "count", want)
			wantValues(t, b, both[i%2], "count", want)
		}
	}
}

// Of two requests at once, each changes what it has changed.
func TestSaveMerges(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "s", "kept", 1)
	put(t, b, w.m, "s", "gone", 1)
	put(t, b, w.m, "s", "both", 1)
	slow := b.clone()
	err := slow.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		s, err := w.m.Get(r, "s")
		if err != nil {
			return err
		}
		if err := change(b, w.manager(), "s", func(s *sessions.Session) {
			s.Values["new"], s.Values["both"] = 2, 2
			delete(s.Values, "gone")
		}); err != nil {
			return err
		}
		put(t, b, w.m, "other", "x", 1)
		s.Values["slow"], s.Values["both"] = 3, 3
		return s.Save(r, rw)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, b, w.m, "s", values{"kept": 1, "new": 2, "both": 3, "slow": 3})
	wantValues(t, b, w.m, "other", values{"x": 1})
}

// A store in which another request always saves first is an error, in the end.
func TestSaveGivesUp(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "s", "n", 0)
	w.store.failAt("SwapSessionValues", store.ErrExists)
	err := change(b, w.m, "s", func(s *sessions.Session) { s.Values["n"] = 1 })
	wantReason(t, err, "store")
	if n := w.store.count("SwapSessionValues"); n > 33 {
		t.Errorf("%d tries", n)
	}
}

func TestMaxAge(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	put(t, b, w.m, "a", "x", 1)
	put(t, b, w.m, "b", "y", 2)
	if err := change(b, w.m, "a", func(s *sessions.Session) { s.Options.MaxAge, s.Options.Path = 0, "/elsewhere" }); err != nil {
		t.Fatal(err)
	}
	wantValues(t, b, w.m, "a", values{"x": 1})
	err := change(b, w.m, "a", func(s *sessions.Session) {
		put(t, b, w.m, "a", "meanwhile", 3)
		s.Options.MaxAge = -1
	})
	if err != nil || len(b.header) != 0 {
		t.Fatalf("got %v, header %v", err, b.header)
	}
	wantValues(t, b, w.m, "a", nil)
	wantValues(t, b, w.m, "b", values{"y": 2})
	w.wantUser(b, w.m)
	if err := change(b, w.m, "b", func(s *sessions.Session) { s.Options = nil; s.Values["z"] = 3 }); err != nil {
		t.Fatal(err)
	}
	wantValues(t, b, w.m, "b", values{"y": 2, "z": 3})
}

func TestSaveNothing(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	if err := change(b, w.m, "s", func(*sessions.Session) {}); err != nil || len(b.header) != 0 || w.store.count() != 0 {
		t.Errorf("got %v, header %v, %d queries", err, b.header, w.store.count())
	}
	w.login(b)
	put(t, b, w.m, "s", "x", []any{"a"})
	before := w.store.count("SwapSessionValues")
	if err := change(b, w.m, "s", func(*sessions.Session) {}); err != nil || w.store.count("SwapSessionValues") != before {
		t.Errorf("got %v, want no write", err)
	}
	// A change within a value is one.
	if err := change(b, w.m, "s", func(s *sessions.Session) { s.Values["x"].([]any)[0] = "b" }); err != nil {
		t.Fatal(err)
	}
	wantValues(t, b, w.m, "s", values{"x": []any{"b"}})
}

// Whatever Get returns is the caller's own.
func TestCopiesAreOnesOwn(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "s", "raw", []byte("abc"))
	s, err := w.m.Get(b.request("GET"), "s")
	if err != nil {
		t.Fatal(err)
	}
	s.Values["raw"].([]byte)[0] = 'x'
	wantValues(t, b, w.m, "s", values{"raw": []byte("abc")})
}
