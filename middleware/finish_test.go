package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// writes returns which methods that write s was asked for while f ran.
func (s *racedStore) writes(f func()) []string {
	var mu sync.Mutex
	var seen []string
	s.on(func(op string) error {
		op, before := strings.CutPrefix(op, "before ")
		if before && slices.Contains([]string{"UpdateAccountToken", "CreateCounted", "FinishLogin", "ReplaceSessions", "DeleteSession", "Transact"}, op) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, op)
		}
		return nil
	})
	f()
	s.on(nil)
	return seen
}

// A login of someone who comes back, in a browser without a session, writes once.
// Where something may happen between the account and the session, or the session
// takes the place of another or is elsewhere, it does as before.
func TestComingBackWritesOnce(t *testing.T) {
	elsewhere := func(c *middleware.Config) { c.Session.Store = struct{ store.Sessions }{memstore.New()} }
	for _, test := range []struct {
		name   string
		change func(*middleware.Config)
		begin  func(b *browser) (state string)
		want   string
	}{
		{"in a new browser", nil, nil, "FinishLogin"},
		{"with a hook", func(c *middleware.Config) {
			c.OnLogin = func(context.Context, *store.User, provider.Identity) error { return nil }
		}, nil, "UpdateAccountToken CreateCounted"},
		{"with sessions elsewhere", elsewhere, nil, "UpdateAccountToken"},
		{"remembered", func(c *middleware.Config) { remembering(c); c.Session.Remembers = memstore.New() }, func(b *browser) string {
			return b.stateOf(b.post("/auth/login/github", map[string][]string{"remember": {"1"}}))
		}, "UpdateAccountToken CreateCounted"},
		{"in a browser with a session", nil, func(b *browser) string {
			b.login("github", "ada")
			return b.begin("github")
		}, "UpdateAccountToken ReplaceSessions"},
		{"in a browser with one that has ended", nil, func(b *browser) string {
			b.login("github", "ada")
			if err := b.app.auth.Sessions().EndAll(b.t.Context(), b.whoami(), ""); err != nil {
				b.t.Fatal(err)
			}
			return b.begin("github")
		}, "UpdateAccountToken ReplaceSessions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &racedStore{wholeStore: memstore.New()}
			a := newApp(t, func(c *middleware.Config) {
				c.Store = s
				if test.change != nil {
					test.change(c)
				}
			})
			a.github.person("ada", ada)
			a.browser().login("github", "ada")
			b, state := a.browser(), ""
			if test.begin == nil {
				state = b.begin("github")
			} else {
				state = test.begin(b)
			}
			var resp *http.Response
			got := strings.Join(s.writes(func() { resp = b.callback("github", state, "ada") }), " ")
			if got != test.want || resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
				t.Errorf("got %d, %q, and the browser is %q; want %q", resp.StatusCode, got, b.whoami(), test.want)
			}
		})
	}
}

// A sign-up is one transaction with its session, unless a hook comes between.
func TestSigningUpWritesOnce(t *testing.T) {
	hook := func(context.Context, *store.User, provider.Identity) error { return nil }
	byEmail := func(c *middleware.Config) { c.DangerouslyLinkByEmail = []string{"other"} }
	for _, test := range []struct {
		name   string
		change func(*middleware.Config)
		want   string
	}{
		{"somebody new", func(*middleware.Config) {}, "Transact"},
		{"with OnSignUp", func(c *middleware.Config) { c.OnSignUp = hook }, "Transact CreateCounted"},
		{"with OnLink", func(c *middleware.Config) { c.OnLink = hook }, "Transact CreateCounted"},
		{"with OnLogin", func(c *middleware.Config) { c.OnLogin = hook }, "Transact CreateCounted"},
		{"with sessions elsewhere", func(c *middleware.Config) { c.Session.Store = struct{ store.Sessions }{memstore.New()} }, "Transact"},
		{"linked by email", func(c *middleware.Config) { byEmail(c) }, "Transact"},
		{"linked by email, with OnLink", func(c *middleware.Config) { byEmail(c); c.OnLink = hook }, "Transact CreateCounted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &racedStore{wholeStore: memstore.New()}
			a := newApp(t, func(c *middleware.Config) { c.Store = s; test.change(c) })
			a.github.person("ada", ada)
			a.browser().login("github", "ada")
			id := provider.Identity{Subject: "new", Name: "New"}
			if strings.HasPrefix(test.name, "linked") {
				id.Email, id.EmailVerified = ada.Email, true
			}
			a.other.person("new", id)
			b := a.browser()
			state := b.begin("other")
			var resp *http.Response
			got := strings.Join(s.writes(func() { resp = b.callback("other", state, "new") }), " ")
			if got != test.want || resp.StatusCode != http.StatusSeeOther || b.whoami() == "" {
				t.Errorf("got %d, %q, and the browser is %q; want %q", resp.StatusCode, got, b.whoami(), test.want)
			}
			acct, err := s.Account(t.Context(), store.Key{Provider: "other", Subject: "new"})
			if err != nil || acct.UserID != b.whoami() {
				t.Errorf("the account: %+v, %v", acct, err)
			}
			if linked := strings.Contains(a.log.String(), "linked_by_email"); linked != (id.Email != "") {
				t.Errorf("linked_by_email was logged: %t", linked)
			}
		})
	}
}

