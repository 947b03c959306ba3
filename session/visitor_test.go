package session_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gorilla/sessions"
)

func carrying(list ...string) func(*session.Config) {
	return func(c *session.Config) { c.CarryOver = list }
}

// What a visitor had is theirs after they log in only as far as the app lists it;
// the key of before opens nothing.
func TestLoginCarriesOver(t *testing.T) {
	atOnceAndSteps := map[string]func(*session.Config){
		"at once":  func(*session.Config) {},
		"in steps": func(c *session.Config) { c.Store = struct{ store.SessionValuer }{c.Store.(store.SessionValuer)} },
	}
	for name, kind := range atOnceAndSteps {
		t.Run(name, func(t *testing.T) {
			w, b := newWorld(t, kind, carrying("cart", "shop/basket", "none", "none/x")), newBrowser(t)
			put(t, b, w.m, "cart", "tea", 2)
			put(t, b, w.m, "cart", 7, nil)
			put(t, b, w.m, "cart2", "x", 1)
			put(t, b, w.m, "shop", "basket", []any{"a"})
			put(t, b, w.m, "shop", "admin", true)
			visitor := b.clone()
			w.login(b)
			wantValues(t, b, w.m, "cart", values{"tea": 2, 7: nil})
			wantValues(t, b, w.m, "shop", values{"basket": []any{"a"}})
			wantValues(t, b, w.m, "cart2", nil)
			wantValues(t, visitor, w.m, "cart", nil)
			w.wantNone(visitor, w.m)

			// A new key keeps them, and so does another login of the same user.
			put(t, b, w.m, "own", "x", 1)
			if err := b.do("POST", w.m.Renew); err != nil {
				t.Fatal(err)
			}
			wantValues(t, b, w.m, "own", values{"x": 1})
			before := b.clone()
			w.login(b)
			wantValues(t, b, w.m, "own", values{"x": 1})
			wantValues(t, before, w.m, "own", nil)

			// Another user gets nothing, not even what is listed.
			w.loginAs(b, w.m, w.newUser("grace"))
			for _, name := range []string{"cart", "shop", "own"} {
				wantValues(t, b, w.m, name, nil)
			}
			if err := b.do("POST", w.m.End); err != nil {
				t.Fatal(err)
			}
			put(t, b, w.m, "cart", "coffee", 1)
			wantValues(t, b, w.m, "cart", values{"coffee": 1})
			wantValues(t, b, w.m, "shop", nil)
		})
	}
}

// Nothing of a session that was over is carried into one that begins.
func TestLoginCarriesNothingThatIsOver(t *testing.T) {
	w, b := newWorld(t, carrying("cart"), func(c *session.Config) { c.Idle = time.Hour }), newBrowser(t)
	put(t, b, w.m, "cart", "tea", 1)
	w.clock.add(time.Hour)
	w.login(b)
	wantValues(t, b, w.m, "cart", nil)
	put(t, b, w.m, "cart", "tea", 1)
	w.clock.add(time.Hour)
	w.login(b)
	wantValues(t, b, w.m, "cart", nil)
}

