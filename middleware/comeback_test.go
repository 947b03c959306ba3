package middleware_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// beforeKept has something happen once just before a login is kept.
func beforeKept(s *racedStore, f func()) {
	s.on(func(op string) error {
		if op == "before FinishLogin" || op == "before UpdateAccountToken" {
			s.on(nil)
			f()
		}
		return nil
	})
}

// comingBack runs f with an app whose logins are kept with their sessions, and with
// one in which a hook may still refuse them.
func comingBack(t *testing.T, f func(t *testing.T, s *racedStore, a *app)) {
	for name, hook := range map[string]func(context.Context, *store.User, provider.Identity) error{
		"at once": nil, "before a hook": func(context.Context, *store.User, provider.Identity) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := &racedStore{wholeStore: memstore.New()}
			f(t, s, newApp(t, func(c *middleware.Config) { c.Store, c.OnLogin = s, hook }))
		})
	}
}

// A service that rotates refresh tokens punishes who shows an old one. A login
// without one of its own must not bring back what was renewed while it was under
// way.
func TestLoginKeepsTheTokenThatWasRenewedMeanwhile(t *testing.T) {
	comingBack(t, func(t *testing.T, s *racedStore, a *app) {
		withAPI(a, api(t), func(c *middleware.Config) { c.Store = s })
		_, id := a.loginForAnHour()
		var shown []string
		a.github.refresh = func(_ context.Context, tok provider.Token) (provider.Token, error) {
			shown = append(shown, tok.RefreshToken)
			return provider.Token{AccessToken: "at-new", RefreshToken: "rt-new", Expiry: a.clock.Now().Add(time.Hour)}, nil
		}
		call := func() {
			t.Helper()
			if _, err := a.call(id, "/user"); err != nil {
				t.Fatal(err)
			}
		}
		a.clock.advance(2 * time.Hour)
		a.github.tokens["ada"] = provider.Token{AccessToken: "at-login", Expiry: a.clock.Now().Add(time.Hour)}
		beforeKept(s, call)
		a.browser().login("github", "ada")
		a.clock.advance(2 * time.Hour)
		call()
		if len(shown) != 2 || shown[0] != "rt-ada" || shown[1] != "rt-new" {
			t.Errorf("the service was shown %q, want rt-ada and then rt-new", shown)
		}
		if ids := sessionIDs(t, a, id); len(ids) != 2 {
			t.Errorf("got %d sessions after two logins", len(ids))
		}
	})
}

// Who was removed while they logged in signs up.
func TestLoginOfAnAccountThatIsRemovedMeanwhile(t *testing.T) {
	comingBack(t, func(t *testing.T, s *racedStore, a *app) {
		a.github.person("ada", ada)
		b := a.browser()
		b.login("github", "ada")
		first := b.whoami()
		beforeKept(s, func() {
			if err := a.auth.DeleteUser(t.Context(), first); err != nil {
				t.Error(err)
			}
		})
		b = a.browser()
		b.login("github", "ada")
		if second := b.whoami(); second == first || second == "" || a.users(githubAda) != 1 {
			t.Errorf("got user %q after %q", second, first)
		}
		if ids := sessionIDs(t, a, first); len(ids) != 0 {
			t.Errorf("who was removed has %d sessions", len(ids))
		}
	})
}

// Who comes back does not take the browser from somebody who has logged in to it
// meanwhile, and nothing is kept of them.
func TestComingBackNeverSwitchesUsersSilently(t *testing.T) {
	comingBack(t, func(t *testing.T, s *racedStore, a *app) {
		a.github.person("ada", ada)
		a.github.person("bob", bob)
		for _, code := range []string{"ada", "bob"} {
			a.browser().login("github", code)
		}
		before, err := s.Token(t.Context(), store.Key{Provider: "github", Subject: bob.Subject})
		if err != nil {
			t.Fatal(err)
		}
		b := a.browser()
		state := b.begin("github")
		b.login("github", "ada")
		me := b.whoami()
		requireRejected(t, a, b, b.callback("github", state, "bob"), http.StatusConflict, "user_switched")
		after, err := s.Token(t.Context(), store.Key{Provider: "github", Subject: bob.Subject})
		if err != nil || b.whoami() != me || string(after.Sealed) != string(before.Sealed) {
			t.Errorf("the browser is %q, want %q, and bob's token as it was (%v)", b.whoami(), me, err)
		}
	})
}

// With a store that does all of it at once and with one that does it step by step,
// a login does the same.
func TestComingBackToEachStore(t *testing.T) {
	for name, wrap := range map[string]func(*memstore.Store) store.Store{
		"at once":           func(s *memstore.Store) store.Store { return s },
		"step by step":      func(s *memstore.Store) store.Store { return struct{ store.Store }{s} },
		"in a transaction":  func(s *memstore.Store) store.Store { return struct{ store.Transactor }{s} },
		"under a former ID": func(s *memstore.Store) store.Store { return s },
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			a := newApp(t, func(c *middleware.Config) { c.Store = wrap(s) })
			a.github.person("ada", ada)
			b := a.browser()
			b.login("github", "ada")
			id, key := b.whoami(), githubAda
			if name == "under a former ID" {
				key = store.Key{Provider: "hub", Subject: ada.Subject}
				github := a.github
				github.info.FormerIDs = []string{"hub"}
				a = newApp(t, func(c *middleware.Config) { c.Store = s }, github)
				a.github = github
				rename(t, s, githubAda, key)
			}
			now := ada
			now.Name, now.Username, now.Email, now.AvatarURL = "Ada King", "countess", "king@example.com", "https://example.com/king"
			a.github.person("ada", now)
			a.github.tokens["ada"] = provider.Token{}
			b = a.browser()
			b.login("github", "ada")
			if got := b.whoami(); got != id {
				t.Fatalf("got user %q, want %q", got, id)
			}
			acct, err := s.Account(t.Context(), key)
			if err != nil || acct.Name != now.Name || acct.Username != now.Username || acct.Email != now.Email || acct.AvatarURL != now.AvatarURL {
				t.Errorf("got %+v, %v", acct, err)
			}
			if tok, err := s.Token(t.Context(), key); err == nil {
				t.Errorf("got a token of %d bytes, want none where the service gave none", len(tok.Sealed))
			}
			b = a.browser()
			if name != "under a former ID" { // where another issuer's are other people
				now.Issuer = "https://evil.example"
				a.github.person("ada", now)
				if resp := b.callback("github", b.begin("github"), "ada"); resp.StatusCode == http.StatusSeeOther {
					t.Error("got in by another issuer")
				}
				now.Issuer = ""
				a.github.person("ada", now)
			}
			u, err := s.User(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			u.Disabled = true
			if err := s.UpdateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			if resp := b.callback("github", b.begin("github"), "ada"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("disabled: got %d", resp.StatusCode)
			}
		})
	}
}

// rename gives an account the key that it would have had before.
func rename(t *testing.T, s *memstore.Store, from, to store.Key) {
	t.Helper()
	acct, err := s.Account(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	acct.Key = to
	if err := s.AddAccount(t.Context(), acct); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveAccount(t.Context(), from, []string{to.Provider}); err != nil {
		t.Fatal(err)
	}
}
