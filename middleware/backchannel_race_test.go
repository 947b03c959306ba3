package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A wholeStore does all that a login may ask of a store.
type wholeStore interface {
	store.Transactor
	store.SessionUserFinder
	store.SessionReplacer
	store.SIDFinder
	store.MarkFinder
}

// A racedStore tells of each call before it is made and after it, or fails it.
type racedStore struct {
	wholeStore
	mu   sync.Mutex
	step func(op string) error
}

func (s *racedStore) on(f func(op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = f
}

// failAt lets the store fail whenever it comes to op.
func (s *racedStore) failAt(op string, err error) {
	s.on(func(at string) error {
		if at == op {
			return err
		}
		return nil
	})
}

func (s *racedStore) around(op string, call func() error) error {
	s.mu.Lock()
	step := s.step
	s.mu.Unlock()
	if step == nil {
		return call()
	}
	if err := step("before " + op); err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return step("after " + op)
}

func (s *racedStore) Mark(ctx context.Context, id string, until time.Time) error {
	return s.around("Mark", func() error { return s.wholeStore.Mark(ctx, id, until) })
}

func (s *racedStore) Marked(ctx context.Context, ids ...string) error {
	return s.around("Marked", func() error { return s.wholeStore.Marked(ctx, ids...) })
}

func (s *racedStore) Transact(ctx context.Context, f func(store.Store) error) error {
	return s.around("Transact", func() error { return s.wholeStore.Transact(ctx, f) })
}

func (s *racedStore) ReplaceSessions(ctx context.Context, x *store.Session, values []byte, over []string) error {
	return s.around("ReplaceSessions", func() error { return s.wholeStore.ReplaceSessions(ctx, x, values, over) })
}

func (s *racedStore) DeleteSession(ctx context.Context, id string) error {
	return s.around("DeleteSession", func() error { return s.wholeStore.DeleteSession(ctx, id) })
}

func (s *racedStore) UserSessions(ctx context.Context, id string) (list []store.Session, err error) {
	err = s.around("UserSessions", func() (err error) { list, err = s.wholeStore.UserSessions(ctx, id); return err })
	return list, err
}

func (s *racedStore) SIDSessions(ctx context.Context, provider, sid string) (list []store.Session, err error) {
	err = s.around("SIDSessions", func() (err error) { list, err = s.wholeStore.SIDSessions(ctx, provider, sid); return err })
	return list, err
}

func (s *racedStore) Account(ctx context.Context, k store.Key) (acct *store.Account, err error) {
	err = s.around("Account", func() (err error) { acct, err = s.wholeStore.Account(ctx, k); return err })
	return acct, err
}

func (s *racedStore) AccountUser(ctx context.Context, k store.Key) (acct *store.Account, u *store.User, tok *store.Token, err error) {
	err = s.around("AccountUser", func() (err error) { acct, u, tok, err = store.AccountUser(ctx, s.wholeStore, k); return err })
	return acct, u, tok, err
}

func (s *racedStore) UpdateAccountToken(ctx context.Context, acct *store.Account, old, tok *store.Token) error {
	return s.around("UpdateAccountToken", func() error { return store.UpdateAccountToken(ctx, s.wholeStore, acct, old, tok) })
}

func (s *racedStore) CreateCounted(ctx context.Context, x *store.Session) (n int, err error) {
	err = s.around("CreateCounted", func() (err error) { n, err = store.CreateCounted(ctx, s.wholeStore, x); return err })
	return n, err
}

func (s *racedStore) FinishLogin(ctx context.Context, acct *store.Account, old, tok *store.Token, x *store.Session) (n int, err error) {
	err = s.around("FinishLogin", func() (err error) {
		n, err = store.FinishLogin(ctx, s.wholeStore, s.wholeStore, acct, old, tok, x)
		return err
	})
	return n, err
}

// logouts are the tokens that end the login of ada-1.
var logouts = map[string]provider.Logout{
	"sid": {SID: "s-1"}, "sid and sub": {SID: "s-1", Subject: "ada"}, "sub": {Subject: "ada"},
}

// The service says that somebody has logged out, between each two steps of the
// login that it has just allowed.
func TestLogoutDuringACallback(t *testing.T) {
	for name, open := range map[string]func(*testing.T) wholeStore{
		"in steps":  func(*testing.T) wholeStore { return struct{ wholeStore }{memstore.New()} },
		"memstore":  func(*testing.T) wholeStore { return memstore.New() },
		"gormstore": func(t *testing.T) wholeStore { db, _ := openFaulty(t); return db },
	} {
		for kind, out := range logouts {
			for _, known := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/known %v", name, kind, known), func(t *testing.T) {
					s := &racedStore{wholeStore: open(t)}
					for n := 1; logoutAtStep(t, s, out, known, n); n++ {
						if n > 100 {
							t.Fatal("a login takes more than 100 steps")
						}
					}
				})
			}
		}
	}
}