// Who is refused has cost no write of sessions, and is told why.
func TestRefusedSignUpWritesNoSession(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	a.other.person("eve", provider.Identity{Subject: "eve", Email: ada.Email, EmailVerified: true})
	b := a.browser()
	state := b.begin("other")
	var resp *http.Response
	got := s.writes(func() { resp = b.callback("other", state, "eve") })
	if len(got) != 1 || got[0] != "Transact" || resp.StatusCode != http.StatusConflict || !strings.Contains(a.log.String(), "email_taken") {
		t.Errorf("got %d, %q: %s", resp.StatusCode, got, a.log)
	}
	if a.users(store.Key{Provider: "other", Subject: "eve"}) != 0 {
		t.Error("the account was made")
	}
}

// Whoever else has come in by an account that is new is not thrown out when the
// first one's session is.
func TestSignUpRemainsWhenItsSessionDoesNot(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a, op := newOPApp(t, s)
	op.person("new", provider.Identity{Subject: "new", Name: "New", SID: "s-new"})
	b, other := a.browser(), a.browser()
	state := b.begin("op")
	s.on(func(op string) error {
		if op == "before Marked" {
			s.on(nil)
			other.login("op", "new")
			return errDisk
		}
		return nil
	})
	resp := b.callback("op", state, "new")
	s.on(nil)
	if resp.StatusCode != http.StatusServiceUnavailable || b.whoami() != "" || other.whoami() == "" {
		t.Errorf("got %d, the browsers are %q and %q", resp.StatusCode, b.whoami(), other.whoami())
	}
	if ids := sessionIDs(t, a, other.whoami()); len(ids) != 1 {
		t.Errorf("got %d sessions, want the other's", len(ids))
	}
}

// How somebody came by an account is told even if they are not logged in after all.
func TestLinkByEmailIsToldWhenItsSessionEnds(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	first, op := newOP("first"), newOP("op")
	a := newApp(t, func(c *middleware.Config) { c.Store, c.DangerouslyLinkByEmail = s, []string{"op"} }, first, op)
	first.person("ada", ada)
	op.person("ada", ada)
	a.browser().login("first", "ada")
	b := a.browser()
	state := b.begin("op")
	s.failAt("before Marked", errDisk)
	resp := b.callback("op", state, "ada")
	s.on(nil)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.log.String(), "linked_by_email") {
		t.Errorf("got %d: %s", resp.StatusCode, a.log)
	}
}

// LoginIdentity does as a callback.
func TestLoginIdentityWritesOnce(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	login := func() {
		t.Helper()
		id := ada
		id.Provider = "github"
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, baseURL+"/", nil)
		if err := a.auth.LoginIdentity(w, r, id, provider.Token{AccessToken: "at"}); err != nil || len(w.Result().Cookies()) == 0 {
			t.Errorf("got %v, cookies %v", err, w.Result().Cookies())
		}
	}
	login()
	if got := s.writes(login); len(got) != 1 || got[0] != "FinishLogin" {
		t.Errorf("got %q, want FinishLogin", got)
	}
}

