package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// counter makes the store one that counts sessions, and can do no more than it
// must besides.
func counter(c *session.Config) {
	c.Store = struct{ store.SessionCounter }{c.Store.(store.SessionCounter)}
}

// inEachWay runs f with a store that counts sessions, with one that does not, and
// with those that replace none in one step.
func inEachWay(t *testing.T, f func(t *testing.T, kind func(*session.Config))) {
	atOnceAndInSteps(t, f)
	t.Run("counted, in steps", func(t *testing.T) { f(t, counter) })
}

func limit(n int) func(*session.Config) {
	return func(c *session.Config) { c.MaxPerUser = n }
}

// crowded returns a world with browsers that the user is logged in at, one begun
// after another, and so soon that nothing is swept away meanwhile.
func crowded(t *testing.T, n int, change ...func(*session.Config)) (*world, []*browser, []string) {
	t.Helper()
	w := newWorld(t, change...)
	var browsers []*browser
	var ids []string
	for range n {
		b := newBrowser(t)
		browsers, ids = append(browsers, b), append(ids, w.login(b).ID)
		w.clock.add(10 * time.Second)
	}
	return w, browsers, ids
}

// A login in a browser without a session asks the store once.
func TestFirstLoginIsOneCall(t *testing.T) {
	forwarded := func(c *session.Config) { c.Store = forwarder{c.Store} }
	for name, kind := range map[string]func(*session.Config){"a store": func(*session.Config) {}, "one around it": forwarded, "in steps": counter} {
		w := newWorld(t, kind, limit(3))
		for i := range 3 { // as many as there may be
			calls := w.store.count()
			w.login(newBrowser(t))
			if n := w.store.count() - calls; n != 1 || w.store.count("CreateCounted") != i+1 {
				t.Errorf("%s: %d calls at login %d, want 1", name, n, i)
			}
		}
	}
	w, b := newWorld(t, remembering), newBrowser(t)
	w.remember(b)
	if n := w.store.count("CreateCounted"); n != 1 || w.store.count("UserSessions", "ReplaceSessions", "CreateSession", "DeleteSession") != 0 {
		t.Errorf("%d calls that count at the login of a browser that is remembered, want 1 and no other of sessions", n)
	}
	// A browser that has a session, a visitor's or anyone's, is another matter.
	put(t, newBrowser(t), w.m, "cart", "tea", 1)
	w.login(b)
	if n := w.store.count("CreateCounted"); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// Where there are too many, the ones seen longest ago end, at once here as well,
// and the browser's own family is none of them.
func TestLimitHoldsWhenCounted(t *testing.T) {
	inEachWay(t, func(t *testing.T, kind func(*session.Config)) {
		w, browsers, _ := crowded(t, 3, kind, limit(3))
		for i := range 3 {
			for _, b := range browsers {
				w.wantUser(b, w.m) // and now it is in the cache
			}
			b := newBrowser(t)
			w.login(b)
			w.wantNone(browsers[0], w.m)
			browsers = append(browsers[1:], b)
			for _, b := range browsers {
				w.wantUser(b, w.m)
			}
			if n := len(w.sessions()); n != 3 {
				t.Errorf("login %d: %d sessions, want 3", i, n)
			}
			w.clock.add(time.Minute)
		}
	})
	w, browsers, _ := crowded(t, 2, remembering, limit(3))
	b := newBrowser(t)
	w.remember(b)
	b.forget(cookieName)
	w.clock.add(time.Minute)
	w.remember(b)
	for _, b := range append(browsers, b) {
		w.wantUser(b, w.m)
	}
}

// Of two logins at once, whoever comes last is in, both are if there is room, and
// at most one session is too many until the next.
func TestTwoLoginsAtOnce(t *testing.T) {
	inEachWay(t, func(t *testing.T, kind func(*session.Config)) {
		for _, most := range []int{1, 2, 3} {
			for before := range 4 {
				for n, moments := 0, 1; n < moments; n++ {
					w, _, _ := crowded(t, before, kind, limit(max(before, 1)))
					m, other := w.manager(limit(most)), w.manager(limit(most))
					first, second := newBrowser(t), newBrowser(t)
					steps := w.at(n, func() { w.loginAs(second, other, w.user) })
					w.loginAs(first, m, w.user)
					moments = *steps
					w.store.between = nil
					if moments < 2 {
						t.Fatalf("a login has only %d moments", moments)
					}
					in := 0
					for _, b := range []*browser{first, second} {
						if _, err := m.ResolveNow(b.request("POST")); err == nil {
							in++
						}
					}
					left := len(w.sessions())
					if in == 0 || in == 1 && most > 1 || left > most+1 {
						t.Errorf("limit %d, %d before, moment %d: %d of two logged in, %d sessions", most, before, n, in, left)
					}
					w.loginAs(newBrowser(t), m, w.user)
					if left := len(w.sessions()); left > most {
						t.Errorf("limit %d, %d before, moment %d: %d sessions after the next login", most, before, n, left)
					}
				}
			}
		}
	})
}

// However many come at once, somebody is in.
func TestManyLoginsAtOnce(t *testing.T) {
	w, _, _ := crowded(t, 2, limit(2))
	browsers := make([]*browser, 8)
	var wg sync.WaitGroup
	for i := range browsers {
		browsers[i] = newBrowser(t)
		wg.Go(func() { w.login(browsers[i]) })
	}
	wg.Wait()
	in := 0
	for _, b := range browsers {
		if _, err := w.m.ResolveNow(b.request("POST")); err == nil {
			in++
		}
	}
	if in < 2 || in != len(w.sessions()) {
		t.Errorf("%d of %d logged in, %d sessions", in, len(browsers), len(w.sessions()))
	}
	w.login(newBrowser(t))
	if n := len(w.sessions()); n != 2 {
		t.Errorf("%d sessions after the next login, want 2", n)
	}
}

// Whichever call of a first login the store fails at, once: either the person is
// logged in by it, or nobody is, and all sessions are there that were.
func TestFirstLoginFailsAndHarmsNone(t *testing.T) {
	inEachWay(t, func(t *testing.T, kind func(*session.Config)) {
		for _, remembered := range []bool{false, true} {
			for _, before := range []int{1, 2} { // the second is the limit
				failures := 0
				for n := 0; ; n++ {
					w, _, ids := crowded(t, before, remembering, limit(2))
					m, b := w.manager(func(c *session.Config) { c.Remembers = w.store }, kind), newBrowser(t)
					begin := m.Begin
					if remembered {
						begin = m.BeginRemembered
					}
					s := &store.Session{UserID: w.user.ID}
					steps := w.failNth(n)
					err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return begin(rw, r, s) })
					w.failNoMore()
					if *steps <= n {
						break
					}
					if err == nil {
						w.wantUser(b, m)
						continue
					}
					failures++
					if !errors.Is(err, errDown) || len(b.header) > 0 || len(w.families()) > 0 {
						t.Errorf("moment %d: got %v, header %v, %d families", n, err, b.header, len(w.families()))
					}
					w.wantOnly(ids...)
					if len(w.sessions()) != before {
						t.Errorf("moment %d: %d sessions, want the %d that were", n, len(w.sessions()), before)
					}
				}
				if failures < before {
					t.Errorf("remembered %t, %d before: only %d failures", remembered, before, failures)
				}
			}
		}
	})
}

