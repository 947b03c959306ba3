package session_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

func wantError(t *testing.T, err error, reason string, texts ...string) {
	t.Helper()
	wantReason(t, err, reason)
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
}

type unregistered struct{ A int }

func TestValuesThatCannotBeKept(t *testing.T) {
	for _, login := range []bool{false, true} {
		w, b := newWorld(t), newBrowser(t)
		if login {
			w.login(b)
			put(t, b, w.m, "s", "x", 1)
		}
		calls := w.store.count("SwapSessionValues", "ReplaceSessions", "CreateSession")
		fails := func(v any, reason string, texts ...string) {
			t.Helper()
			err := change(b, w.m, "s", func(s *sessions.Session) { s.Values["the key"] = v })
			wantError(t, err, reason, append(texts, `"s"`)...)
			if len(b.header) != 0 {
				t.Errorf("got header %v", b.header)
			}
		}
		fails(unregistered{}, "value", "the key", "session_test.unregistered", "type not registered")
		fails(func() {}, "value", "the key", "func()")
		fails(strings.Repeat("x", store.MaxValues), "too_long", "at most 65536 bytes", "got 655")
		if n := w.store.count("SwapSessionValues", "ReplaceSessions", "CreateSession") - calls; n != 0 {
			t.Errorf("%d writes", n)
		}
	}
	// What fits is kept, and counts together with other names.
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "a", "x", strings.Repeat("x", store.MaxValues/2))
	err := change(b, w.m, "b", func(s *sessions.Session) { s.Values["x"] = strings.Repeat("x", store.MaxValues/2) })
	wantError(t, err, "too_long")
	put(t, b, w.m, "b", "x", strings.Repeat("x", store.MaxValues/2-100))
}

func TestNamesOfGorillaSessions(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	for _, name := range []string{"", "a b", "a;b", "a=b", "a\n", "a/b", "ü"} {
		_, theirs := sessions.NewCookieStore(gorillaKey).Get(httptest.NewRequest("GET", "/", nil), name)
		s, err := w.m.Get(b.request("GET"), name)
		if theirs == nil || s == nil || s.Values == nil {
			t.Fatalf("%q: got %v; gorilla says %v", name, s, theirs)
		}
		wantError(t, err, "name", fmt.Sprintf("%q", name))
		s.Values["x"], s.Options.MaxAge = 1, -1
		wantError(t, s.Save(b.request("GET"), httptest.NewRecorder()), "name")
	}
	put(t, b, w.m, "a.b-c_d", "x", 1)
	if w.store.count("ReplaceSessions") != 1 {
		t.Error("not saved")
	}
}

// A store that fails is an error, never an empty cart that is then saved.
func TestStoreFailsUnderValues(t *testing.T) {
	for _, login := range []bool{false, true} {
		w, b := newWorld(t), newBrowser(t)
		if login {
			w.login(b)
		}
		put(t, b, w.m, "cart", "tea", 1)
		w.store.failAt("SessionValues", errDown)
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			s, err := w.m.Get(r, "cart")
			wantError(t, err, "store")
			if !errors.Is(err, errDown) || s == nil || !s.IsNew || len(s.Values) != 0 {
				t.Errorf("got %v, %v", s, err)
			}
			w.store.failAt("SessionValues", nil)
			s.Values["coffee"] = 1
			return s.Save(r, rw)
		})
		if !errors.Is(err, errDown) || len(b.header) != 0 {
			t.Errorf("saved all the same: %v, header %v", err, b.header)
		}
		for _, op := range []string{"SwapSessionValues", "SessionUser"} {
			if !login && op == "SessionUser" {
				continue
			}
			w.store.failOnce(op, errDown)
			if err := change(b, w.m, "cart", func(s *sessions.Session) { s.Values["coffee"] = 1 }); !errors.Is(err, errDown) || errors.Is(err, session.ErrNone) {
				t.Errorf("%s: got %v", op, err)
			}
		}
		// An answer that was lost: whoever saves again changes nothing twice.
		w.store.loseOnce("SwapSessionValues", errDown)
		err = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			s, _ := w.m.Get(r, "cart")
			s.Values["coffee"] = 2
			if err := s.Save(r, rw); !errors.Is(err, errDown) {
				t.Errorf("got %v", err)
			}
			return s.Save(r, rw)
		})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, b, w.m, "cart", values{"tea": 1, "coffee": 2})
	}
}

// Stores of other people need not keep values: sessions work, and values say why
// they do not.
func TestStoreThatKeepsNoValues(t *testing.T) {
	w, b := newWorld(t, least), newBrowser(t)
	wantValues(t, b, w.m, "s", nil)
	err := change(b, w.m, "s", func(s *sessions.Session) { s.Values["x"] = 1 })
	wantError(t, err, "store", "struct { store.Sessions } cannot keep values")
	if !errors.Is(err, errors.ErrUnsupported) || len(b.header) != 0 || w.store.count() != 0 {
		t.Errorf("got %v, header %v, %d calls", err, b.header, w.store.count())
	}
	w.login(b)
	w.login(b)
	w.wantUser(b, w.m)
	if s, err := w.m.Get(b.request("GET"), "s"); !errors.Is(err, errors.ErrUnsupported) || s == nil {
		t.Errorf("got %v, %v", s, err)
	}
	if err := b.do("POST", w.m.Renew); err != nil {
		t.Error(err)
	}
}

