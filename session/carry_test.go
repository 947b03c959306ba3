package session_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func TestCarryOverIsChecked(t *testing.T) {
	for _, test := range []struct {
		list []string
		want string // "" if it is good
	}{
		{nil, ""},
		{[]string{"cart", "shop/cart", "shop/the key", "__Host-session/theme"}, ""},
		{[]string{""}, `CarryOver[0]: want the name`},
		{[]string{"cart", "my cart"}, `CarryOver[1]: want the name of a gorilla session, of the letters of a cookie's name; got "my cart"`},
		{[]string{"/cart"}, "CarryOver[0]: want the name"},
		{[]string{"shop/"}, `CarryOver[0]: want a name, or a name and a key as in "shop/cart"; got "shop/"`},
		{[]string{"a/b/c"}, "CarryOver[0]: want a name, or"},
		{[]string{"cart", "x", "cart"}, `CarryOver[2]: "cart" is there twice`},
	} {
		w := newWorld(t)
		cfg := w.cfg
		cfg.CarryOver = test.list
		_, err := session.New(cfg)
		if test.want == "" && err != nil || test.want != "" && (!contains(err, test.want)) {
			t.Errorf("%q: got %v, want %q", test.list, err, test.want)
		}
	}
	w := newWorld(t)
	cfg := w.cfg
	least(&cfg)
	cfg.CarryOver = []string{"cart"}
	if _, err := session.New(cfg); !contains(err, "CarryOver: struct { store.Sessions } keeps no values with sessions") {
		t.Errorf("got %v", err)
	}
}

// The browser's half may be kept by any gorilla store, also a visitor's.
func TestValuesBesideGorilla(t *testing.T) {
	eachGorilla(t, func(t *testing.T, w *world, b *browser) {
		w.m = w.manager(carrying("cart"))
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			for _, name := range []string{"cart", "prefs"} {
				s, err := w.m.Get(r, name)
				if err != nil {
					return err
				}
				s.Values["tea"] = 1
				if err := s.Save(r, rw); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(b.header["Set-Cookie"]) != 1 {
			t.Fatalf("got %v, header %v", err, b.header)
		}
		w.wantNone(b, w.m)
		wantValues(t, b, w.m, "prefs", values{"tea": 1})
		visitor := b.clone()
		w.login(b)
		wantValues(t, b, w.m, "cart", values{"tea": 1})
		wantValues(t, b, w.m, "prefs", nil)
		wantValues(t, visitor, w.m, "cart", nil)
		put(t, b, w.m, "prefs", "x", 1)
		if err := b.do("POST", w.m.Renew); err != nil {
			t.Fatal(err)
		}
		wantValues(t, b, w.m, "prefs", values{"x": 1})
		if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			if err := w.m.End(rw, r); err != nil {
				return err
			}
			s, _ := w.m.Get(r, "prefs")
			s.AddFlash("goodbye")
			return s.Save(r, rw)
		}); err != nil {
			t.Fatal(err)
		}
		w.wantNone(b, w.m)
		wantValues(t, b, w.m, "prefs", values{"_flash": []any{"goodbye"}})
	})
}

// An app's own values in the gorilla session that keeps the browser's half.
func TestGorillaCarriesOver(t *testing.T) {
	for name, store := range gorillaStores(t) {
		t.Run(name, func(t *testing.T) {
			w, b := newWorld(t, func(c *session.Config) { c.Cookies = store }, carrying(cookieName+"/theme", "session", "theme")), newBrowser(t)
			theirs := func(want map[any]any) {
				t.Helper()
				s, err := store.New(b.request("GET"), cookieName)
				if err != nil {
					t.Fatal(err)
				}
				delete(s.Values, "gatepass")
				if len(s.Values)+len(want) > 0 && !reflect.DeepEqual(s.Values, want) {
					t.Fatalf("got %v, want %v", s.Values, want)
				}
			}
			set := func(k, v any) {
				t.Helper()
				if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
					s, err := store.Get(r, cookieName)
					if err != nil {
						return err
					}
					s.Values[k] = v
					s.Options = &sessions.Options{MaxAge: 1000}
					return s.Save(r, rw)
				}); err != nil {
					t.Fatal(err)
				}
			}
			set("theme", "dark")
			set("session", "x")
			put(t, b, w.m, "s", "x", 1) // a visitor's key beside it takes nothing away
			theirs(values{"theme": "dark", "session": "x"})
			w.login(b)
			theirs(values{"theme": "dark"})
			set("more", 1)
			if err := b.do("POST", w.m.Renew); err != nil {
				t.Fatal(err)
			}
			theirs(values{"theme": "dark"})
			w.login(b)
			theirs(values{"theme": "dark"})
			w.loginAs(b, w.m, w.newUser("grace"))
			theirs(nil)
			set("theme", "light")
			if err := b.do("POST", w.m.End); err != nil {
				t.Fatal(err)
			}
			theirs(nil)

			// A key that no secret has marked may have been anyone's, and so may
			// one whose session is over.
			set("theme", "whose")
			set("gatepass", newSchedule(secretC, audience).token(make([]byte, 32)))
			w.login(b)
			theirs(nil)
			set("theme", "mine")
			if err := w.m.EndAll(t.Context(), w.user.ID, ""); err != nil {
				t.Fatal(err)
			}
			w.login(b)
			theirs(nil)
		})
	}
}

// What cannot be asked at a login is an error, and nobody is logged in.
func TestLoginWhenValuesCannotBeRead(t *testing.T) {
	w, b := newWorld(t, carrying("cart")), newBrowser(t)
	put(t, b, w.m, "cart", "tea", 1)
	w.store.failAt("SessionValues", errDown)
	err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		return w.m.Begin(rw, r, &store.Session{UserID: w.user.ID})
	})
	wantReason(t, err, "store")
	if !errors.Is(err, errDown) || len(b.header) != 0 {
		t.Errorf("got %v, header %v", err, b.header)
	}
	if list, _ := w.m.List(t.Context(), w.user.ID); len(list) != 0 {
		t.Errorf("%d sessions", len(list))
	}
	w.store.failAt("SessionValues", nil)
	wantValues(t, b, w.m, "cart", values{"tea": 1})
}

// What another tab saves while somebody logs in is carried over, or the tab is
// told that it is not, at every moment but between the reading of the values and
// the step right after it, of which the comment of CarryOver warns.
func TestSaveDuringALogin(t *testing.T) {
	lost := 0
	for n, moments := 0, 1; n < moments; n++ {
		w, b := newWorld(t, carrying("cart")), newBrowser(t)
		put(t, b, w.m, "cart", "tea", 1)
		tab, elsewhere := b.clone(), w.manager(elsewhere, carrying("cart"))
		cart, err := elsewhere.Get(tab.request("GET"), "cart")
		if err != nil {
			t.Fatal(err)
		}
		cart.Values["milk"] = 2
		w.store.reset()
		between, saved := false, errors.New("not saved")
		steps := w.at(n, func() {
			between = w.store.count("SessionValues") > 0 && w.store.count("ReplaceSessions") == 0
			saved = tab.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return elsewhere.Save(r, rw, cart) })
		})
		w.login(b)
		moments = *steps
		want := values{"tea": 1}
		switch {
		case saved == nil && between:
			lost++
		case saved == nil:
			want["milk"] = 2
		case saved != nil && !errors.Is(saved, session.ErrNone):
			t.Errorf("moment %d: got %v", n, saved)
		}
		wantValues(t, b, w.m, "cart", want)
	}
	if lost != 2 {
		t.Errorf("lost at %d moments, want 2: after the answer, and before the next call", lost)
	}
}