// An answer that was lost, or a browser that did not wait for it, leaves nobody
// logged in, and harms no session.
func TestFirstLoginWithoutAnAnswer(t *testing.T) {
	for name, fault := range map[string]func(w *world, leave func()){
		"of the counting": func(w *world, _ func()) { w.store.loseOnce("CreateCounted", errDown) },
		"of the removal":  func(w *world, _ func()) { w.store.loseOnce("DeleteSession", errDown) },
		"left":            func(w *world, leave func()) { w.store.onAnswer("CreateCounted", leave) },
	} {
		t.Run(name, func(t *testing.T) {
			w, browsers, ids := crowded(t, 2, limit(2))
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			fault(w, leave)
			b, s := newBrowser(t), &store.Session{UserID: w.user.ID}
			err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error { return w.m.Begin(rw, r.WithContext(ctx), s) })
			if !errors.Is(err, errDown) && !errors.Is(err, context.Canceled) || len(b.header) != 0 {
				t.Errorf("got %v, header %v, want the store's error", err, b.header)
			}
			w.wantOnly(ids...)
			for _, b := range browsers {
				w.wantUser(b, w.m)
			}
		})
	}
}

// A store that counts wrongly, as one that a replica answers might, lets nobody
// in twice and keeps nobody out.
func TestStoreThatCountsTooMany(t *testing.T) {
	w := newWorld(t)
	m := w.manager(func(c *session.Config) { c.Store = miscounting{w.store} })
	for i := range 3 {
		b := newBrowser(t)
		w.loginAs(b, m, w.user)
		w.wantUser(b, m)
		if n := len(w.sessions()); n != i+1 {
			t.Errorf("got %d sessions, want %d", n, i+1)
		}
	}
	if n := fmt.Sprint(w.store.count("CreateCounted"), w.store.count("ReplaceSessions")); n != "3 3" {
		t.Errorf("counted and replaced %s times", n)
	}
}

type miscounting struct{ *backend }

func (s miscounting) CreateCounted(ctx context.Context, x *store.Session) (int, error) {
	n, err := s.backend.CreateCounted(ctx, x)
	return n + 1000, err
}
