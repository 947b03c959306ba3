package session_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

var gorillaKey = []byte("gQ4vXn8RkT2wYc6ZsJ0bLh5MdFp9UeAi")

// gorillaStores are gorilla's own, set up as wrongly as they allow.
func gorillaStores(t *testing.T) map[string]sessions.Store {
	bad := &sessions.Options{Path: "/elsewhere", Domain: "example.com", MaxAge: 86400 * 30, SameSite: http.SameSiteNoneMode, Partitioned: true}
	cookies := sessions.NewCookieStore(gorillaKey)
	cookies.Options = bad
	files := sessions.NewFilesystemStore(t.TempDir(), gorillaKey)
	files.Options = bad
	return map[string]sessions.Store{"CookieStore": cookies, "FilesystemStore": files}
}

func eachGorilla(t *testing.T, f func(t *testing.T, w *world, b *browser)) {
	for name, s := range gorillaStores(t) {
		t.Run(name, func(t *testing.T) {
			f(t, newWorld(t, func(c *session.Config) { c.Cookies = s }), newBrowser(t))
		})
	}
}

func TestGorilla(t *testing.T) {
	eachGorilla(t, func(t *testing.T, w *world, b *browser) {
		w.wantNone(b, w.m)
		s := w.login(b)
		lines := b.header["Set-Cookie"]
		if len(lines) != 1 {
			t.Fatalf("got %v", lines)
		}
		if got := strings.Replace(lines[0], b.value(cookieName), "V", 1); got != "__Host-session=V; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax" {
			t.Errorf("got %s", got)
		}
		for range 3 {
			if f := w.wantUser(b, w.m); f.Session.ID != s.ID {
				t.Errorf("got %v", f.Session)
			}
		}
		if n := w.store.count("SessionUser"); n != 1 {
			t.Errorf("%d queries", n)
		}
		copied := b.clone()
		again := w.login(b)
		w.wantNone(copied, w.m)
		if err := b.do("POST", w.m.Renew); err != nil {
			t.Fatal(err)
		}
		if f := w.wantUser(b, w.m); f.Session.ID == again.ID || len(b.header["Set-Cookie"]) != 1 {
			t.Errorf("renewed: got %v, header %v", f.Session, b.header)
		}
		copied = b.clone()
		if err := b.do("POST", w.m.End); err != nil {
			t.Fatal(err)
		}
		if got := b.header["Set-Cookie"]; len(got) != 1 || got[0] != "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax" {
			t.Errorf("logout: got %v", got)
		}
		w.wantNone(b, w.m)
		w.wantNone(copied, w.m)
		// The cookie of before must never log anyone in again.
		w.login(b)
		w.wantNone(copied, w.m)
		w.loginAs(copied, w.m, w.newUser("grace"))
		w.wantUser(b, w.m)
	})
}

func TestGorillaForgeries(t *testing.T) {
	eachGorilla(t, func(t *testing.T, w *world, b *browser) {
		w.login(b)
		before := w.store.count()
		good := b.value(cookieName)
		for _, value := range []string{"", "x", good[:len(good)-1], newSchedule(secretA, audience).token(make([]byte, 32)), strings.Repeat("A", 5000)} {
			c := newBrowser(t)
			c.set(cookieName, value)
			w.wantNone(c, w.m)
			if err := c.do("POST", w.m.End); err != nil || len(c.header) != 0 {
				t.Errorf("%q: End: %v, header %v", value, err, c.header)
			}
		}
		twice := b.clone()
		twice.cookies = append(twice.cookies, &http.Cookie{Name: cookieName, Value: "x"})
		w.wantNone(twice, w.m)
		if n := w.store.count() - before; n != 0 {
			t.Errorf("%d queries", n)
		}
		// Who comes with junk can log in.
		c := newBrowser(t)
		c.set(cookieName, "junk")
		w.login(c)
		w.wantUser(c, w.m)
	})
}

// Logging out ends what is ours among two cookies, in whatever order they come.
func TestGorillaEndWithTwoCookies(t *testing.T) {
	for _, first := range []bool{false, true} {
		eachGorilla(t, func(t *testing.T, w *world, b *browser) {
			s := w.login(b)
			twice := b.clone()
			planted := &http.Cookie{Name: cookieName, Value: "planted"}
			if first {
				twice.cookies = append([]*http.Cookie{planted}, twice.cookies...)
			} else {
				twice.cookies = append(twice.cookies, planted)
			}
			if err := twice.do("POST", w.m.End); err != nil || len(twice.header["Set-Cookie"]) != 1 || twice.value(cookieName) != "" {
				t.Errorf("planted first: %v: got %v, header %v", first, err, twice.header)
			}
			w.wantNone(b, w.m)
			if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("planted first: %v: the store still has it: %v", first, err)
			}
		})
	}
}