// A visitor who has values is a visitor to everything else, at no cost: neither
// a query nor an allocation.
func TestVisitorIsNobody(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "cart", "tea", 1)
	before := w.store.count()
	w.wantNone(b, w.m)
	if err := b.do("POST", w.m.Renew); !errors.Is(err, session.ErrNone) {
		t.Errorf("Renew: got %v", err)
	}
	if n := w.store.count() - before; n != 0 {
		t.Errorf("%d queries", n)
	}
	r := b.request("GET")
	if n := testing.AllocsPerRun(100, func() { _, _ = w.m.Resolve(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	wantValues(t, b, w.m, "cart", values{"tea": 1})
}

// The random bytes of a key, with the mark of the other kind, open nothing, even
// if the store holds a record that they would fit.
func TestKeysOfTwoKinds(t *testing.T) {
	for _, noUsers := range []bool{false, true} {
		w, b := newWorld(t, func(c *session.Config) {
			if noUsers {
				c.Users = nil
			}
		}), newBrowser(t)
		ours := newSchedule(secretA, audience)
		put(t, b, w.m, "cart", "tea", 1)
		raw, err := b64.DecodeString(b.value(cookieName))
		if err != nil || ours.visitorToken(raw[1:33]) != b.value(cookieName) {
			t.Fatalf("the visitor's key is %x, %v", raw, err)
		}
		b.set(cookieName, ours.token(raw[1:33]))
		w.wantNone(b, w.m)
		wantValues(t, b, w.m, "cart", nil)

		c := newBrowser(t)
		s := w.login(c)
		put(t, c, w.m, "cart", "tea", 1)
		raw, _ = b64.DecodeString(c.value(cookieName))
		c.set(cookieName, ours.visitorToken(raw[1:33]))
		w.wantNone(c, w.m)
		wantValues(t, c, w.m, "cart", nil)
		if err := change(c, w.m, "cart", func(g *sessions.Session) { g.Values["x"] = 1 }); err != nil {
			t.Fatal(err)
		}
		wantValues(t, c, w.m, "cart", values{"x": 1}) // a visitor's, under a new key
		if _, err := w.store.Store.Session(t.Context(), s.ID); err == nil {
			if _, blob, _ := w.store.Store.SessionValues(t.Context(), s.ID); strings.Contains(string(blob), "x") {
				t.Error("a visitor's key wrote to the session of a user")
			}
		}
	}
}

// Someone plants the key of a session of theirs in another's browser.
func TestPlantedKeys(t *testing.T) {
	w, attacker := newWorld(t, carrying("cart")), newBrowser(t)
	put(t, attacker, w.m, "cart", "tea", 1)
	put(t, attacker, w.m, "prefs", "admin", true)
	victim := attacker.clone()
	w.login(victim)
	w.wantNone(attacker, w.m)
	wantValues(t, attacker, w.m, "cart", nil)
	wantValues(t, victim, w.m, "prefs", nil)
	put(t, victim, w.m, "cart", "secret", 1)
	wantValues(t, attacker, w.m, "cart", nil)

	// Two keys in one browser: nobody knows whose is whose.
	put(t, attacker, w.m, "cart", "bomb", 1)
	two := newBrowser(t)
	put(t, two, w.m, "cart", "tea", 1)
	two.cookies = append(two.cookies, attacker.clone().cookies...)
	wantValues(t, two, w.m, "cart", nil)
	w.login(two)
	wantValues(t, two, w.m, "cart", nil)
	wantValues(t, attacker, w.m, "cart", nil)
}

// A user's values end with their session, however that ends, in every process.
func TestValuesEndWithTheSession(t *testing.T) {
	for name, end := range map[string]func(w *world, m *session.Manager, s *store.Session) error{
		"revoked": func(w *world, m *session.Manager, s *store.Session) error { return m.Revoke(w.t.Context(), s.ID) },
		"everybody": func(w *world, m *session.Manager, s *store.Session) error {
			return m.EndAll(w.t.Context(), s.UserID, "")
		},
		"deleted": func(w *world, m *session.Manager, s *store.Session) error {
			return w.store.DeleteUser(w.t.Context(), s.UserID)
		},
		"idle": func(w *world, m *session.Manager, s *store.Session) error {
			w.clock.add(8 * 24 * time.Hour)
			return nil
		},
		"disabled": func(w *world, m *session.Manager, s *store.Session) error {
			u := *w.user
			u.Disabled = true
			return w.store.UpdateUser(w.t.Context(), &u)
		},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				// Nobody tells the process what another did.
				w, b := newWorld(t, func(c *session.Config) {
					c.Store, c.Users = struct{ store.SessionValuer }{c.Store.(store.SessionValuer)}, struct{ store.Users }{c.Users}
				}), newBrowser(t)
				s := w.login(b)
				put(t, b, w.m, "s", "x", 1)
				wantValues(t, b, w.m, "s", values{"x": 1})
				slow := b.clone()
				err := slow.do(method, func(rw http.ResponseWriter, r *http.Request) error {
					g, err := w.m.Get(r, "s")
					if err != nil {
						return err
					}
					if err := end(w, w.manager(), s); err != nil {
						t.Fatal(err)
					}
					g.Values["y"] = 2
					return g.Save(r, rw)
				})
				if !errors.Is(err, session.ErrNone) || len(slow.header) != 0 {
					t.Errorf("saved meanwhile: got %v, header %v, want ErrNone and no cookie", err, slow.header)
				}
				w.clock.add(time.Second) // for as long, this process may think that a user is not disabled
				wantValues(t, b, w.m, "s", nil)
			})
		}
	}
}

// A visitor is logged out while one of their requests saves.
func TestSaveRacesLogout(t *testing.T) {
	for _, login := range []bool{false, true} {
		for _, op := range []string{"SessionValues", "SessionUser"} {
			w, b := newWorld(t), newBrowser(t)
			if login {
				w.login(b)
			}
			put(t, b, w.m, "s", "x", 1)
			slow, done := b.clone(), false
			err := slow.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
				s, err := w.m.Get(r, "s")
				if err != nil {
					return err
				}
				put(t, b, w.m, "s", "z", 3) // so that it must be read again
				w.store.onAnswer(op, func() {
					if !done {
						done = true
						if err := b.do("POST", w.m.End); err != nil {
							t.Error(err)
						}
					}
				})
				s.Values["y"] = 2
				return s.Save(r, rw)
			})
			if done && (!errors.Is(err, session.ErrNone) || len(slow.header) != 0) {
				t.Errorf("login %t, %s: got %v, header %v", login, op, err, slow.header)
			}
			if !done && (login || op == "SessionValues") {
				t.Errorf("login %t: %s was not called", login, op)
			}
			wantValues(t, slow, w.m, "s", map[bool]values{true: nil, false: {"x": 1, "y": 2, "z": 3}}[done])
		}
	}
}