// logoutAtStep logs somebody in, and out at the nth step of it. It returns
// false if the login has fewer steps.
func logoutAtStep(t *testing.T, s *racedStore, out provider.Logout, known bool, n int) bool {
	t.Helper()
	a, op := newOPApp(t, s)
	who := fmt.Sprintf("%s-%d", "ada", n)
	id := provider.Identity{Subject: who, Name: "Ada", SID: fmt.Sprint("s-1-", n)}
	if out.SID != "" {
		out.SID = id.SID
	}
	if out.Subject != "" {
		out.Subject = who
	}
	op.person("ada", id)
	b := a.browser()
	if known {
		op.person("before", provider.Identity{Subject: who, Name: "Ada", SID: "s-before"})
		b.login("op", "before")
		b.post("/auth/logout", nil)
		a.clock.advance(time.Minute)
	}
	state := b.begin("op")
	steps, at := 0, ""
	step := func(name string) {
		if steps++; steps != n {
			return
		}
		at = name
		s.on(nil)
		if got := a.backchannel("op", op.token(out)); got != http.StatusOK {
			t.Errorf("%s: the logout got %d: %s", name, got, a.log)
		}
	}
	op.complete = func(context.Context, provider.Callback) error {
		step("exchange")
		return nil
	}
	s.on(func(name string) error { step(name); return nil })
	resp := b.callback("op", state, "ada")
	s.on(nil)
	if at == "" {
		return false
	}
	if me := b.whoami(); me != "" {
		t.Errorf("logout %s: the browser is logged in as %s, after status %d", at, me, resp.StatusCode)
	}
	acct, err := a.store.Account(t.Context(), store.Key{Provider: "op", Subject: who})
	if err != nil {
		t.Fatalf("logout %s: %v", at, err)
	}
	if ids := sessionIDs(t, a, acct.UserID); len(ids) != 0 {
		t.Errorf("logout %s: got %d sessions, want none", at, len(ids))
	}
	switch resp.StatusCode {
	case http.StatusSeeOther: // its session was found, and ended
	case http.StatusForbidden:
		requireRejected(t, a, b, resp, http.StatusForbidden, "logged_out")
	default:
		t.Errorf("logout %s: got status %d", at, resp.StatusCode)
	}
	return true
}

// Whoever has logged out at the service may log in again at once.
func TestLoginAfterALogout(t *testing.T) {
	for kind, out := range logouts {
		t.Run(kind, func(t *testing.T) {
			a, op := newOPApp(t, memstore.New())
			browsers := loggedInAt(a)
			b := browsers["ada-1"]
			state := b.begin("op") // on the service's page since before the logout
			if got := a.backchannel("op", op.token(out)); got != http.StatusOK || b.whoami() != "" {
				t.Fatalf("got %d, and the browser is %q", got, b.whoami())
			}
			a.clock.advance(time.Second)
			if resp := b.callback("op", state, "ada-2"); resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
				t.Errorf("login a second later: got %d: %s", resp.StatusCode, body(t, resp))
			}
			browsers["bob-1"].login("op", "bob-1")
			browsers["namesake"].login("shop", "namesake")
		})
	}
}

// The page of a login that was ended says what happened, and leads to another.
func TestPageOfALoginThatWasEnded(t *testing.T) {
	a, op := newOPApp(t, memstore.New())
	b := a.browser()
	op.complete = func(context.Context, provider.Callback) error {
		if got := a.backchannel("op", op.token(provider.Logout{SID: "s-1"})); got != http.StatusOK {
			t.Errorf("got %d", got)
		}
		return nil
	}
	resp := b.callback("op", b.begin("op"), "ada-1")
	page := body(t, resp)
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(page, "You have logged out") || !strings.Contains(page, `href="/auth/login"`) || b.sessionCookie() != "" {
		t.Errorf("got %d: %s", resp.StatusCode, page)
	}
	op.complete = nil
	if b.login("op", "ada-2"); b.whoami() == "" {
		t.Error("the next login did not work")
	}
}