// When the store fails at the one write, nobody is logged in, and what was kept is
// as it was. If only its answer was lost, the new token is kept.
func TestStoreThatFailsAtTheOneWrite(t *testing.T) {
	for _, when := range []string{"before FinishLogin", "after FinishLogin"} {
		t.Run(when, func(t *testing.T) {
			s := &racedStore{wholeStore: memstore.New()}
			a := newApp(t, func(c *middleware.Config) { c.Store = s })
			a.github.person("ada", ada)
			other := a.browser()
			other.login("github", "ada")
			id := other.whoami()
			before, err := s.Token(t.Context(), githubAda)
			if err != nil {
				t.Fatal(err)
			}
			b := a.browser()
			state := b.begin("github")
			s.failAt(when, errDisk)
			resp := b.callback("github", state, "ada")
			s.on(nil)
			if resp.StatusCode != http.StatusServiceUnavailable || b.sessionCookie() != "" || other.whoami() != id {
				t.Errorf("got %d, and the browsers are %q and %q; want 503, nobody and %q", resp.StatusCode, b.whoami(), other.whoami(), id)
			}
			if ids := sessionIDs(t, a, id); len(ids) != 1 {
				t.Errorf("got %d sessions, want the one before", len(ids))
			}
			after, err := s.Token(t.Context(), githubAda)
			if same := err == nil && string(after.Sealed) == string(before.Sealed); same != (when == "before FinishLogin") {
				t.Errorf("the token is as it was: %t (%v)", same, err)
			}
			if b.login("github", "ada"); b.whoami() != id {
				t.Error("the next login did not work")
			}
		})
	}
}

// A browser that leaves while its login is kept has no session, and the service's
// new token is kept: the one before may be worth nothing by now.
func TestBrowserThatLeavesWhileItsLoginIsKept(t *testing.T) {
	for _, when := range []string{"after AccountUser", "before FinishLogin", "after FinishLogin"} {
		t.Run(when, func(t *testing.T) {
			s := &racedStore{wholeStore: memstore.New()}
			a := newApp(t, func(c *middleware.Config) { c.Store = s })
			a.github.person("ada", ada)
			other := a.browser()
			other.login("github", "ada")
			id := other.whoami()
			before, err := s.Token(t.Context(), githubAda)
			if err != nil {
				t.Fatal(err)
			}
			b := a.browser()
			state := b.begin("github")
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			s.on(func(op string) error {
				if op == when {
					leave()
				}
				return nil
			})
			resp := b.callback("github", state, "ada", under(ctx))
			s.on(nil)
			if resp.StatusCode != http.StatusOK || strings.Contains(a.log.String(), "reason=store") {
				t.Errorf("got %d, though to leave is no failure: %s", resp.StatusCode, a.log)
			}
			if ids := sessionIDs(t, a, id); ctx.Err() == nil || len(ids) != 1 {
				t.Errorf("got %d sessions, want the one before", len(ids))
			}
			tok, err := s.Token(t.Context(), githubAda)
			if err != nil || string(tok.Sealed) == string(before.Sealed) {
				t.Errorf("the new token was not kept: %v", err)
			}
		})
	}
}

// A wrapped store that knows of no such step is asked for the two, and what else
// fails is not taken for that.
func TestStoreThatWouldNotWriteOnce(t *testing.T) {
	s := &racedStore{wholeStore: memstore.New()}
	a := newApp(t, func(c *middleware.Config) { c.Store = s })
	a.github.person("ada", ada)
	a.browser().login("github", "ada")
	b := a.browser()
	state := b.begin("github")
	var seen []string
	s.on(func(op string) error {
		seen = append(seen, op)
		if op == "before FinishLogin" {
			return errors.ErrUnsupported
		}
		return nil
	})
	resp := b.callback("github", state, "ada")
	s.on(nil)
	if resp.StatusCode != http.StatusSeeOther || b.whoami() == "" || !slices.Contains(seen, "after UpdateAccountToken") || !slices.Contains(seen, "after CreateCounted") {
		t.Errorf("got %d, and the store was asked for %q", resp.StatusCode, seen)
	}
	if slices.Contains(seen, "before DeleteSession") {
		t.Error("a session that was never stored was removed")
	}
}

// What a provider says and no store can keep is not the store's failure, whether it
// was to be kept alone or with the session.
func TestTextThatCannotBeKeptOfWhoComesBack(t *testing.T) {
	comingBack(t, func(t *testing.T, s *racedStore, a *app) {
		a.github.person("ada", ada)
		a.browser().login("github", "ada")
		b := a.browser()
		state := b.begin("github")
		s.on(func(op string) error {
			if op == "before FinishLogin" || op == "before UpdateAccountToken" {
				return fmt.Errorf("name: %w", store.ErrBadText)
			}
			return nil
		})
		resp := b.callback("github", state, "ada")
		s.on(nil)
		requireRejected(t, a, b, resp, 502, "profile_invalid")
	})
}