// Gorilla's Get would write to the request.
func TestGorillaOneRequestTwoGoroutines(t *testing.T) {
	eachGorilla(t, func(t *testing.T, w *world, b *browser) {
		w.login(b)
		r := b.request("GET")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.m.Resolve(r); err != nil {
					t.Error(err)
				}
				if _, err := w.m.Find(r); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// When the secret changes, the same gorilla session gets the new key: other
// requests of the page still come with the cookie of before.
func TestGorillaSecretChange(t *testing.T) {
	eachGorilla(t, func(t *testing.T, w *world, b *browser) {
		s := w.login(b)
		next := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, []string{secretA} })
		before := b.clone()
		w.clock.add(time.Hour)
		w.touch(b, next)
		if len(b.header["Set-Cookie"]) != 1 || b.header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("got header %v", b.header)
		}
		w.wantUser(before, next)
		last := w.manager(func(c *session.Config) { c.Secret = secretB })
		if f := w.wantUser(b, last); f.Session.ID != s.ID {
			t.Errorf("got %v, want session %s", f.Session, s.ID)
		}
		w.clock.add(time.Hour)
		w.touch(b, last)
		if len(b.header) != 0 {
			t.Errorf("sent again: %v", b.header)
		}
	})
}

func TestGorillaFileIsGone(t *testing.T) {
	dir := t.TempDir()
	w, b := newWorld(t, func(c *session.Config) { c.Cookies = sessions.NewFilesystemStore(dir, gorillaKey) }), newBrowser(t)
	files := func() []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "session_*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	w.login(b)
	first := files()
	w.login(b)
	if got := files(); len(got) != 1 || got[0] == first[0] {
		t.Errorf("files: got %v, want one in place of %v", got, first)
	}
	if err := os.Remove(files()[0]); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
	old := b.clone()
	w.login(b)
	w.wantUser(b, w.m)
	w.wantNone(old, w.m) // gorilla would have kept its ID
	if err := b.do("POST", w.m.End); err != nil || len(files()) != 0 {
		t.Errorf("got %v, files %v", err, files())
	}
}

// A broken store is a gorilla store whose I/O fails.
type broken struct {
	sessions.Store
	onNew, onSave error
	silent        bool
}

func (s *broken) New(r *http.Request, name string) (*sessions.Session, error) {
	if s.silent {
		return nil, nil
	}
	if s.onNew != nil {
		return sessions.NewSession(s, name), s.onNew
	}
	return s.Store.New(r, name)
}

func (s *broken) Save(r *http.Request, w http.ResponseWriter, g *sessions.Session) error {
	if s.onSave != nil {
		http.SetCookie(w, &http.Cookie{Name: g.Name(), Value: "half done"})
		return s.onSave
	}
	if g.Options.MaxAge > 0 {
		http.SetCookie(w, &http.Cookie{Name: "of-the-store", Value: "its own"})
	}
	http.SetCookie(w, &http.Cookie{Name: g.Name(), Value: "first"})
	w.Header().Set("X-Store", "yes")
	w.WriteHeader(http.StatusTeapot)
	_, _ = w.Write([]byte("body"))
	return s.Store.Save(r, w, g)
}

func TestGorillaFails(t *testing.T) {
	plug := &broken{Store: sessions.NewCookieStore(gorillaKey)}
	w, b := newWorld(t, func(c *session.Config) { c.Cookies = plug }), newBrowser(t)
	s := w.login(b)
	if got := b.header["Set-Cookie"]; len(got) != 2 || b.value("of-the-store") != "its own" || b.value(cookieName) == "first" || b.header.Get("X-Store") != "yes" {
		t.Errorf("got %v", b.header)
	}
	begin := func(rw http.ResponseWriter, r *http.Request) error {
		s = &store.Session{UserID: w.user.ID}
		return w.m.Begin(rw, r, s)
	}
	fails := func(when string, f func(http.ResponseWriter, *http.Request) error) {
		t.Helper()
		err := b.do("POST", f)
		if err == nil || errors.Is(err, session.ErrNone) || len(b.header) != 0 {
			t.Errorf("%s: got %v, header %v, want an error and no cookie", when, err, b.header)
		}
		wantReason(t, err, "cookies")
	}
	resolve := func(_ http.ResponseWriter, r *http.Request) error { _, err := w.m.Resolve(r); return err }
	for name, breakIt := range map[string]func(){
		"I/O":     func() { plug.onNew = &fs.PathError{Op: "open", Err: errors.New("I/O error")} },
		"nothing": func() { plug.silent = true },
	} {
		breakIt()
		fails(name+" at resolve", resolve)
		fails(name+" at begin", begin)
		fails(name+" at end", w.m.End)
		fails(name+" at renew", w.m.Renew)
		plug.onNew, plug.silent = nil, false
		w.wantUser(b, w.m)
	}
	plug.onSave = errDown
	fails("saving at begin", begin)
	if _, err := w.store.Store.Session(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a session without a browser remains: %v", err)
	}
	plug.onSave = nil
	w.login(b)
	plug.onSave = errDown
	fails("saving at renew", w.m.Renew)
	if list, _ := w.m.List(t.Context(), w.user.ID); len(list) != 0 {
		t.Errorf("%d sessions remain", len(list))
	}
}