// What was read as a visitor, or as someone else, is not saved into a session
// that began in the same request; what was read of nothing is.
func TestLoginBetweenGetAndSave(t *testing.T) {
	grace := func(w *world) *store.User { return w.newUser("grace") }
	ada := func(w *world) *store.User { return w.user }
	for _, test := range []struct {
		before string
		who    func(*world) *store.User
		want   values
	}{
		{"nothing", ada, values{"y": 2}},
		{"a visitor", ada, nil},
		{"ada", grace, nil},
		{"ada", ada, values{"x": 1, "y": 2}},
	} {
		w, b := newWorld(t), newBrowser(t)
		if test.before == "ada" {
			w.login(b)
		}
		if test.before != "nothing" {
			put(t, b, w.m, "s", "x", 1)
		}
		err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			s, err := w.m.Get(r, "s")
			if err != nil {
				return err
			}
			if err := w.m.Begin(rw, r, &store.Session{UserID: test.who(w).ID}); err != nil {
				return err
			}
			s.Values["y"] = 2
			return s.Save(r, rw)
		})
		if got := errors.Is(err, session.ErrNone); got != (test.want == nil) || err != nil && !got {
			t.Errorf("%s: got %v", test.before, err)
		}
		w.wantUser(b, w.m)
		wantValues(t, b, w.m, "s", test.want)
	}
}

// After a logout, the next page may say so.
func TestFlashAfterLogout(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	put(t, b, w.m, "s", "x", 1)
	if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
		if err := w.m.End(rw, r); err != nil {
			return err
		}
		s, err := w.m.Get(r, "s")
		if err != nil {
			return err
		}
		s.AddFlash("goodbye")
		return s.Save(r, rw)
	}); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
	wantValues(t, b, w.m, "s", values{"_flash": []any{"goodbye"}})
	// A visitor's logout ends what they have.
	old := b.clone()
	if err := b.do("POST", w.m.End); err != nil || b.value(cookieName) != "" {
		t.Fatalf("got %v, cookie %q", err, b.value(cookieName))
	}
	wantValues(t, old, w.m, "s", nil)
}

func TestVisitorLimits(t *testing.T) {
	w, b := newWorld(t, func(c *session.Config) { c.Idle, c.Lifetime = 2*time.Hour, 3*time.Hour }), newBrowser(t)
	put(t, b, w.m, "s", "x", 1)
	touches := w.store.count("TouchSession")
	for range 3 {
		wantValues(t, b, w.m, "s", values{"x": 1})
		put(t, b, w.m, "s", "x", 1)
		w.clock.add(50 * time.Minute) // who only reads is there as well
		for range 5 {
			wantValues(t, b, w.m, "s", values{"x": 1})
		}
	}
	if n := w.store.count("TouchSession") - touches; n != 3 {
		t.Errorf("%d touches, want one a minute at most", n)
	}
	w.clock.add(30 * time.Minute)
	wantValues(t, b, w.m, "s", nil) // Lifetime
	put(t, b, w.m, "s", "x", 2)
	w.clock.add(2 * time.Hour)
	wantValues(t, b, w.m, "s", nil) // Idle
	all := newBrowser(t)
	put(t, all, w.m, "s", "x", 2)
	later := w.manager(func(c *session.Config) { c.NotBefore = w.clock.now().Add(time.Second) })
	wantValues(t, all, later, "s", nil)
}

// A visitor's key is marked anew when they save, and another Audience's is none.
func TestVisitorSecretChange(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	put(t, b, w.m, "s", "x", 1)
	next := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, []string{secretA} })
	last := w.manager(func(c *session.Config) { c.Secret = secretB })
	wantValues(t, b, w.manager(func(c *session.Config) { c.Audience = "another" }), "s", nil)
	wantValues(t, b, last, "s", nil)
	before := b.clone()
	put(t, b, next, "s", "y", 2)
	if len(b.header["Set-Cookie"]) != 1 {
		t.Errorf("got header %v", b.header)
	}
	wantValues(t, b, last, "s", values{"x": 1, "y": 2})
	wantValues(t, before, next, "s", values{"x": 1, "y": 2})
	put(t, b, next, "s", "y", 3)
	if len(b.header) != 0 {
		t.Errorf("sent again: %v", b.header)
	}
}

// A browser has one record at a time, and no user's list shows it.
func TestVisitorsLeaveNothingBehind(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	var ids []string
	for i := range 3 {
		put(t, b, w.m, "s", "x", i)
		raw, _ := b64.DecodeString(b.value(cookieName))
		ids = append(ids, sessionID(raw[1:33]))
		if list, err := w.m.List(t.Context(), ""); err != nil || len(list) != 0 {
			t.Errorf("got %v, %v", list, err)
		}
		w.login(b)
		if err := b.do("POST", w.m.End); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range ids {
		if _, err := w.store.Store.Session(t.Context(), id); !errors.Is(err, store.ErrNotFound) || slices.Contains(ids[:i], id) {
			t.Errorf("record %d: got %v", i, err)
		}
	}
	// What could not be finished is taken back.
	w.store.loseOnce("ReplaceSessions", errDown)
	c := newBrowser(t)
	err := change(c, w.m, "s", func(s *sessions.Session) { s.Values["x"] = 1 })
	wantReason(t, err, "store")
	if len(c.header) != 0 || w.store.count("DeleteSession") == 0 {
		t.Errorf("header %v", c.header)
	}
}