// Sessions that no Get of this Manager returned are refused: nothing says what
// they were read of.
func TestForeignSessions(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "s", "x", 1)
	r := b.request("POST")
	registered, err := sessions.GetRegistry(b.request("POST")).Get(w.m, "s")
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.manager().Get(r, "s")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*sessions.Session{
		"nil": nil, "made by hand": sessions.NewSession(w.m, "s"), "of a registry": registered, "of another Manager": other,
		"of another store": sessions.NewSession(sessions.NewCookieStore(gorillaKey), "s"),
	} {
		rec := httptest.NewRecorder()
		if err := w.m.Save(r, rec, s); err == nil || len(rec.Header()) != 0 {
			t.Errorf("%s: got %v, header %v", name, err, rec.Header())
		} else {
			wantError(t, err, "foreign")
		}
	}
	wantValues(t, b, w.m, "s", values{"x": 1})
}

type (
	renamed struct{ A int }
	first   struct{ A int }
)

// A type that was renamed takes only its own values with it, and only until they
// are set anew.
func TestValueThatCannotBeRead(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	s := w.login(b)
	gob.RegisterName("app.First", first{})
	put(t, b, w.m, "s", "old", first{1})
	put(t, b, w.m, "s", "good", 2)
	put(t, b, w.m, "other", "x", 1)
	_, blob, err := w.store.Store.SessionValues(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	broken := []byte(strings.Replace(string(blob), "app.First", "app.Fürs", 1))
	if err := w.store.Store.SwapSessionValues(t.Context(), s.ID, blob, broken); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			g, err := w.m.Get(r, "s")
			wantError(t, err, "unreadable", `"s"`, `"old"`)
			if len(g.Values) == 0 || g.Values["old"] != nil || g.IsNew {
				t.Errorf("got %v", g.Values)
			}
			delete(g.Values, "good")
			g.Values["new"] = renamed.value(renamed{3})
			return g.Save(r, rw)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantValues(t, b, w.m, "other", values{"x": 1})
	if _, blob, _ := w.store.Store.SessionValues(t.Context(), s.ID); !strings.Contains(string(blob), "app.F") {
		t.Error("what could not be read is gone")
	}
	_ = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		g, _ := w.m.Get(r, "s")
		g.Values["old"] = "anew"
		return g.Save(r, rw)
	})
	wantValues(t, b, w.m, "s", values{"old": "anew", "new": 3})
}

func (r renamed) value() int { return r.A }

// What is no format of ours is an error, and nothing is written over it; a login
// ends it.
func TestStoredValuesOfAnotherVersion(t *testing.T) {
	w, b := newWorld(t, carrying("s")), newBrowser(t)
	put(t, b, w.m, "s", "x", 1)
	raw, _ := b64.DecodeString(b.value(cookieName))
	id := sessionID(raw[1:33])
	_, blob, err := w.store.Store.SessionValues(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	later := append([]byte{2}, blob[1:]...)
	if err := w.store.Store.SwapSessionValues(t.Context(), id, blob, later); err != nil {
		t.Fatal(err)
	}
	err = b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		s, err := w.m.Get(r, "s")
		wantError(t, err, "unreadable", "format")
		s.Values["x"] = 2
		return s.Save(r, rw)
	})
	wantError(t, err, "unreadable")
	if _, now, _ := w.store.Store.SessionValues(t.Context(), id); string(now) != string(later) {
		t.Error("it was written over")
	}
	w.login(b)
	wantValues(t, b, w.m, "s", nil)
}

// Two keys that are two to Go and one to a store would leave a session that
// nobody can read.
func TestKeysThatAreSavedAsOne(t *testing.T) {
	w, now := newWorld(t), time.Now()
	for name, set := range map[string]func(map[any]any){
		"not a number":                func(m map[any]any) { m[math.NaN()], m[math.NaN()] = 1, 2 },
		"a time and the clock's":      func(m map[any]any) { m[now], m[now.Round(0)] = 1, 2 },
		"a map in which such two are": func(m map[any]any) { m["a"] = map[any]any{now: 1, now.Round(0): 2} },
	} {
		b := newBrowser(t)
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			s, err := w.m.Get(r, "cart")
			if err != nil {
				return err
			}
			set(s.Values)
			return s.Save(r, rw)
		})
		wantReason(t, err, "value")
		if len(b.cookies) != 0 {
			t.Errorf("%s: got cookies %v", name, b.cookies)
		}
	}
}