// A client without cookies does not learn the key of a session that was ended
// either.
func TestLogoutDuringALoginByHeader(t *testing.T) {
	op := newOP("op")
	a := newApp(t, func(c *middleware.Config) { c.Session.Header = "X-Session" }, op)
	op.person("ada", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
	b := a.browser()
	bare := func(r *http.Request) { r.Header["X-Session"] = []string{""} }
	for _, ended := range []bool{false, true} {
		op.complete = func(context.Context, provider.Callback) error {
			if ended && a.backchannel("op", op.token(provider.Logout{SID: "s-1"})) != http.StatusOK {
				t.Errorf("the logout was refused: %s", a.log)
			}
			return nil
		}
		resp := b.callback("op", b.begin("op", bare), "ada", bare)
		if got := resp.Header.Get("X-Session") != ""; got == ended {
			t.Errorf("logged out meanwhile %v: got %d, and a key %v", ended, resp.StatusCode, got)
		}
	}
}

// A store that cannot say whether somebody has logged out is no reason to log
// them in.
func TestStoreThatFailsAfterALogin(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a, _ := newOPApp(t, s)
	b := a.browser()
	state := b.begin("op")
	s.failAt("before Marked", errDisk)
	resp := b.callback("op", state, "ada-1")
	s.on(nil)
	if resp.StatusCode != http.StatusServiceUnavailable || b.sessionCookie() != "" || b.whoami() != "" {
		t.Errorf("got %d, and the browser is %q, want 503 and nobody", resp.StatusCode, b.whoami())
	}
	acct, err := a.store.Account(t.Context(), store.Key{Provider: "op", Subject: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if ids := sessionIDs(t, a, acct.UserID); len(ids) != 0 {
		t.Errorf("got %d sessions that nobody has the key of", len(ids))
	}
}

// A browser that was to be remembered by the login is not, and neither is one
// that was remembered by a login before.
func TestLogoutForgetsRememberedBrowsers(t *testing.T) {
	for kind, out := range logouts {
		t.Run(kind, func(t *testing.T) {
			s := memstore.New()
			op := newOP("github")
			a := newApp(t, func(c *middleware.Config) { remembering(c); c.Store = s }, op)
			op.person("ada-1", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
			b, second := a.browser(), a.browser()
			b.remember("ada-1")
			logout := func() {
				if got := a.backchannel("github", op.token(out)); got != http.StatusOK {
					t.Errorf("got %d: %s", got, a.log)
				}
			}
			op.complete = func(context.Context, provider.Callback) error { logout(); return nil }
			state := second.stateOf(second.post("/auth/login/github", url.Values{"remember": {"1"}}))
			resp := second.callback("github", state, "ada-1")
			requireRejected(t, a, second, resp, http.StatusForbidden, "logged_out")
			if second.token() != "" {
				t.Error("the browser has what it would be remembered by")
			}
			acct, err := a.store.Account(t.Context(), store.Key{Provider: "github", Subject: "ada"})
			if err != nil {
				t.Fatal(err)
			}
			families, err := s.UserRemembered(t.Context(), acct.UserID)
			if ids := sessionIDs(t, a, acct.UserID); err != nil || len(families)+len(ids) > 0 {
				t.Errorf("got %d remembered browsers and %d sessions, %v; want none", len(families), len(ids), err)
			}
			a.clock.advance(week)
			if b.whoami() != "" || second.whoami() != "" {
				t.Error("a browser has come back")
			}
		})
	}
}

// An around is a provider that an app has put something around. What the one
// within can do, it can do as well.
type around struct{ provider.Provider }

func (p around) Unwrap() provider.Provider { return p.Provider }

func TestLogoutDuringACallbackOfAWrappedProvider(t *testing.T) {
	for kind, out := range logouts {
		t.Run(kind, func(t *testing.T) {
			op := newOP("op")
			a := newApp(t, nil, around{around{op}})
			op.person("ada-1", provider.Identity{Subject: "ada", Name: "Ada", SID: "s-1"})
			op.complete = func(context.Context, provider.Callback) error {
				if got := a.backchannel("op", op.token(out)); got != http.StatusOK {
					t.Errorf("the logout got %d: %s", got, a.log)
				}
				return nil
			}
			b := a.browser()
			resp := b.callback("op", b.begin("op"), "ada-1")
			requireRejected(t, a, b, resp, http.StatusForbidden, "logged_out")
			if me := b.whoami(); me != "" {
				t.Errorf("the browser is logged in as %s", me)
			}
		})
	}
}
